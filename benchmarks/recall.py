"""How many of the true ten nearest the HNSW search finds among 10,000 rows; brute force, the peer, finds all."""

from __future__ import annotations

import random
import time
from typing import Any

import psycopg

from benchmarks.result import Result
from benchmarks.writes import servers
from datastorage.remediations import READ
from servicekit.database import conninfo
from servicekit.embedding import DIMENSIONS, Vector, literal
from servicekit.searching import nearest

_ROWS = 10_000
_QUERIES = 100
_NEAREST = 10
_CLUSTERS = 200
_FILL = """
INSERT INTO remediation_audit (name, namespace, phase, action_type, status, start_time, remediation_request_id,
    signal_fingerprint, severity, environment, cluster_name, target_resource, embedding)
VALUES ('n', 'ns', 'completed', 'a', 's', now(), %s, 'f', 'high', 'prod', 'c', 't', %s)
"""


def _vectors(generator: random.Random, number: int, centres: list[list[float]]) -> list[Vector]:
    """Vectors around centres, as those of texts are: alike within a subject, unlike between subjects."""
    return [tuple(value + generator.gauss(0, 0.3) for value in generator.choice(centres)) for _ in range(number)]


def _ids(connection: psycopg.Connection[Any], vector: Vector) -> tuple[set[int], float]:
    query, parameters = nearest("remediation_audit", READ, vector, limit=_NEAREST)
    started = time.perf_counter()
    rows = connection.execute(query, parameters).fetchall()
    return {row[0] for row in rows}, (time.perf_counter() - started) * 1000


def recall() -> list[Result]:
    """Fill a table, ask both ways with the service's own statement, and compare."""
    generator = random.Random(20261121)  # noqa: S311 - vectors, no secrets
    centres = [[generator.gauss(0, 1) for _ in range(DIMENSIONS)] for _ in range(_CLUSTERS)]
    found, fast, slow = [], [], []
    with (
        servers() as (_, postgres, _redis),
        psycopg.connect(conninfo(postgres.dsn, name="recall", timeout=60)) as connection,
    ):
        with connection.cursor() as cursor:
            rows = enumerate(_vectors(generator, _ROWS, centres))
            cursor.executemany(_FILL, [(f"r-{number}", literal(vector)) for number, vector in rows])
        connection.execute("ANALYZE remediation_audit")
        for vector in _vectors(generator, _QUERIES, centres):
            connection.execute("SET LOCAL enable_seqscan = off")
            ours, quick = _ids(connection, vector)
            connection.execute("SET LOCAL enable_seqscan = on; SET LOCAL enable_indexscan = off")
            truth, long = _ids(connection, vector)
            connection.execute("SET LOCAL enable_indexscan = on")
            found.append(len(ours & truth) / _NEAREST)
            fast.append(quick)
            slow.append(long)
    return [
        Result(
            name="hnsw_recall_at_10", unit="", peer="brute force", more_is_better=True, mean=True,
            ours=found, theirs=[1.0] * _QUERIES,
        ),
        Result(name="hnsw_search", unit="ms", peer="brute force", ours=fast, theirs=slow),
    ]  # fmt: skip
