"""More than can be handled: what is let in is answered, what is not is told at once."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Any

import aiohttp

from servicekit.testing import Served
from testinfra.endpoints import Cluster

PROMETHEUS = "/api/v1/signals/prometheus"
Json = dict[str, Any]
Make = Callable[..., Json]


async def _burst(url: str, bodies: list[Json]) -> list[tuple[int, float, str]]:
    """Send all at once; return each answer's code, seconds and Retry-After."""
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:

        async def send(body: Json) -> tuple[int, float, str]:
            began = time.perf_counter()
            async with session.post(url + PROMETHEUS, json=body) as answer:
                await answer.read()
                return answer.status, time.perf_counter() - began, answer.headers.get("Retry-After", "")

        return await asyncio.gather(*map(send, bodies))


def test_beyond_the_room_it_is_503_at_once(
    intercept: Any, namespace: Cluster, serve: Callable[..., Served], alert: Make, found: Callable[..., list[Json]]
) -> None:
    """With room for 5 and 10 waiting, 60 at once are 15 accepted and made, and 45 refused long before these end."""
    between = intercept(namespace)
    served = serve(kubeconfig=between.endpoint.kubeconfig, max_in_flight=5, max_waiting=10)
    bodies = [alert(f"p-{number}") for number in range(60)]
    with between.delay(1.0, times=None, verb="create", resource="remediationrequests"):
        answers = asyncio.run(_burst(served.url, bodies))
    accepted = [each for each in answers if each[0] == 201]
    refused = [each for each in answers if each[0] == 503]
    assert (len(accepted), len(refused)) == (15, 45)
    assert {each[2] for each in refused} == {"1"}
    assert max(each[1] for each in refused) < min(each[1] for each in accepted)
    assert len(found()) == 15


def test_a_burst_loses_nothing_that_was_accepted(
    serve: Callable[..., Served], alert: Make, found: Callable[..., list[Json]], eventually: Callable[..., None]
) -> None:
    """Five hundred at once over fifty problems: each is 201, 202 or 503, and the counts are those of the accepted."""
    served = serve(max_in_flight=20, max_waiting=50)
    bodies = [alert(f"p-{number % 50}") for number in range(500)]
    codes = [each[0] for each in asyncio.run(_burst(served.url, bodies))]
    accepted = codes.count(201) + codes.count(202)
    assert accepted + codes.count(503) == 500
    assert codes.count(201) == len(found())

    def counted() -> bool:
        return sum(int(item["status"]["deduplication"]["occurrenceCount"]) for item in found()) == accepted

    eventually("all accepted ones are counted", counted)


def test_room_that_was_made_is_used(serve: Callable[..., Served], alert: Make) -> None:
    """After a burst that was refused in part the next signals are taken."""
    served = serve(max_in_flight=2, max_waiting=2)
    asyncio.run(_burst(served.url, [alert(f"p-{number}") for number in range(40)]))
    codes = [asyncio.run(_burst(served.url, [alert(f"q-{number}")]))[0][0] for number in range(5)]
    assert codes == [201] * 5
