"""Liveness, readiness, and the OpenAPI document."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import httpx

from servicekit.testing import Served

SIX = ("/api/v1/signals/prometheus", "/api/v1/signals/kubernetes-event", "/livez", "/readyz", "/metrics")


def test_a_gateway_with_its_cluster_is_ready(client: httpx.Client) -> None:
    """Both of its needs are named, and well."""
    body = client.get("/readyz").json()
    assert body["status"] == "ready"
    assert {name: state["status"] for name, state in body["dependencies"].items()} == {
        "kubernetes": "ok",
        "index": "ok",
    }


def test_a_cluster_that_does_not_answer_is_named(
    intercept: Any, namespace: Any, serve: Callable[..., Served], connect: Callable[..., httpx.Client]
) -> None:
    """503 that names it, as a problem; alive all the same."""
    between = intercept(namespace)
    client = connect(serve(kubeconfig=between.endpoint.kubeconfig))
    with between.answer(500, times=None, path="/version"):
        answer = client.get("/readyz")
        assert answer.status_code == 503
        assert answer.json()["dependencies"]["kubernetes"]["status"] == "failing"
        assert client.get("/livez").status_code == 200
    assert client.get("/readyz").status_code == 200


def test_it_is_not_ready_when_shutdown_begins(
    serve: Callable[..., Served], connect: Callable[..., httpx.Client]
) -> None:
    """503 at once, in the grace period, while it still works."""
    served = serve(shutdown_grace=1.0)
    client = connect(served)
    served.server.begin_shutdown()
    assert client.get("/readyz").status_code == 503
    served.stop()


def test_the_document_has_all_paths(client: httpx.Client) -> None:
    """Both calls, and what all services have."""
    document = client.get("/openapi.json").json()
    assert set(document["paths"]) == set(SIX)
    for path in SIX[:2]:
        statuses = set(document["paths"][path]["post"]["responses"])
        assert {"201", "202", "400", "401", "403", "413", "415", "429", "503"} <= statuses
    assert document["components"]["securitySchemes"]["bearer"]["scheme"] == "bearer"
