"""A question out of a query string: what it says, what is wrong with it, and that it is kept."""

from __future__ import annotations

import asyncio
import ssl
from typing import Annotated
from urllib.parse import urlencode

import httpx
import pytest
from fastapi import APIRouter, FastAPI, Query, Response
from fastapi.exceptions import RequestValidationError
from pydantic import JsonValue

from contextapi.models import IncidentFilter
from contextapi.query_routes import QueryRoute, read

NO_TLS = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # loading the system's certificates takes longer than a test


def wrong(query: str) -> dict[tuple[str, ...], str]:
    with pytest.raises(RequestValidationError) as caught:
        read(IncidentFilter, query.encode())
    return {error["loc"]: error["type"] for error in caught.value.errors()}


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("", {}),
        ("limit=5&offset=7", {"limit": 5, "offset": 7}),
        ("limit=5&limit=6", {"limit": 6}),
        ("namespace=a%20b+c%26d", {"namespace": "a b c&d"}),
        ("namespace=%E6%97%A5", {"namespace": "日"}),
        ("namespace=<b>pay</b>ments", {"namespace": "payments"}),
        ("phase=failed&severity=info&status=x", {"phase": "failed", "severity": "info", "status": "x"}),
    ],
)
def test_a_question_is_what_the_query_string_says(query: str, said: dict[str, object]) -> None:
    """Decoded, with its defaults, the last of a repeated parameter counting."""
    assert read(IncidentFilter, query.encode()) == IncidentFilter.model_validate(said)


def test_every_wrong_parameter_is_told_as_fastapi_tells_it() -> None:
    """Where it was, what it was, and why; blank and unknown ones are wrong."""
    assert wrong("limit=x&offset=-1&phase=&other=1") == {
        ("query", "limit"): "int_parsing",
        ("query", "offset"): "greater_than_equal",
        ("query", "phase"): "literal_error",
        ("query", "other"): "extra_forbidden",
    }


def test_a_question_that_was_right_is_kept_and_a_long_one_is_not() -> None:
    """The same object answers the same query string; what is wrong is judged each time."""
    asked: list[IncidentFilter] = []
    router = APIRouter(route_class=QueryRoute)

    async def handler(question: Annotated[IncidentFilter, Query()]) -> Response:
        asked.append(question)
        return Response()

    router.get("/x", response_model=None)(handler)
    app = FastAPI()
    app.include_router(router)
    short, long = urlencode({"namespace": "a"}), urlencode({"namespace": "é" * 200})

    async def ask() -> list[int]:
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://test", verify=NO_TLS) as client:
            queries = (short, short, "namespace=b", short, long, long, "limit=0", "limit=0")
            return [(await client.get(f"/x?{query}")).status_code for query in queries]

    assert asyncio.run(ask()) == [200] * 6 + [422] * 2
    assert asked[0] is asked[1] is asked[3]
    assert asked[2].namespace == "b"
    assert asked[4] == asked[5]
    assert asked[4] is not asked[5]


def test_a_key_is_made_of_everything_and_once() -> None:
    """Defaults included; and not again for the same question."""
    made: list[dict[str, JsonValue]] = []

    def make(parameters: dict[str, JsonValue]) -> str:
        made.append(parameters)
        return "key"

    question = read(IncidentFilter, b"namespace=a")
    assert isinstance(question, IncidentFilter)
    assert [question.key(make), question.key(make)] == ["key", "key"]
    assert made == [
        {"namespace": "a", "phase": None, "status": None, "severity": None, "limit": 10, "offset": 0},
    ]
