"""Things made ahead of need."""

from __future__ import annotations

import itertools
import queue
import threading
from collections.abc import Iterator

import pytest

from testinfra.postgres.supply import Supply


def test_things_come_in_order_and_no_more_than_the_depth_are_made_ahead() -> None:
    """The rest is made as they are taken."""
    made = itertools.count()
    third = threading.Event()

    def make() -> int:
        number = next(made)
        if number == 2:
            third.set()
        return number

    supply = Supply(make, depth=3, name="numbers")
    assert third.wait(5)
    assert [supply.take(), supply.take()] == [0, 1]
    left = supply.close()
    assert left == list(range(2, 2 + len(left)))
    assert len(left) <= 3


def test_what_making_raises_is_raised_by_taking_and_making_goes_on() -> None:
    """A passing fault is not the end."""
    results: Iterator[int | ValueError] = iter([1, ValueError("no"), 3])

    def make() -> int:
        result = next(results, 99)
        if isinstance(result, ValueError):
            raise result
        return result

    supply = Supply(make, depth=1, name="numbers")
    assert supply.take() == 1
    with pytest.raises(ValueError, match="no"):
        supply.take()
    assert supply.take() == 3
    supply.close()


def test_taking_gives_up_after_its_timeout() -> None:
    """A maker that hangs does not hang the test."""
    gate = threading.Event()
    supply = Supply(gate.wait, depth=1, name="gate")
    with pytest.raises(queue.Empty):
        supply.take(timeout=0.05)
    gate.set()
    assert supply.close() in ([True], [])
