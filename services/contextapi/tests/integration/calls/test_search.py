"""Semantic search against an oracle that computes every similarity by hand, and every edge of its body."""

from __future__ import annotations

import asyncio
import math
import random
from collections.abc import Callable
from dataclasses import replace
from itertools import product
from operator import mul
from typing import Any

import httpx
import pytest
from pydantic import SecretStr

from contextapi.models import Incident
from servicekit.embedding import HashingEmbedder
from servicekit.testing import Served
from testinfra.endpoints import Postgres

PATH = "/api/v1/incidents/search"
Add = Callable[..., int]
Serve = Callable[..., Served]
Connect = Callable[[Served], httpx.Client]
Vector = list[float]
ROWS = 300
LEAST_RECALL = 0.95
FORCED = (("enable_seqscan", "off"), ("enable_bitmapscan", "off"), ("enable_sort", "off"))
ONES = [1.0] * 384


def towards(similarity: float) -> Vector:
    """Return a vector with this cosine similarity to [1, 0, 0, ...]."""
    return [similarity, math.sqrt(1 - similarity**2), *[0.0] * 382]


FIRST = towards(1.0)


def oracle(vectors: dict[int, tuple[str, Vector]], asked: Vector) -> list[tuple[int, str, float]]:
    found = [
        (number, namespace, sum(map(mul, vector, asked)) / (math.hypot(*vector) * math.hypot(*asked)))
        for number, (namespace, vector) in vectors.items()
    ]
    return sorted(found, key=lambda each: -each[2])


@pytest.mark.parametrize("plan", [(), FORCED], ids=["planner's choice", "index forced"])
def test_the_search_finds_what_brute_force_finds(
    serve: Serve, connect: Connect, reader: Postgres, vectors: dict[int, tuple[str, Vector]], plan: Any
) -> None:
    """Rows, order and scores, with every mixture of filter, limit and threshold, index or not; recall is printed."""
    dsn = replace(reader, settings=(*reader.settings, *plan)).dsn
    client = connect(serve(postgres_dsn=SecretStr(dsn)))
    asked = [random.Random(1).gauss(0, 1) for _ in range(384)]  # noqa: S311 - the same numbers in every run
    ranked = oracle(vectors, asked)
    similarity = {number: score for number, _, score in ranked}
    sought = hit = 0
    for namespace, limit, threshold in product((None, "rare", "common"), (1, 5, 50), (0.0, 0.05, 1.0)):
        body = {"embedding": asked, "limit": limit, "threshold": threshold, "namespace": namespace}
        found = client.post(PATH, json=body).json()["incidents"]
        right = [number for number, own, score in ranked if namespace in (None, own) and score >= threshold][:limit]
        scores = [each["score"] for each in found]
        assert scores == sorted(scores, reverse=True)
        assert scores == pytest.approx([similarity[each["id"]] for each in found], abs=1e-5)
        assert len(found) <= len(right)
        sought += len(right)
        hit += len({each["id"] for each in found} & set(right))
        if not plan:
            assert [each["id"] for each in found] == right, body
    print(f"recall {hit / sought:.4f} of {sought} over {ROWS} rows")  # noqa: T201 - a measurement, for who runs it
    assert hit / sought >= LEAST_RECALL


def test_an_answer_has_all_of_an_incident_and_its_score(client: httpx.Client, add: Add) -> None:
    """The fields of a list, and the cosine similarity."""
    number = add(embedding=ONES)
    (found,) = client.post(PATH, json={"embedding": ONES}).json()["incidents"]
    score = found.pop("score")
    assert score == pytest.approx(1)
    assert list(found) == list(Incident.model_fields)
    assert found == client.get(f"/api/v1/incidents/{number}").json()


def test_what_is_less_alike_than_the_threshold_is_left_out(client: httpx.Client, add: Add) -> None:
    """0.7 where none is given; a row at the threshold itself is found."""
    numbers = {each: add(embedding=towards(each)) for each in (0.95, 0.8, 0.5, 0.2, -0.5)}

    def found(**changes: float) -> list[int]:
        answer = client.post(PATH, json={"embedding": FIRST, **changes})
        return [each["id"] for each in answer.json()["incidents"]]

    assert found() == [numbers[0.95], numbers[0.8]]
    assert found(threshold=0.9) == [numbers[0.95]]
    assert found(threshold=0.5) == [numbers[0.95], numbers[0.8], numbers[0.5]]
    assert found(threshold=0) == [numbers[each] for each in (0.95, 0.8, 0.5, 0.2)]
    assert found(threshold=1) == []


def test_ten_are_found_where_no_limit_is_given(client: httpx.Client, add: Add) -> None:
    """And at most fifty."""
    for _ in range(51):
        add(embedding=ONES)
    for body, number in (({}, 10), ({"limit": 1}, 1), ({"limit": 50}, 50)):
        answer = client.post(PATH, json={"embedding": ONES, **body})
        assert len(answer.json()["incidents"]) == number


