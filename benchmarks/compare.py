"""The comparisons: each runs ours and the peer's in turns, so that a machine that slows down slows both.

Rule: every side runs once before anything counts; caches, bytecode and disk are then as they are in daily use.
"""

from __future__ import annotations

import functools
import json
import re
import time
from collections.abc import Callable, Mapping, Sequence

from benchmarks import peer, tables
from benchmarks.result import Result
from benchmarks.sandbox import BenchError, Sandbox

_TESTS = 100
"""Tests in one run of a suite, and samples that it gives; one more comes first and is not counted."""
_PYTEST = ("-m", "pytest", "-q", "-p", "no:cacheprovider")  # the user may not write into the checkout
_CELL = ("services/datastorage/tests/integration/scenarios", "-n", "2")
_FRESH = {
    "fresh_schema": ("schema", tables.ONE),
    "fresh_database": ("database", tables.ONE),
    "fresh_schema_whole": ("schema", tables.ALL),
    "fresh_database_whole": ("database", tables.ALL),
}

Samples = Mapping[str, Sequence[float]]
"""What one run of a side gives: samples by what they are of."""


def _in_turns(box: Sandbox, runs: int, sides: Mapping[str, Callable[[], Samples]]) -> dict[str, dict[str, list[float]]]:
    """Run every side once for nothing, then all of them `runs` times in turns; gives the samples of each side."""
    found: dict[str, dict[str, list[float]]] = {name: {} for name in sides}
    for counted in [False, *[True] * runs]:
        for name, side in sides.items():
            samples = side()
            box.settle()
            for what, values in samples.items() if counted else ():
                found[name].setdefault(what, []).extend(values)
    return found


def _first_query(box: Sandbox, runs: int, *, cold: bool) -> list[Result]:
    def side(name: str) -> Samples:
        cache = {"TESTINFRA_CACHE_DIR": str(box.fresh("cold"))} if cold else {}
        return {"seconds": [float(box.python("-m", "benchmarks.first_query", name, **cache))]}

    found = _in_turns(box, runs, {"ours": lambda: side("ours"), "peer": lambda: side("peer")})
    name = "postgres_first_query_cold" if cold else "postgres_first_query"
    ours, theirs = found["ours"]["seconds"], found["peer"]["seconds"]
    return [Result(name=name, unit="s", peer=peer.NAME, ours=ours, theirs=theirs)]


def _suite(box: Sandbox, test: str, fixture: str, has: str, *more: str) -> Samples:
    """Run one test of the suite many times over; gives `tests` and `takes` in milliseconds."""
    out = box.fresh("out") / "times.json"
    asked = [f"--bench-tests={_TESTS + 1}", f"--bench-fixture={fixture}", f"--bench-out={out}"]
    box.python(
        *_PYTEST,
        "-p",
        "benchmarks.timing",
        *asked,
        *more,
        f"benchmarks/suite.py::test_{test}",
        **{tables.VARIABLE: has},
    )
    times: dict[str, list[float]] = json.loads(out.read_text())
    if any(len(samples) != _TESTS for samples in times.values()):
        raise BenchError(f"{test}: {_TESTS} samples were expected, and there are {times}")
    return times


def _fresh(box: Sandbox, runs: int, names: Sequence[str]) -> list[Result]:
    """Measure the fresh spaces that are asked for, each test and the taking alone, against one and the same peer."""

    def ours(name: str) -> Samples:
        kind, has = _FRESH[name]
        return _suite(box, kind, f"postgres_{kind}", has)

    sides = {name: functools.partial(ours, name) for name in names}
    peers = {has: functools.partial(_suite, box, "peer", "postgresql", has, *peer.options()) for has in _sets(names)}
    found = _in_turns(box, runs, {**sides, **peers})
    return [
        Result(
            name=name + suffix,
            unit="ms",
            peer=peer.NAME,
            ours=found[name][what],
            theirs=found[_FRESH[name][1]][what],
        )
        for name in names
        for suffix, what in (("", "tests"), ("_take", "takes"))
    ]


def _sets(names: Sequence[str]) -> list[str]:
    return sorted({_FRESH[name][1] for name in names})


def _cell(box: Sandbox, runs: int) -> list[Result]:
    """Measure the wall time of the whole cell, its Postgres from the stand and from the peer."""
    outcomes: set[str] = set()

    def side(*more: str) -> Samples:
        started = time.perf_counter()
        said = box.python(*_PYTEST, *_CELL, *more)
        seconds = time.perf_counter() - started
        outcomes.update(re.findall(r"\b\d+ (?:passed|skipped|xfailed)", said))
        if len(outcomes) != 1:
            raise BenchError(f"the two sides of datastorage_cell did not run the same tests: {sorted(outcomes)}")
        return {"seconds": [seconds]}

    theirs = ("-p", "benchmarks.peer_cell", *peer.options())
    found = _in_turns(box, runs, {"ours": side, "peer": functools.partial(side, *theirs)})
    ours, others = found["ours"]["seconds"], found["peer"]["seconds"]
    return [Result(name="datastorage_cell", unit="s", peer=peer.NAME, ours=ours, theirs=others)]


NAMES = ("postgres_first_query", "postgres_first_query_cold", *_FRESH, "datastorage_cell")
"""What is measured against pytest-postgresql, in a sandbox."""


def measure(box: Sandbox, names: Sequence[str], runs: int) -> list[Result]:
    """Measure what is named, `runs` runs a side."""
    results: list[Result] = []
    for name, cold in (("postgres_first_query", False), ("postgres_first_query_cold", True)):
        if name in names:
            results += _first_query(box, runs, cold=cold)
    if fresh := [name for name in _FRESH if name in names]:
        results += _fresh(box, runs, fresh)
    if "datastorage_cell" in names:
        results += _cell(box, runs)
    return results
