"""So many requests of one source in each window, counted in Redis; without Redis nobody is limited."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import httpx
from pydantic import SecretStr

from gateway import GatewaySettings
from servicekit.testing import Served
from testinfra.endpoints import Cluster

PROMETHEUS = "/api/v1/signals/prometheus"
Json = dict[str, Any]
Make = Callable[..., Json]
Serve = Callable[..., Served]
Connect = Callable[..., httpx.Client]


def test_a_source_over_its_limit_waits(
    serve: Serve, connect: Connect, with_redis: GatewaySettings, alert: Make, found: Callable[..., list[Json]]
) -> None:
    """The fourth of three is 429, says when to come back, and makes nothing."""
    client = connect(serve(with_redis))
    codes = [client.post(PROMETHEUS, json=alert(f"p-{number}")).status_code for number in range(4)]
    assert codes == [201, 201, 201, 429]
    answer = client.post(PROMETHEUS, json=alert("p-9"))
    assert 1 <= int(answer.headers["Retry-After"]) <= 3601
    assert len(found()) == 3


def test_replicas_count_together(serve: Serve, connect: Connect, with_redis: GatewaySettings, alert: Make) -> None:
    """Two gateways with one Redis have one limit."""
    first, second = (connect(serve(with_redis)) for _ in range(2))
    codes = [client.post(PROMETHEUS, json=alert()).status_code for client in (first, second, first, second)]
    assert codes == [201, 202, 202, 429]


def test_sources_are_counted_apart(
    serve: Serve, connect: Connect, with_redis: GatewaySettings, alert: Make, service_account: Callable[..., Cluster]
) -> None:
    """With tokens a source is who the token says: one at its limit does not limit another."""
    client = connect(serve(with_redis, auth="token"))
    rules = [{"nonResourceURLs": ["/api/v1/signals/*"], "verbs": ["post"]}]
    one, other = (service_account(cluster_rules=rules) for _ in range(2))

    def send(who: Cluster) -> int:
        return client.post(PROMETHEUS, json=alert(), headers={"Authorization": f"Bearer {who.token}"}).status_code

    assert [send(one) for _ in range(4)] == [201, 202, 202, 429]
    assert send(other) == 202


def test_no_limit_asks_no_redis(client: httpx.Client, alert: Make) -> None:
    """By default Redis is not even asked."""
    assert client.post(PROMETHEUS, json=alert()).status_code == 201
    assert "gateway_redis_operations_total{" not in client.get("/metrics").text


def test_without_redis_nobody_is_limited(
    serve: Serve, connect: Connect, with_redis: GatewaySettings, alert: Make, closed_port: int
) -> None:
    """It fails open: all pass, the metric says why, and after a failure Redis is left alone for a moment."""
    client = connect(serve(with_redis, redis_url=SecretStr(f"redis://127.0.0.1:{closed_port}/0")))
    codes = [client.post(PROMETHEUS, json=alert()).status_code for _ in range(6)]
    assert codes == [201] + [202] * 5
    text = client.get("/metrics").text
    assert 'gateway_redis_operations_total{op="rate_limit",result="error"} ' in text
    assert 'gateway_redis_operations_total{op="rate_limit",result="skipped"} ' in text


def test_without_redis_it_is_ready(
    serve: Serve, connect: Connect, with_redis: GatewaySettings, closed_port: int
) -> None:
    """Readiness names Redis as failing, and stays 200."""
    client = connect(serve(with_redis, redis_url=SecretStr(f"redis://127.0.0.1:{closed_port}/0")))
    answer = client.get("/readyz")
    assert answer.status_code == 200
    assert answer.json()["dependencies"]["redis"]["status"] == "failing"


def test_a_redis_that_comes_back_limits_again(
    serve: Serve,
    connect: Connect,
    settings: GatewaySettings,
    alert: Make,
    exclusive_redis: Any,
    redis_outage: Any,
    eventually: Callable[..., None],
) -> None:
    """While it is killed all pass; when it is back the limit holds again."""
    own = {"redis_url": SecretStr(exclusive_redis.url), "redis_timeout": 2.0, "rate_limit": 2, "rate_window": 3600}
    client = connect(serve(settings, **own))
    with redis_outage("kill"):
        assert all(client.post(PROMETHEUS, json=alert()).is_success for _ in range(5))
    eventually("the limit holds again", lambda: client.post(PROMETHEUS, json=alert()).status_code == 429)
