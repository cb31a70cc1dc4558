"""Whatever is asked, written and waited: an answer is what Postgres said to this very question at the time it tells.

Two services on one Redis and a third that keeps nothing; pairs of questions, most of which differ in one parameter. The
clock of the two is the test's, so that times to live pass without waiting; it goes on by a second with each step, so
the header Age names the state of the table that the answer must be about. What the third said of every state is kept.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial
from typing import Any
from urllib.parse import urlencode

import httpx
import psycopg
import pytest
import redis as redis_py
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import SecretStr

from contextapi.cache import Answers
from servicekit.embedding import HashingEmbedder
from servicekit.testing import Served
from services.contextapi.tests.conftest import insert_rows

TTL, KEEP = 20, 30
Row = Callable[..., dict[str, Any]]
Question = tuple[str, str, dict[str, Any]]

_NAMES = ("restart-payment-api", "scale-checkout")
_VECTORS = {name: asyncio.run(HashingEmbedder().embed(name)) for name in _NAMES}
_ROWS = st.fixed_dictionaries(
    {
        "name": st.sampled_from(_NAMES),
        "namespace": st.sampled_from(["a", "b"]),
        "phase": st.sampled_from(["completed", "failed"]),
        "status": st.sampled_from(["x", "y"]),
        "severity": st.sampled_from(["critical", "info"]),
        "action_type": st.sampled_from(["restart_pod", "drain"]),
    }
)
_FILTERS: dict[str, list[Any]] = {
    "namespace": ["a", "b", "ab"],
    "phase": ["completed", "failed"],
    "status": ["x", "y", "critical"],
    "severity": ["critical", "info"],
    "limit": [1, 2, 10],
    "offset": [0, 1, 2],
}
# No limit of a search cuts: which of several rows that are equally near are left out is Postgres' choice each time.
_SEARCHES: dict[str, list[Any]] = {
    "query": list(_NAMES),
    "namespace": ["a", "b"],
    "limit": [30, 50],
    "threshold": [0.0, 0.5, 1.0],
}
_COUNTS: list[tuple[str, dict[str, Any]]] = [
    *(("namespaces", {}), ("actions", {}), ("severity", {})),
    *((kind, {"namespace": namespace}) for kind in ("severity", "namespace-health") for namespace in ("a", "b")),
    *(("success-rate", {"workflow_id": name}) for name in _NAMES),
    *(("top-failing-actions", {"limit": limit, "window": "365d"}) for limit in (1, 2)),
]


@st.composite
def pairs(draw: st.DrawFn) -> tuple[Question, Question]:
    """Two questions of one kind, the second with one parameter of the first changed; or two counts."""
    kind = draw(st.sampled_from(["incidents", "incidents", "search", "counts"]))
    if kind == "counts":
        one, other = draw(st.sampled_from(_COUNTS)), draw(st.sampled_from(_COUNTS))
        return _get(f"aggregations/{one[0]}", one[1]), _get(f"aggregations/{other[0]}", other[1])
    choices = _FILTERS if kind == "incidents" else _SEARCHES
    given_names = draw(st.sets(st.sampled_from(sorted(choices)))) | ({"query"} & choices.keys())
    asked = {name: draw(st.sampled_from(choices[name])) for name in sorted(given_names)}
    changed = draw(st.sampled_from(sorted(choices)))
    value = draw(st.sampled_from([each for each in choices[changed] if each != asked.get(changed)]))
    other_asked = {**asked, changed: value}
    if kind == "incidents":
        return _get("incidents", asked), _get("incidents", other_asked)
    return ("POST", "/api/v1/incidents/search", asked), ("POST", "/api/v1/incidents/search", other_asked)


def _get(path: str, parameters: dict[str, Any]) -> Question:
    return "GET", f"/api/v1/{path}?{urlencode(parameters)}", {}


_ASK = st.tuples(st.just("ask"), st.sampled_from([0, 1]))
_FIRST_ROWS = [
    {
        "name": name,
        "namespace": namespace,
        "phase": phase,
        "status": status,
        "severity": severity,
        "action_type": action,
    }
    for name, namespace, phase, status, severity, action in (
        (_NAMES[0], "a", "completed", "x", "critical", "restart_pod"),
        (_NAMES[0], "a", "failed", "y", "critical", "drain"),
        (_NAMES[1], "a", "failed", "x", "info", "drain"),
        (_NAMES[1], "b", "completed", "y", "info", "restart_pod"),
    )
]
_STEPS = st.lists(
    st.one_of(
        *[_ASK] * 4,
        st.tuples(st.just("add"), _ROWS),
        st.tuples(st.just("change"), _ROWS),
        st.tuples(st.just("remove")),
        st.tuples(st.just("wait"), st.sampled_from([1, TTL - 2, TTL, TTL + KEEP])),
        st.tuples(st.just("flush Redis")),
    ),
    min_size=10,
    max_size=20,
)


class Clock:
    """The clock of the services."""

    def __init__(self) -> None:
        self.now = 1_800_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    """Give a clock that stands still."""
    return Clock()


class World:
    """The services, the table, and what was the right answer when."""

    def __init__(
        self,
        clients: list[httpx.Client],
        uncached: httpx.Client,
        db: psycopg.Connection[Any],
        redis: redis_py.Redis,
        clock: Clock,
        row: Row,
    ) -> None:
        self._clients = clients
        self._uncached = uncached
        self._db = db
        self._redis = redis
        self._clock = clock
        self._row = row
        self.hits = 0

    def begin(self, questions: tuple[Question, Question]) -> None:
        """Fill the table anew, let all that is kept grow too old, and begin to keep the truth about these questions."""
        self._db.execute("DELETE FROM remediation_audit")
        self._insert(_FIRST_ROWS)
        self._redis.flushdb()
        self._clock.now += TTL + KEEP + 1
        self._questions = questions
        self._truth: list[tuple[float, list[bytes]]] = []
        self._seen: dict[tuple[int, int], float] = {}
        self._reads: tuple[set[float], set[float]] = (set(), set())
        self._note()

    def step(self, what: str, *arguments: Any) -> None:
        """Do one thing, and go on by a second."""
        if what == "ask":
            for question in (0, 1):
                self._ask(arguments[0], question)
        elif what == "wait":
            self._clock.now += arguments[0]
        elif what == "flush Redis":
            self._redis.flushdb()
        else:
            self._write(what, *arguments)
            self._note()
        self._clock.now += 1

    def _write(self, what: str, row: dict[str, Any] | None = None) -> None:
        newest = "(SELECT max(id) FROM remediation_audit)"
        if what == "add" and row is not None:
            self._insert([row])
        elif what == "change" and row is not None:
            columns = ", ".join(f"{name} = %({name})s" for name in row)
            self._db.execute(f"UPDATE remediation_audit SET {columns} WHERE id = {newest}", row)
        else:
            self._db.execute(f"DELETE FROM remediation_audit WHERE id = {newest}")

    def _insert(self, rows: list[dict[str, Any]]) -> None:
        insert_rows(self._db, [self._row(**row, embedding=_VECTORS[row["name"]]) for row in rows])

    def _note(self) -> None:
        """Keep what is right from now on."""
        self._truth.append((self._clock.now, [_body(self._uncached, each) for each in self._questions]))

    def _ask(self, service: int, question: int) -> None:
        method, path, body = self._questions[question]
        answer = self._clients[service].request(method, path, json=body or None).raise_for_status()
        age = int(answer.headers["Age"])
        read_at = self._clock.now - age
        assert 0 <= age < TTL
        assert answer.content == next(bodies[question] for since, bodies in reversed(self._truth) if since <= read_at)
        before = self._seen.get((service, question))
        if before is not None:
            assert read_at >= before, "what this service has told is taken back"
            if self._clock.now - before < TTL:
                assert age > 0, "it had a copy, and read again"
        if age:
            self.hits += 1
            assert any(read_at in reads for reads in self._reads)  # of either: both may be the same, told otherwise
        self._seen[service, question] = read_at
        self._reads[question].add(read_at)


def _body(client: httpx.Client, question: Question) -> bytes:
    method, path, body = question
    return client.request(method, path, json=body or None).raise_for_status().content


@pytest.fixture
def world(
    serve: Callable[..., Served],
    connect: Callable[[Served], httpx.Client],
    closed_port: int,
    db: psycopg.Connection[Any],
    redis_client: redis_py.Redis,
    row: Row,
    clock: Clock,
    monkeypatch: pytest.MonkeyPatch,
) -> World:
    """Give two services on this test's clock, and what the truth is told by."""
    nowhere = SecretStr(f"redis://127.0.0.1:{closed_port}/0")
    uncached = connect(serve(cache_ttl=1e-9, redis_url=nowhere))  # on the real clock, which never stands still
    monkeypatch.setattr("contextapi.app.Answers", partial(Answers, clock=clock))
    clients = [connect(serve(cache_ttl=TTL, cache_keep=KEEP)) for _ in range(2)]
    return World(clients, uncached, db, redis_client, clock, row)


@pytest.mark.filterwarnings("ignore:Do not use the `random` module")  # the services' pools do, in threads of their own
def test_no_question_is_answered_with_anothers_answer_or_an_outdated_one(world: World) -> None:
    """Byte for byte, over all kinds of question, pairs and histories that hypothesis finds."""
    asked = 0

    @settings(max_examples=50)
    @given(pairs(), _STEPS)
    def check(questions: tuple[Question, Question], steps: list[tuple[Any, ...]]) -> None:
        nonlocal asked
        world.begin(questions)
        for step in steps:
            world.step(*step)
            asked += 2 * (step[0] == "ask")

    check()
    assert world.hits > 0
    print(f"\n{asked} answers compared, {world.hits} of them kept ones")  # noqa: T201 - how much was tested
