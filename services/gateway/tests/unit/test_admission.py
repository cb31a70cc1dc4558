"""So many at work, so many waiting."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from gateway import GatewaySettings
from gateway.admission import Admission
from gateway.live import Live
from gateway.metrics import GatewayMetrics

Make = Callable[..., Admission]


@pytest.fixture
def make(metrics: GatewayMetrics) -> Make:
    """Give a function that makes one with room for so many."""

    def with_room(at_work: int, waiting: int = 0) -> Admission:
        settings = GatewaySettings(max_in_flight=at_work, max_waiting=waiting)
        return Admission(Live(settings, lambda: settings), metrics)

    return with_room


def _run(test: Callable[[], Awaitable[None]]) -> None:
    async def bounded() -> None:
        async with asyncio.timeout(20):
            await test()

    asyncio.run(bounded())


def test_so_many_are_let_in(make: Make) -> None:
    """As many as may be at work and wait; one more when one has left."""
    admission = make(2, 3)
    assert [admission.enter() for _ in range(6)] == [True] * 5 + [False]
    admission.leave()
    assert [admission.enter() for _ in range(2)] == [True, False]


def test_so_many_work_at_one_time(make: Make) -> None:
    """The others wait, and all get their turn."""
    admission = make(3)
    at_work: list[int] = []
    most = 0

    async def work(number: int) -> None:
        nonlocal most
        async with admission.working():
            at_work.append(number)
            most = max(most, admission._working)
            await asyncio.sleep(0)

    async def test() -> None:
        await asyncio.gather(*map(work, range(20)))

    _run(test)
    assert (most, at_work) == (3, list(range(20)))
    assert "0 at work, 0 waiting" in repr(admission)


def test_who_came_first_is_first(make: Make) -> None:
    """Nobody overtakes those who wait, even when there is room again."""
    admission = make(1)
    order: list[str] = []

    async def work(name: str) -> None:
        async with admission.working():
            order.append(name)

    async def test() -> None:
        async with admission.working():
            waiting = [asyncio.create_task(work(name)) for name in "abc"]
            await asyncio.sleep(0)
        late = asyncio.create_task(work("late"))
        await asyncio.gather(*waiting, late)

    _run(test)
    assert order == ["a", "b", "c", "late"]


def test_who_gives_up_waiting_leaves_no_gap(make: Make) -> None:
    """The next one gets the turn."""
    admission = make(1)
    done: list[str] = []

    async def work(name: str) -> None:
        async with admission.working():
            done.append(name)

    async def test() -> None:
        async with admission.working():
            first, second = (asyncio.create_task(work(name)) for name in "ab")
            await asyncio.sleep(0)
            first.cancel()
        await asyncio.wait([first, second])
        assert first.cancelled()

    _run(test)
    assert done == ["b"]
    assert admission._working == 0


def test_who_gives_up_at_its_turn_leaves_no_gap(make: Make) -> None:
    """Cancelled in the very moment in which it is let in."""
    admission = make(1)
    done: list[str] = []

    async def work(name: str) -> None:
        async with admission.working():
            done.append(name)

    async def test() -> None:
        async with admission.working():
            first, second = (asyncio.create_task(work(name)) for name in "ab")
            await asyncio.sleep(0)
        first.cancel()  # its turn has come, and it has not run yet
        await asyncio.wait([first, second])

    _run(test)
    assert done == ["b"]
    assert admission._working == 0


def test_a_failure_makes_room(make: Make) -> None:
    """Whatever happens at work."""
    admission = make(1)

    async def test() -> None:
        for _ in range(3):
            with pytest.raises(KeyError):
                async with admission.working():
                    raise KeyError

    _run(test)
    assert admission._working == 0


def test_more_room_is_used_at_once(metrics: GatewayMetrics) -> None:
    """A reload that raises the limit lets those in who wait."""
    settings = GatewaySettings(max_in_flight=1)
    live = Live(settings, lambda: settings)
    admission = Admission(live, metrics)

    async def work() -> None:
        async with admission.working():
            await asyncio.sleep(0)

    async def test() -> None:
        async with admission.working():
            waiting = [asyncio.create_task(work()) for _ in range(4)]
            await asyncio.sleep(0)
            live.settings = settings.model_copy(update={"max_in_flight": 10})
        await asyncio.gather(*waiting)

    _run(test)
    assert admission._working == 0
