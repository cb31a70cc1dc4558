"""The breaker: when it opens, whom it lets through, when it closes."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contextapi.cache.breaker import Breaker, OpenError, State


class AwayError(Exception):
    """The failure that counts."""


class Clock:
    """A clock that a test sets."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    """Give a clock that stands still."""
    return Clock()


@pytest.fixture
def breaker(clock: Clock) -> Breaker:
    """Give a breaker that opens at the third failure, for ten seconds."""
    return Breaker("server", failures=3, open_seconds=10, counted=(AwayError,), clock=clock)


def state(breaker: Breaker) -> State:
    """Give the state that it shows now; mypy would hold a property for unchanged."""
    return breaker.state


async def works() -> str:
    return "done"


async def fails() -> str:
    raise AwayError


async def is_wrong() -> str:
    raise ValueError


async def open_it(breaker: Breaker) -> None:
    """Make it fail three times."""
    for _ in range(3):
        with pytest.raises(AwayError):
            await breaker.call(fails)
    assert state(breaker) is State.OPEN


def test_it_opens_at_the_third_failure_in_a_row(breaker: Breaker) -> None:
    """A success between starts the count again; open, the work is not even begun."""
    begun = []

    async def noted() -> str:
        begun.append(1)
        return "done"

    async def scenario() -> None:
        for work in (fails, fails, works, fails, fails):
            await asyncio.gather(breaker.call(work), return_exceptions=True)
        assert state(breaker) is State.CLOSED
        assert not breaker.healthy
        await asyncio.gather(breaker.call(fails), return_exceptions=True)
        assert state(breaker) is State.OPEN
        with pytest.raises(OpenError, match="server failed 3 times"):
            await breaker.call(noted)

    asyncio.run(scenario())
    assert begun == []


def test_half_open_lets_one_through_and_refuses_all_others(breaker: Breaker, clock: Clock) -> None:
    """Of ten that come at once, one is the probe; its success closes the breaker for all."""

    async def scenario() -> list[str | BaseException]:
        await open_it(breaker)
        clock.now += 10
        assert state(breaker) is State.HALF_OPEN
        outcomes = await asyncio.gather(*(breaker.call(after_a_moment) for _ in range(10)), return_exceptions=True)
        assert state(breaker) is State.CLOSED
        assert breaker.healthy
        return outcomes

    async def after_a_moment() -> str:
        await asyncio.sleep(0)
        return "done"

    outcomes = asyncio.run(scenario())
    assert outcomes[0] == "done"
    assert all(isinstance(outcome, OpenError) for outcome in outcomes[1:])


def test_a_probe_that_fails_opens_it_for_the_whole_time_again(breaker: Breaker, clock: Clock) -> None:
    """One failure is enough there."""

    async def scenario() -> None:
        await open_it(breaker)
        clock.now += 10
        with pytest.raises(AwayError):
            await breaker.call(fails)
        assert state(breaker) is State.OPEN
        clock.now += 9.9
        with pytest.raises(OpenError):
            await breaker.call(works)
        clock.now += 0.1
        assert await breaker.call(works) == "done"

    asyncio.run(scenario())


@pytest.mark.parametrize("how", ["cancelled", "another error"])
def test_a_probe_without_a_verdict_gives_the_turn_to_the_next(breaker: Breaker, clock: Clock, how: str) -> None:
    """Its client left, or it failed for a reason of its own: the next who comes is the probe."""

    async def scenario() -> None:
        await open_it(breaker)
        clock.now += 10
        probe = asyncio.create_task(breaker.call(asyncio.Event().wait if how == "cancelled" else is_wrong))
        await asyncio.sleep(0)
        if how == "cancelled":
            with pytest.raises(OpenError):
                await breaker.call(works)
            probe.cancel()
        await asyncio.gather(probe, return_exceptions=True)
        assert state(breaker) is State.HALF_OPEN
        assert await breaker.call(works) == "done"
        assert state(breaker) is State.CLOSED

    asyncio.run(scenario())


def test_errors_that_say_nothing_of_the_server_do_not_open_it(breaker: Breaker) -> None:
    """However many."""

    async def scenario() -> None:
        for _ in range(10):
            with pytest.raises(ValueError, match=r"^$"):
                await breaker.call(is_wrong)
        assert breaker.healthy

    asyncio.run(scenario())


def test_calls_that_hung_while_it_was_away_do_not_open_it_again(breaker: Breaker, clock: Clock) -> None:
    """Ten hang, three of them end and open it, a probe closes it, then the rest ends in failure: it stays closed."""

    async def scenario() -> None:
        end, end_rest = asyncio.Event(), asyncio.Event()

        def hanging(until: asyncio.Event) -> Callable[[], Awaitable[str]]:
            async def work() -> str:
                await until.wait()
                raise AwayError

            return work

        first = [asyncio.create_task(breaker.call(hanging(end))) for _ in range(3)]
        rest = [asyncio.create_task(breaker.call(hanging(end_rest))) for _ in range(7)]
        await asyncio.sleep(0)
        end.set()
        await asyncio.gather(*first, return_exceptions=True)
        assert state(breaker) is State.OPEN
        clock.now += 10
        await breaker.call(works)
        end_rest.set()
        outcomes = await asyncio.gather(*rest, return_exceptions=True)
        assert all(isinstance(outcome, AwayError) for outcome in outcomes)
        assert state(breaker) is State.CLOSED
        assert breaker.healthy

    asyncio.run(scenario())


@given(st.lists(st.sampled_from(["begin", "end well", "end badly", "leave", "wait"]), max_size=60), st.data())
def test_whatever_happens_one_probe_at_most_is_under_way(steps: list[str], data: st.DataObject) -> None:
    """And it never stays shut: after its time a call goes through."""
    clock = Clock()
    breaker = Breaker("server", failures=3, open_seconds=10, counted=(AwayError,), clock=clock)

    async def scenario() -> None:
        under_way: list[Call] = []
        for step in steps:
            if step == "wait":
                clock.now += 10
            elif step == "begin":
                call = Call(breaker)
                await asyncio.sleep(0)
                if call.task.done():
                    assert isinstance(call.task.exception(), OpenError)
                    assert call.begun_in is not State.CLOSED
                else:
                    under_way.append(call)
            elif under_way:
                await under_way.pop(data.draw(st.integers(0, len(under_way) - 1))).end(step)
            assert sum(call.begun_in is not State.CLOSED for call in under_way) <= 1
        for call in under_way:
            await call.end("leave")
        clock.now += 10
        assert await breaker.call(works) == "done"

    asyncio.run(scenario())


class Call:
    """A call that goes on until the test ends it."""

    def __init__(self, breaker: Breaker) -> None:
        self.begun_in = breaker.state
        self._outcome: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.task = asyncio.create_task(breaker.call(self._wait))

    async def _wait(self) -> None:
        await self._outcome

    async def end(self, how: str) -> None:
        if how == "end well":
            self._outcome.set_result(None)
        elif how == "end badly":
            self._outcome.set_exception(AwayError())
        else:
            self.task.cancel()
        await asyncio.gather(self.task, return_exceptions=True)
