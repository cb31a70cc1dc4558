"""Rounds under random questions: never two at a time, and each answer is of a round that began after the question."""

from __future__ import annotations

import asyncio
import random

from prometheus_client import CollectorRegistry

from toolset.clock import SystemClock
from toolset.configmaps import Published
from toolset.metrics import ToolsetMetrics
from toolset.rounds import Rounds
from toolset.tools import Found

CALLERS, TURNS = 8, 40


async def _ask_at_random(chance: random.Random) -> tuple[int, int]:
    """Return how many rounds there were, and the most at one time."""
    began = active = most = 0

    async def discover() -> Found:
        nonlocal began, active, most
        began += 1
        active += 1
        most = max(most, active)
        number = began
        for _ in range(chance.randrange(4)):
            await asyncio.sleep(0)
        active -= 1
        return Found(tools=(), health={}, errors=(str(number),))

    async def publish(found: Found) -> Published:
        return Published(found.errors[0], "unchanged")

    rounds = Rounds(discover, publish, ToolsetMetrics(CollectorRegistry()), SystemClock(), interval=3600)

    async def caller() -> None:
        for _ in range(TURNS):
            for _ in range(chance.randrange(5)):
                await asyncio.sleep(0)
            before = began
            _, published = await asyncio.shield(rounds.ask())
            assert int(published.resource_version) > before

    async with rounds.running(finish_within=5):
        await asyncio.gather(*(caller() for _ in range(CALLERS)))
    return began, most


def test_questions_at_any_moment_share_rounds() -> None:
    """Twenty times eight callers: one round at a time, and fewer of them than questions."""
    chance = random.Random(8)  # noqa: S311 - the same in every run, and nothing secret
    for _ in range(20):
        began, most = asyncio.run(_ask_at_random(chance))
        assert most == 1
        assert TURNS <= began < CALLERS * TURNS
