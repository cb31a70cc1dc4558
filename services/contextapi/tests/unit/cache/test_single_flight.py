"""One load for all who want the same."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest

from contextapi.cache.single_flight import SingleFlight


class Loads:
    """A load that waits until the test lets it end, and counts."""

    def __init__(self) -> None:
        self.begun = 0
        self.cancelled = 0
        self.shared = 0
        self.end = asyncio.Event()
        self.error: Exception | None = None
        self.flights: SingleFlight[int] = SingleFlight(self._note_shared)

    def _note_shared(self) -> None:
        self.shared += 1

    async def load(self) -> int:
        self.begun += 1
        try:
            await self.end.wait()
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        if self.error:
            raise self.error
        return self.begun

    async def clients(self, count: int, key: str = "key") -> list[asyncio.Task[int]]:
        """Have so many ask, and return when all wait."""
        tasks = [asyncio.create_task(self.flights.run(key, self.load)) for _ in range(count)]
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        return tasks


@pytest.fixture
def runner() -> Iterator[asyncio.Runner]:
    """Give a loop whose unseen exceptions fail the test (as warnings that are errors)."""
    with asyncio.Runner() as runner:
        yield runner


def test_a_hundred_who_ask_at_once_make_one_load(runner: asyncio.Runner) -> None:
    """All get its result; 99 are counted as shared."""

    async def scenario() -> None:
        loads = Loads()
        clients = await loads.clients(100)
        loads.end.set()
        assert await asyncio.gather(*clients) == [1] * 100
        assert (loads.begun, loads.shared) == (1, 99)

    runner.run(scenario())


def test_other_keys_have_loads_of_their_own(runner: asyncio.Runner) -> None:
    """Nobody waits for another's question."""

    async def scenario() -> None:
        loads = Loads()
        clients = [*await loads.clients(2, "a"), *await loads.clients(2, "b")]
        assert (loads.begun, loads.shared) == (2, 2)
        loads.end.set()
        await asyncio.gather(*clients)

    runner.run(scenario())


def test_a_failure_reaches_all_and_is_not_kept(runner: asyncio.Runner) -> None:
    """Each gets the error; who asks next loads again."""

    async def scenario() -> None:
        loads = Loads()
        loads.error = ValueError("broken")
        clients = await loads.clients(10)
        loads.end.set()
        outcomes = await asyncio.gather(*clients, return_exceptions=True)
        assert [str(outcome) for outcome in outcomes] == ["broken"] * 10
        loads.error = None
        assert await loads.flights.run("key", loads.load) == 2

    runner.run(scenario())


def test_a_leader_who_leaves_does_not_fail_the_others(runner: asyncio.Runner) -> None:
    """The load goes on for those who wait, and is not begun again."""

    async def scenario() -> None:
        loads = Loads()
        leader, *followers = await loads.clients(10)
        leader.cancel()
        await asyncio.gather(leader, return_exceptions=True)
        assert leader.cancelled()
        loads.end.set()
        assert await asyncio.gather(*followers) == [1] * 9
        assert (loads.begun, loads.cancelled) == (1, 0)

    runner.run(scenario())


def test_the_last_who_leaves_cancels_the_load(runner: asyncio.Runner) -> None:
    """A query whose answer nobody wants does not run on; who comes then begins anew."""

    async def scenario() -> None:
        loads = Loads()
        clients = await loads.clients(3)
        for left, client in enumerate(clients, start=1):
            assert loads.cancelled == 0, left
            client.cancel()
            await asyncio.gather(client, return_exceptions=True)
        (late,) = await loads.clients(1)
        assert (loads.begun, loads.cancelled) == (2, 1)
        loads.end.set()
        assert await late == 2

    runner.run(scenario())


def test_who_comes_between_the_cancellation_and_its_end_is_not_failed_by_it(runner: asyncio.Runner) -> None:
    """A load that is being cancelled is nobody's any more, however long its end takes."""

    async def scenario() -> None:
        loads, may_end = Loads(), asyncio.Event()

        async def reluctant() -> int:
            try:
                return await loads.load()
            finally:
                await may_end.wait()

        first = asyncio.create_task(loads.flights.run("key", reluctant))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        first.cancel()
        await asyncio.gather(first, return_exceptions=True)
        (second,) = await loads.clients(1)
        may_end.set()
        loads.end.set()
        assert await second == 2

    runner.run(scenario())
