"""Semantic search against an oracle that computes every similarity by hand."""

from __future__ import annotations

import math
import random
from collections.abc import Callable
from itertools import product
from operator import mul
from typing import Any

import httpx
import pytest
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from pydantic import SecretStr

from servicekit.testing import Served
from testinfra.endpoints import Postgres

PATH = "/api/v1/audit/remediations"
Record = Callable[..., dict[str, Any]]
Vector = list[float]
ROWS = 300
FORCED = "-cenable_seqscan=off -cenable_bitmapscan=off -cenable_sort=off"


def _oracle(vectors: dict[int, tuple[str, Vector]], asked: Vector) -> list[tuple[int, str, float]]:
    found = [
        (number, namespace, sum(map(mul, vector, asked)) / (math.hypot(*vector) * math.hypot(*asked)))
        for number, (namespace, vector) in vectors.items()
    ]
    return sorted(found, key=lambda each: -each[2])


@pytest.mark.parametrize("plan", ["", FORCED], ids=["planner's choice", "index forced"])
def test_the_search_finds_what_brute_force_finds(
    serve: Callable[..., Served],
    connect: Callable[[Served], httpx.Client],
    postgres_schema: Postgres,
    vectors: dict[int, tuple[str, Vector]],
    plan: str,
) -> None:
    """Same rows, order and similarities, with every mixture of filter, limit and threshold, index or not."""
    options = f"{conninfo_to_dict(postgres_schema.dsn)['options']} {plan}"
    client = connect(serve(postgres_dsn=SecretStr(make_conninfo(postgres_schema.dsn, options=options))))
    asked = [random.Random(1).gauss(0, 1) for _ in range(384)]  # noqa: S311 - the same numbers in every run
    oracle = _oracle(vectors, asked)
    for namespace, limit, threshold in product((None, "rare", "common"), (5, 100), (0.0, 0.05, 1.0)):
        body = {"embedding": asked, "limit": limit, "threshold": threshold}
        if namespace is not None:
            body["namespace"] = namespace
        found = client.post(f"{PATH}/search", json=body).json()["data"]
        hits = [hit for hit in oracle if namespace in (None, hit[1]) and hit[2] >= threshold][:limit]
        assert [each["id"] for each in found] == [number for number, _, _ in hits], body
        assert [each["similarity"] for each in found] == pytest.approx([hit[2] for hit in hits], abs=1e-5)


def test_without_a_threshold_the_most_unlike_come_too(client: httpx.Client, add: Record) -> None:
    """A record that points the other way is found last, with similarity -1."""
    add(name="away", embedding=[-1.0] * 384)
    add(name="same", embedding=[2.0] * 384)
    found = client.post(f"{PATH}/search", json={"embedding": [1.0] * 384}).json()["data"]
    assert [(each["name"], round(each["similarity"], 6)) for each in found] == [("same", 1.0), ("away", -1.0)]


def test_alike_texts_are_found_first(client: httpx.Client, add: Record) -> None:
    """A question in other words finds the record it is about before the others."""
    add(name="restart payment api", error_message="connection pool exhausted", target_resource="deployment/payment")
    add(name="scale checkout", error_message="cpu throttled", target_resource="deployment/checkout")
    add(name="renew certificate", error_message="certificate expires soon", target_resource="ingress/shop")
    for question, name in (
        ("payments restarted, pool exhausted", "restart payment api"),
        ("throttled checkout needs more cpu", "scale checkout"),
        ("expired certificates", "renew certificate"),
    ):
        found = client.post(f"{PATH}/search", json={"query": question, "limit": 1}).json()["data"]
        assert [each["name"] for each in found] == [name]


def test_a_service_without_an_embedder_searches_vectors_only(
    serve: Callable[..., Served], connect: Callable[[Served], httpx.Client], record: Record
) -> None:
    """A text is refused with what to give instead; a vector is searched as ever."""
    client = connect(serve(embedder="none"))
    assert client.post(PATH, json=record(embedding=[1.0] * 384)).json()["embedded"] is True
    refused = client.post(f"{PATH}/search", json={"query": "restart"})
    assert refused.status_code == 400
    assert "give embedding instead" in refused.json()["field_errors"]["query"]
    assert len(client.post(f"{PATH}/search", json={"embedding": [1.0] * 384}).json()["data"]) == 1
