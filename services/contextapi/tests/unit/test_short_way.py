"""Which requests are answered before FastAPI, and which are not."""

from __future__ import annotations

import asyncio
import ssl
from typing import Annotated

import httpx
import pytest
from fastapi import APIRouter, FastAPI, Query, Response
from prometheus_client import CollectorRegistry

from contextapi.cache import Answers, CacheOptions
from contextapi.calls import Calls
from contextapi.metrics import ContextMetrics
from contextapi.models import Cached, IncidentFilter
from contextapi.query_routes import QueryRoute
from contextapi.short_way import ShortWay


async def _alive() -> None:
    """Be a Postgres that answers."""


class Asked:
    """What the route was asked; it answers out of a cache whose Redis refuses connections."""

    def __init__(self, port: int, no_tls: ssl.SSLContext, *, memory_first: float = 60.0) -> None:
        self._no_tls = no_tls
        options = CacheOptions(redis_url=f"redis://127.0.0.1:{port}", memory_first=memory_first)
        registry = CollectorRegistry()
        self._answers = Answers(options, registry, source="here", probe=_alive)
        self._calls = Calls(self._answers, ContextMetrics(registry))
        self.questions: list[IncidentFilter] = []
        self._app = FastAPI()
        router = APIRouter(route_class=QueryRoute)
        router.get("/x", response_model=None)(self._handle)
        self._app.include_router(router)

    async def _handle(self, question: Annotated[IncidentFilter, Query()]) -> Response:
        self.questions.append(question)

        async def load() -> Cached:
            return Cached()

        return await self._calls.answer("x", question, load)

    def ask(self, *requests: tuple[str, str, bytes]) -> list[httpx.Response]:
        """Send one after the other: method, query string, body."""

        async def go() -> list[httpx.Response]:
            transport = httpx.ASGITransport(ShortWay(self._app, calls=self._calls))
            async with (
                self._answers.running(),
                httpx.AsyncClient(transport=transport, base_url="http://test", verify=self._no_tls) as client,
            ):
                return [await client.request(method, f"/x?{query}", content=body) for method, query, body in requests]

        return asyncio.run(go())


def test_what_is_in_memory_is_answered_before_the_route(closed_port: int, no_tls: ssl.SSLContext) -> None:
    """As the route answers it; another query string is another question."""
    asked = Asked(closed_port, no_tls)
    a, b = ("GET", "namespace=a", b""), ("GET", "namespace=b", b"")
    first, second, _, third = asked.ask(a, a, b, a)
    assert [question.namespace for question in asked.questions] == ["a", "b"]
    assert sorted(first.headers.multi_items()) == sorted(second.headers.multi_items())
    assert first.content == second.content == third.content


def test_a_known_question_is_not_read_again_where_memory_may_not_answer(
    closed_port: int, no_tls: ssl.SSLContext
) -> None:
    """The route gets the very same object."""
    asked = Asked(closed_port, no_tls, memory_first=0)
    asked.ask(("GET", "namespace=a", b""), ("GET", "namespace=a", b""))
    assert asked.questions[0] is asked.questions[1]


@pytest.mark.parametrize(
    ("method", "query", "body", "status"),
    [
        ("GET", "limit=0", b"", 422),
        ("HEAD", "namespace=a", b"", 405),
        ("GET", "namespace=a", b"{}", 200),
        ("GET", "namespace=" + "%C3%A9" * 200, b"", 200),
    ],
    ids=["wrong", "another method", "with a body", "long"],
)
def test_the_rest_goes_the_long_way(
    closed_port: int, no_tls: ssl.SSLContext, method: str, query: str, body: bytes, status: int
) -> None:
    """Each time, also where the question is known."""
    asked = Asked(closed_port, no_tls)
    _, *answers = asked.ask(("GET", query, b""), (method, query, body), (method, query, body))
    assert [answer.status_code for answer in answers] == [status] * 2
    assert len(asked.questions) == {200: 3, 405: 1, 422: 0}[status]
