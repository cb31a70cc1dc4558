"""A question that was asked before, over HTTP: nobody can tell which way it was answered."""

from __future__ import annotations

from collections.abc import Callable

import httpx
import pytest

from servicekit.testing import Served

PATHS = {
    "/api/v1/incidents?namespace=payments": "/api/v1/incidents",
    "/api/v1/incidents/{id}": "/api/v1/incidents/{id}",
    "/api/v1/aggregations/actions": "/api/v1/aggregations/actions",
}


@pytest.mark.parametrize(("path", "template"), PATHS.items())
def test_a_known_question_is_answered_and_counted_as_a_new_one(
    client: httpx.Client, metric: Callable[..., float], add: Callable[..., int], path: str, template: str
) -> None:
    """The same body and headers, an id of its own, and the route's template in the metrics."""
    path = path.format(id=add())
    answers = [client.get(path, headers={"X-Request-ID": f"r{number}"}) for number in range(3)]
    assert [answer.headers["X-Request-ID"] for answer in answers] == ["r0", "r1", "r2"]
    assert {answer.status_code for answer in answers} == {200}
    assert len({answer.content for answer in answers}) == 1
    assert len({tuple(sorted(answer.headers)) for answer in answers}) == 1
    assert metric("http_request_duration_seconds_count", method="GET", path=template, status="200") == 3


def test_a_body_over_the_limit_is_refused_with_a_known_question_too(
    serve: Callable[..., Served], connect: Callable[[Served], httpx.Client]
) -> None:
    """Nobody reads it, and nothing is answered beside it."""
    client = connect(serve(max_body_bytes=10))
    path = "/api/v1/incidents"
    for _ in range(2):
        assert client.get(path).status_code == 200
    assert client.request("GET", path, content=b"x" * 11).status_code == 413
