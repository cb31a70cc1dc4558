"""Who may ask: bearer tokens, reviewed by the API server itself."""

from __future__ import annotations

import ssl
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest

from servicekit.testing import Served, serve_in_thread
from testinfra.endpoints import Cluster
from toolset import ServeSettings, create_app

CALLS = [
    ("GET", "/api/v1/toolsets"),
    ("GET", "/api/v1/toolsets/prometheus"),
    ("POST", "/api/v1/toolsets/generate"),
    ("POST", "/api/v1/toolsets/validate"),
    ("GET", "/api/v1/services"),
    ("POST", "/api/v1/discover"),
]


@pytest.fixture(scope="module")
def guarded(
    place: Cluster, settings_for: Callable[..., ServeSettings], no_tls: ssl.SSLContext
) -> Iterator[httpx.Client]:
    """Give a client without a token of a service that asks for one."""
    with (
        serve_in_thread(create_app(settings_for(place, auth="token"))) as served,
        httpx.Client(base_url=served.url, verify=no_tls, timeout=60) as client,
    ):
        yield client


@pytest.fixture
def token(service_account: Callable[..., Cluster]) -> str:
    """Give the token of an account that may do nothing at all: to be known is enough."""
    return str(service_account().token)


def bearer(token: str) -> dict[str, str]:
    """Return the header."""
    return {"Authorization": f"Bearer {token}"}


@pytest.mark.parametrize(("method", "path"), CALLS)
def test_every_call_needs_a_token(guarded: httpx.Client, method: str, path: str) -> None:
    """401 with the scheme, before anything is read or done."""
    answer = guarded.request(method, path)
    assert (answer.status_code, answer.headers["WWW-Authenticate"]) == (401, "Bearer")
    assert answer.headers["Content-Type"] == "application/problem+json"


@pytest.mark.parametrize("header", ["", "Bearer", "Basic dXNlcjpwYXNz", "Bearer not-a-token", "Bearer " + "a" * 20_000])
def test_who_is_nobody_is_turned_away(guarded: httpx.Client, header: str) -> None:
    """401, whatever is wrong with the header."""
    assert guarded.get("/api/v1/toolsets", headers={"Authorization": header}).status_code == 401


def test_who_is_known_is_let_in(guarded: httpx.Client, token: str) -> None:
    """To every call."""
    for method, path in CALLS:
        answer = guarded.request(method, path, headers=bearer(token))
        assert answer.status_code not in {401, 403, 500}, (path, answer.text)


@pytest.mark.parametrize("path", ["/livez", "/readyz", "/metrics", "/openapi.json"])
def test_health_and_metrics_need_no_token(guarded: httpx.Client, path: str) -> None:
    """Probes and scrapers have none."""
    assert guarded.get(path).status_code == 200


def test_nobodys_body_is_read(guarded: httpx.Client) -> None:
    """401 comes before 400 and before 415."""
    for content_type in ("application/json", "text/plain"):
        headers = {"Content-Type": content_type, **bearer("guess")}
        assert guarded.post("/api/v1/toolsets/validate", content=b"{", headers=headers).status_code == 401


def test_one_token_is_reviewed_once(
    serve: Callable[..., Served], connect: Any, intercept: Any, namespace: Cluster, token: str
) -> None:
    """Twenty calls at once and twenty after are one review."""
    between = intercept(namespace)
    client: httpx.Client = connect(serve(auth="token", kubeconfig=between.endpoint.kubeconfig))

    def ask(_: int) -> int:
        return client.post("/api/v1/toolsets/validate", json={"tools": []}, headers=bearer(token)).status_code

    with ThreadPoolExecutor(20) as pool:
        assert set(pool.map(ask, range(20))) == {200}
    assert {ask(turn) for turn in range(20)} == {200}
    assert len(between.attempts(resource="tokenreviews")) == 1


def test_a_review_that_fails_is_503_and_is_asked_for_again(
    serve: Callable[..., Served], connect: Any, intercept: Any, namespace: Cluster, token: str
) -> None:
    """With Retry-After as the server said, or a second; what failed is not relied on."""
    between = intercept(namespace)
    client: httpx.Client = connect(serve(auth="token", kubeconfig=between.endpoint.kubeconfig, kubernetes_timeout=1.0))
    for fault, kind, seconds in (
        (between.answer(429, retry_after=7, resource="tokenreviews"), "too-many-requests", "7"),
        (between.answer(403, resource="tokenreviews"), "forbidden", "1"),
        (between.reset(resource="tokenreviews"), "reset", "1"),
    ):
        with fault:
            answer = client.post("/api/v1/discover", headers=bearer(token))
        assert (answer.status_code, answer.headers["Retry-After"]) == (503, seconds)
        assert answer.json()["type"] == f"urn:problem-type:kubernetes-{kind}"
    assert client.post("/api/v1/discover", headers=bearer(token)).status_code == 202


def test_no_token_is_in_the_log(guarded: httpx.Client, token: str, caplog: pytest.LogCaptureFixture) -> None:
    """Neither a right nor a wrong one."""
    caplog.set_level("DEBUG")
    guarded.get("/api/v1/services", headers=bearer(token))
    guarded.get("/api/v1/services", headers=bearer("wrong-secret"))
    assert "/api/v1/services" in caplog.text
    assert token not in caplog.text
    assert "wrong-secret" not in caplog.text
