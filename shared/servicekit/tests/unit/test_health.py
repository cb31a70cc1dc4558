"""Liveness and readiness."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import httpx
import pytest

from servicekit.testing import Served


def test_a_service_whose_dependencies_answer_is_ready(client: httpx.Client) -> None:
    """Both probes return, and both are named."""
    answer = client.get("/readyz")
    assert answer.status_code == 200
    assert {name: state["status"] for name, state in answer.json()["dependencies"].items()} == {
        "store": "ok",
        "cache": "ok",
    }


@pytest.mark.parametrize(
    ("failure", "said"), [("no route to it", "no route to it"), ("hangs", "no answer within 0.2 s")]
)
def test_a_required_dependency_that_fails_is_named(client: httpx.Client, demo: Any, failure: str, said: str) -> None:
    """503 with the name and the reason, also where the probe never returns; liveness does not care."""
    demo.failing["store"] = failure
    answer = client.get("/readyz")
    assert answer.status_code == 503
    assert answer.json()["detail"] == f"store: {said}"
    assert answer.json()["dependencies"]["cache"]["status"] == "ok"
    assert client.get("/livez").status_code == 200
    demo.failing.clear()
    assert client.get("/readyz").status_code == 200


def test_an_optional_dependency_that_fails_is_named_and_leaves_the_service_ready(
    client: httpx.Client, demo: Any
) -> None:
    """A cache that is away makes answers slower, not impossible."""
    demo.failing["cache"] = "gone"
    answer = client.get("/readyz")
    assert answer.status_code == 200
    assert answer.json()["dependencies"]["cache"] == {"status": "failing", "required": False, "detail": "gone"}


def test_readiness_ends_when_shutdown_begins(
    make_demo: Any, serve: Callable[[Any], tuple[Served, httpx.Client]]
) -> None:
    """At once, while the service still answers; the connection ends with the answer."""
    served, client = serve(make_demo(shutdown_grace=60))  # as long as it takes on a busy machine; it is ended below
    assert client.get("/readyz").status_code == 200
    served.server.begin_shutdown()
    answer = client.get("/readyz")
    assert (answer.status_code, answer.headers["Connection"]) == (503, "close")
    assert client.get("/livez").status_code == 200
    served.server._loop.call_soon_threadsafe(served.server._stop)
