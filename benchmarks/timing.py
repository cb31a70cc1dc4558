"""A pytest plugin: runs `--bench-tests` tests of one kind and writes what each took.

`--bench-out` gets `{"tests": [...], "takes": [...]}`, milliseconds: a test is its setup, call and teardown as pytest
times them, a take is the setup of `--bench-fixture` alone.
"""

from __future__ import annotations

import json
import time
from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest

_TESTS: dict[str, float] = {}
_TAKES: list[float] = []


def pytest_addoption(parser: pytest.Parser) -> None:
    """Offer the three options."""
    parser.addoption("--bench-tests", type=int, default=1, help="how many tests to make of each")
    parser.addoption("--bench-fixture", default="", help="the fixture whose setup is timed")
    parser.addoption("--bench-out", type=Path, help="where the times go")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Make many tests of one that takes `number`."""
    if "number" in metafunc.fixturenames:
        metafunc.parametrize("number", range(metafunc.config.getoption("--bench-tests")))


@pytest.hookimpl(wrapper=True)
def pytest_fixture_setup(
    fixturedef: pytest.FixtureDef[Any], request: pytest.FixtureRequest
) -> Generator[None, object, object]:
    """Time one fixture's own setup; what it depends on is there before."""
    started = time.perf_counter()
    value = yield
    if fixturedef.argname == request.config.getoption("--bench-fixture"):
        _TAKES.append((time.perf_counter() - started) * 1000)
    return value


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Add up a test's three phases."""
    _TESTS[report.nodeid] = _TESTS.get(report.nodeid, 0.0) + report.duration * 1000


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Write the times, without the first test's: it starts the server and fills the template."""
    times = {"tests": list(_TESTS.values())[1:], "takes": _TAKES[1:]}
    session.config.getoption("--bench-out").write_text(json.dumps(times))
