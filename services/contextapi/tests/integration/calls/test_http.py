"""What HTTP itself has to say: routes, methods, content types, sizes, request ids, and the document."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import httpx
import pytest

from servicekit.testing import Served, sample

PATH = "/api/v1/incidents"
COUNTS = "/api/v1/aggregations"
READS = (PATH, "/api/v1/context/query", f"{COUNTS}/namespaces", f"{COUNTS}/trend", f"{COUNTS}/actions")


@pytest.mark.parametrize("path", ["/", "/api/v1", "/api/v1/incident", f"{COUNTS}/", f"{PATH}/1/x", "/docs"])
def test_an_unknown_route_is_404(client: httpx.Client, path: str) -> None:
    """As a problem that names the path."""
    answer = client.get(path)
    assert (answer.status_code, answer.headers["Content-Type"]) == (404, "application/problem+json")
    assert answer.json()["instance"] == path


@pytest.mark.parametrize("path", [*READS, f"{PATH}/1"])
@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
def test_nothing_is_written(client: httpx.Client, path: str, method: str) -> None:
    """405 with the methods that there are."""
    answer = client.request(method, path)
    assert (answer.status_code, answer.headers["Allow"]) == (405, "GET")


def test_a_search_is_posted(client: httpx.Client) -> None:
    """`search` is no id, whatever the method."""
    for method in ("GET", "PUT", "DELETE"):
        answer = client.request(method, f"{PATH}/search")
        assert (answer.status_code, answer.headers["Allow"]) == (405, "POST")


@pytest.mark.parametrize("said", [None, "text/plain", "application/xml", "application/json; charset=latin-1"])
def test_a_search_that_is_no_json_is_415(client: httpx.Client, said: str | None) -> None:
    """With what would be taken."""
    headers = {"Content-Type": said} if said else {}
    answer = client.post(f"{PATH}/search", content=b'{"query": "x"}', headers=headers)
    assert (answer.status_code, answer.headers["Accept"]) == (415, "application/json")


def test_a_body_over_the_limit_is_413(serve: Callable[..., Served], connect: Callable[[Served], httpx.Client]) -> None:
    """Whether its length is announced or not."""
    client = connect(serve(max_body_bytes=1000))
    body = b'{"query": "' + b"x" * 1000 + b'"}'
    headers = {"Content-Type": "application/json"}
    assert client.post(f"{PATH}/search", content=body, headers=headers).status_code == 413
    assert client.post(f"{PATH}/search", content=iter([body]), headers=headers).status_code == 413


@pytest.mark.parametrize("path", [PATH, f"{PATH}?limit=0", "/nowhere", f"{PATH}/1"])
def test_a_request_id_is_taken_or_made(client: httpx.Client, path: str) -> None:
    """In every response, and in the body of every problem."""
    for sent, taken in (("own-1", True), ("x" * 129, False), ("a b", False)):
        answer = client.get(path, headers={"X-Request-ID": sent})
        got = answer.headers["X-Request-ID"]
        assert (got == sent) is taken
        assert answer.json().get("request_id", got) == got


@pytest.mark.parametrize("path", READS)
def test_an_answer_says_how_old_it_is(client: httpx.Client, path: str) -> None:
    """In seconds since it was read from Postgres; one that is not old has no mark."""
    for _ in range(2):
        answer = client.get(path)
        assert answer.status_code == 200
        assert 0 <= int(answer.headers["Age"]) < 20
        assert "stale" not in answer.json()


def test_the_document_has_every_call(client: httpx.Client) -> None:
    """With its problems, and without what is never answered."""
    document: dict[str, Any] = client.get("/openapi.json").json()
    paths = {path: set(item) for path, item in document["paths"].items() if path.startswith("/api")}
    assert paths == {
        PATH: {"get"},
        "/api/v1/context/query": {"get"},
        f"{PATH}/search": {"post"},
        f"{PATH}/{{id}}": {"get"},
        f"{COUNTS}/success-rate": {"get"},
        f"{COUNTS}/namespaces": {"get"},
        f"{COUNTS}/severity": {"get"},
        f"{COUNTS}/trend": {"get"},
        f"{COUNTS}/top-failing-actions": {"get"},
        f"{COUNTS}/actions": {"get"},
        f"{COUNTS}/namespace-health": {"get"},
    }
    for path, methods in paths.items():
        for method in methods:
            responses = document["paths"][path][method]["responses"]
            assert {"200", "503"} <= set(responses)
            assert "422" not in responses


@pytest.mark.parametrize("path", [f"{COUNTS}/namespaces", f"{COUNTS}/actions"])
def test_a_call_without_parameters_has_none(client: httpx.Client, path: str) -> None:
    """An unknown one is wrong there too."""
    answer = client.get(path, params={"namespace": "x"})
    assert (answer.status_code, list(answer.json()["field_errors"])) == (400, ["namespace"])


def test_one_question_may_be_written_in_many_ways(client: httpx.Client) -> None:
    """Order, defaults said or not, and escapes do not matter: it is one answer, read once."""
    ways = ("limit=10&namespace=a-b", "namespace=a-b", "namespace=a%2Db&limit=10", "offset=0&namespace=x&namespace=a-b")
    answers = [client.get(f"{PATH}?{way}") for way in (*ways, *ways)]
    assert {answer.text for answer in answers} == {answers[0].text}
    text = client.get("/metrics").text
    assert sample(text, "context_api_database_queries_total", type="incidents") == 1
