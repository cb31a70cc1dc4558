"""What datastorage wrote is what contextapi reads: one Postgres, one Redis, one schema, two services."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest
from pydantic import SecretStr

import datastorage
from contextapi.models import Incident
from servicekit.testing import Served, serve_in_thread
from testinfra.endpoints import Postgres, Redis

Json = dict[str, Any]
WRITE = "/api/v1/audit/remediations"


@pytest.fixture
def store(
    postgres_schema: Postgres, redis_db: Redis, connect: Callable[[Served], httpx.Client]
) -> Iterator[httpx.Client]:
    """Give a client of a datastorage on the same servers."""
    settings = datastorage.DatastorageSettings(
        postgres_dsn=SecretStr(postgres_schema.dsn),
        redis_url=SecretStr(redis_db.url),
        redis_key_prefix=redis_db.key_prefix,
        redis_timeout=2.0,
        pool_min=1,
        pool_max=2,
        shutdown_grace=0,
    )
    with serve_in_thread(datastorage.create_app(settings)) as served:
        yield connect(served)


@pytest.fixture
def record(row: Callable[..., Json]) -> Callable[..., Json]:
    """Give a function that makes a remediation as datastorage takes it: its vector is left to the service."""
    return lambda **changes: {name: value for name, value in row(**changes).items() if name != "embedding"}


def test_what_was_written_is_read_field_by_field(
    store: httpx.Client, client: httpx.Client, record: Callable[..., Json]
) -> None:
    """Every field that both have, also text that is no ASCII, times of other zones and nested metadata."""
    sent = record(
        name="<b>restart</b> 日本",
        start_time="2026-11-21T11:00:00+02:00",
        metadata={"tries": [1, 2.5, None, {"é": True}]},
    )
    answer = store.post(WRITE, json=sent)
    assert answer.status_code == 201, answer.text
    stored = answer.json()
    read = client.get(f"/api/v1/incidents/{stored['id']}").json()
    assert list(read) == list(Incident.model_fields)
    assert read == {name: stored[name] for name in Incident.model_fields}
    assert (read["name"], read["start_time"]) == ("restart 日本", "2026-11-21T09:00:00Z")


def test_a_text_finds_what_was_written_in_other_words(
    store: httpx.Client, client: httpx.Client, record: Callable[..., Json]
) -> None:
    """Both make vectors by the same means, and agree on what is how much alike."""
    for name in ("restart payment api", "scale checkout", "renew certificate"):
        assert store.post(WRITE, json=record(name=name, target_resource=name)).status_code == 201
    body = {"query": "payments were restarted", "limit": 3, "threshold": 0}
    found = client.post("/api/v1/incidents/search", json=body).json()["incidents"]
    same = store.post(f"{WRITE}/search", json=body).json()["data"]
    assert [(each["id"], each["score"]) for each in found] == [(each["id"], each["similarity"]) for each in same]
    assert found[0]["name"] == "restart payment api"


def test_what_was_written_is_counted(store: httpx.Client, uncached: httpx.Client, record: Callable[..., Json]) -> None:
    """At once, where nothing is kept."""
    for phase in ("completed", "completed", "completed", "failed"):
        assert store.post(WRITE, json=record(phase=phase)).status_code == 201
    path = "/api/v1/aggregations/success-rate?workflow_id=restart-payment-api"
    assert uncached.get(path).json()["success_rate"] == 0.75