def test_a_namespace_that_nothing_is_in_finds_nothing(client: httpx.Client, add: Add) -> None:
    """The filter is applied to the nearest too."""
    add(embedding=ONES)
    inside = add(embedding=towards(0.1), namespace="checkout")
    body = {"embedding": ONES, "threshold": 0}
    for namespace, right in (("checkout", [inside]), ("nowhere", []), ("日本", [])):
        answer = client.post(PATH, json={**body, "namespace": namespace})
        assert [each["id"] for each in answer.json()["incidents"]] == right


def test_rows_without_a_vector_are_left_out(client: httpx.Client, add: Add) -> None:
    """They are like nothing."""
    add()
    assert client.post(PATH, json={"embedding": ONES, "threshold": 0}).json() == {"incidents": []}


def test_texts_are_found_by_their_words(client: httpx.Client, add: Add) -> None:
    """A text is made a vector by the same means as datastorage's, so that alike texts are found first."""
    for name in ("restart payment api", "scale checkout", "renew certificate"):
        add(name=name, embedding=list(asyncio.run(HashingEmbedder().embed(name))))
    for question, right in (
        ("payments restarted", "restart payment api"),
        ("expired certificates", "renew certificate"),
    ):
        found = client.post(PATH, json={"query": question, "limit": 1, "threshold": 0}).json()["incidents"]
        assert [each["name"] for each in found] == [right]


@pytest.mark.parametrize("text", ["'; DROP TABLE remediation_audit; --", "日本語\U0001f680", "!!!", "word " * 10_000])
def test_any_text_may_be_searched(client: httpx.Client, add: Add, text: str) -> None:
    """Injection, unicode, no word at all, very long: each has a vector, and nothing else happens."""
    add(embedding=ONES)
    assert client.post(PATH, json={"query": text}).status_code == 200
    assert client.get("/api/v1/incidents").json()["total"] == 1


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "body"),
        ({"query": "x", "embedding": ONES}, "body"),
        ({"query": None, "embedding": None}, "body"),
        ({"query": ""}, "query"),
        ({"query": "   "}, "query"),
        ({"query": "a\0b"}, "query"),
        ({"query": "x" * 65_537}, "query"),
        ({"query": 7}, "query"),
        ({"embedding": [1.0] * 383}, "embedding"),
        ({"embedding": [1.0] * 385}, "embedding"),
        ({"embedding": []}, "embedding"),
        ({"embedding": [0.0] * 384}, "embedding"),
        ({"embedding": ["1"] * 384}, "embedding"),
        ({"embedding": "x"}, "embedding"),
        ({"embedding": [1e39] * 384}, "embedding"),
        ({"query": "x", "limit": 0}, "limit"),
        ({"query": "x", "limit": 51}, "limit"),
        ({"query": "x", "limit": "5"}, "limit"),
        ({"query": "x", "limit": 1.5}, "limit"),
        ({"query": "x", "threshold": -0.1}, "threshold"),
        ({"query": "x", "threshold": 1.1}, "threshold"),
        ({"query": "x", "threshold": "0.5"}, "threshold"),
        ({"query": "x", "threshold": None}, "threshold"),
        ({"query": "x", "namespace": ""}, "namespace"),
        ({"query": "x", "namespace": "x" * 256}, "namespace"),
        ({"query": "x", "phase": "failed"}, "phase"),
    ],
)
def test_a_body_that_is_wrong_is_400(client: httpx.Client, body: dict[str, Any], field: str) -> None:
    """As a problem that names the field."""
    answer = client.post(PATH, json=body)
    assert (answer.status_code, answer.headers["Content-Type"]) == (400, "application/problem+json")
    assert list(answer.json()["field_errors"]) == [field]


@pytest.mark.parametrize("content", ["", "{", "[]", "null", '{"query": NaN}', '"x"'])
def test_what_is_no_object_is_400(client: httpx.Client, content: str) -> None:
    """Told as a problem too."""
    answer = client.post(PATH, content=content, headers={"Content-Type": "application/json"})
    assert (answer.status_code, answer.json()["type"]) == (400, "urn:problem-type:validation-error")


def test_a_service_without_an_embedder_searches_vectors_only(serve: Serve, connect: Connect, add: Add) -> None:
    """A text is refused with what to give instead; a vector is searched as ever."""
    client = connect(serve(embedder="none"))
    add(embedding=ONES)
    refused = client.post(PATH, json={"query": "restart"})
    assert refused.status_code == 400
    assert "give embedding instead" in refused.json()["field_errors"]["query"]
    assert len(client.post(PATH, json={"embedding": ONES}).json()["incidents"]) == 1
