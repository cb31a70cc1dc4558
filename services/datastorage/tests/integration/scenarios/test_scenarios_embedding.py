"""Scenarios 10 to 14: vectors of 384 numbers, their index, and their cache."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import Any

import httpx
import psycopg
import pytest
import redis
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from pydantic import SecretStr

from datastorage import DatastorageSettings
from datastorage.models import RemediationIn
from datastorage.remediations import READ
from servicekit.database import conninfo
from servicekit.embedding import HashingEmbedder, checked, unpacked
from servicekit.searching import nearest
from servicekit.testing import Served
from testinfra.endpoints import Postgres, Redis

PATH = "/api/v1/audit/remediations"
Record = Callable[..., dict[str, Any]]
Connection = psycopg.Connection[Any]


def test_scenario_10_vectors_of_384_numbers_are_stored(add: Record, db: Connection) -> None:
    """The column holds 384 numbers of unit length, and those a client gives are stored as they are."""
    made = add()
    given = add(embedding=[0.5] * 384)
    lengths = (
        "SELECT id, vector_dims(embedding), round(vector_norm(embedding)::numeric, 3)::float FROM remediation_audit"
    )
    assert db.execute(f"{lengths} ORDER BY id").fetchall() == [(made["id"], 384, 1.0), (given["id"], 384, 9.798)]


def test_scenario_11_a_row_may_have_no_vector(client: httpx.Client, add: Record, db: Connection) -> None:
    """`embedding: null` stores the row alone; it is read like any other, and a search leaves it out."""
    alone, whole = add(embedding=None), add()
    assert alone["embedded"] is False
    assert db.execute("SELECT embedding FROM remediation_audit WHERE id = %s", [alone["id"]]).fetchone() == (None,)
    assert client.get(PATH).json()["pagination"]["total"] == 2
    found = client.post(f"{PATH}/search", json={"query": "restart payment api"}).json()["data"]
    assert [each["id"] for each in found] == [whole["id"]]


def test_scenario_12_a_wrong_dimension_is_refused(
    client: httpx.Client, record: Record, add: Record, db: Connection, count: Callable[[], int]
) -> None:
    """Three numbers give 400 with both counts, in a write as in a search, and the column would refuse them too."""
    for path, body in ((PATH, record(embedding=[0.1, 0.2, 0.3])), (f"{PATH}/search", {"embedding": [0.1, 0.2, 0.3]})):
        answer = client.post(path, json=body)
        assert answer.status_code == 400
        assert answer.json()["field_errors"] == {"embedding": "expected 384 dimensions, got 3"}
    assert count() == 0
    add()
    with pytest.raises(psycopg.errors.DataException, match="expected 384 dimensions, not 3"):
        db.execute("UPDATE remediation_audit SET embedding = '[1,2,3]'")


def test_scenario_13_the_hnsw_index_is_there_and_used(
    serve: Callable[..., Served],
    connect: Callable[[Served], httpx.Client],
    settings: DatastorageSettings,
    postgres_schema: Postgres,
    record: Record,
    db: Connection,
    eventually: Callable[..., None],
) -> None:
    """EXPLAIN of the service's own statement scans the HNSW index, and the service's search really did.

    Five rows are faster read one by one, so reading the table is priced out, for the service as for EXPLAIN.
    """
    options = f"{conninfo_to_dict(postgres_schema.dsn)['options']} -cenable_seqscan=off"
    dsn = make_conninfo(postgres_schema.dsn, options=options)
    served = serve(postgres_dsn=SecretStr(dsn))
    client = connect(served)
    for number in range(5):
        assert client.post(PATH, json=record(name=f"restart-{number}")).status_code == 201
    assert len(client.post(f"{PATH}/search", json={"query": "restart"}).json()["data"]) == 5
    served.stop()

    statement, parameters = nearest("remediation_audit", READ, checked([1.0] * 384), limit=10)
    with psycopg.connect(conninfo(dsn, name="datastorage", timeout=settings.postgres_timeout)) as own:
        plan = own.execute(b"EXPLAIN (COSTS OFF) " + statement.as_bytes(own), parameters).fetchall()
    assert any("Index Scan using remediation_audit_embedding_idx" in row[0] for row in plan), plan
    scans = "SELECT idx_scan FROM pg_stat_user_indexes WHERE schemaname = current_schema() AND indexrelname = %s"
    index = "remediation_audit_embedding_idx"
    eventually("the service's scan is counted", lambda: db.execute(scans, [index]).fetchone() == (1,))


def test_scenario_14_the_embedding_cache_sets_hits_and_misses(
    add: Record, record: Record, redis_db: Redis, metric: Callable[..., float]
) -> None:
    """The first record of a text misses and sets, the second of the same text hits, another text misses."""
    sent = record(remediation_request_id="first")
    add(**sent)
    assert (metric("datastorage_cache_hits_total"), metric("datastorage_cache_misses_total")) == (0, 1)
    text = RemediationIn.model_validate(sent).text()
    key = f"{redis_db.key_prefix}embedding:{HashingEmbedder.name}:{hashlib.sha256(text.encode()).hexdigest()}"
    with redis.Redis.from_url(redis_db.url) as own:
        value = own.get(key)
        assert isinstance(value, bytes)
        assert len(unpacked(value)) == 384
        assert 290 < own.ttl(key) <= 300
    add(**record())
    assert (metric("datastorage_cache_hits_total"), metric("datastorage_cache_misses_total")) == (1, 1)
    add(**record(name="another text"))
    assert (metric("datastorage_cache_hits_total"), metric("datastorage_cache_misses_total")) == (1, 2)
