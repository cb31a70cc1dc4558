"""When another attempt is made."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from itertools import pairwise

import pytest
from prometheus_client import CollectorRegistry

from gateway import GatewaySettings
from gateway.live import Live
from gateway.metrics import GatewayMetrics
from gateway.retries import Retries
from servicekit.cluster_errors import ClusterError

Make = Callable[..., Retries]


@pytest.fixture
def make(metrics: GatewayMetrics) -> Make:
    """Give a function that makes retries with these settings changed."""

    def with_settings(**changes: float) -> Retries:
        settings = GatewaySettings().model_copy(update={"retry_initial": 0.001, **changes})
        return Retries(Live(settings, lambda: settings), metrics)

    return with_settings


def _run(retries: Retries, *failures: ClusterError | None) -> tuple[object, int]:
    """Return what came of attempts that fail like this, and how many there were; None is success."""
    made = 0

    async def attempt() -> str:
        nonlocal made
        failure = failures[min(made, len(failures) - 1)]
        made += 1
        if failure is not None:
            raise failure
        return "done"

    try:
        return asyncio.run(retries("test", attempt)), made
    except ClusterError as exc:
        return exc, made


def test_success_is_one_attempt(make: Make) -> None:
    """Nothing is repeated that succeeds."""
    assert _run(make(), None) == ("done", 1)


def test_what_passes_is_repeated(make: Make) -> None:
    """Twice failed, then done: three attempts."""
    assert _run(make(), ClusterError("unavailable", status=503), ClusterError("timeout"), None) == ("done", 3)


def test_three_in_all(make: Make) -> None:
    """By default."""
    failure = ClusterError("reset")
    assert _run(make(), failure) == (failure, 3)


@pytest.mark.parametrize("attempts", [1, 2, 10])
def test_as_many_as_are_set(make: Make, attempts: int) -> None:
    """From 1 to 10."""
    assert _run(make(retry_attempts=attempts), ClusterError("reset"))[1] == attempts


@pytest.mark.parametrize(
    "reason", ["bad_request", "forbidden", "not_found", "conflict", "invalid", "http_error", "tls"]
)
def test_what_does_not_pass_is_not_repeated(make: Make, reason: str) -> None:
    """One attempt."""
    assert _run(make(), ClusterError(reason, status=400))[1] == 1


def test_another_exception_is_not_ours(make: Make) -> None:
    """A bug is raised as it is, at once."""

    async def attempt() -> None:
        raise KeyError("bug")

    with pytest.raises(KeyError):
        asyncio.run(make()("test", attempt))


def test_pauses_double_up_to_the_longest(make: Make) -> None:
    """100 ms, 200 ms, 400 ms ... 5 s, each a tenth more or less."""
    retries = make(retry_initial=0.1)
    for _ in range(50):
        for failed, middle in enumerate((0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 5.0, 5.0), start=1):
            assert 0.9 * middle <= retries.pause(failed, None) <= 1.1 * middle


def test_pauses_jitter(make: Make) -> None:
    """So that replicas that failed together do not come back together."""
    retries = make(retry_initial=0.1)
    pauses = [retries.pause(1, None) for _ in range(20)]
    assert any(one != other for one, other in pairwise(pauses))


def test_retry_after_is_the_least_pause(make: Make) -> None:
    """Never before it; a shorter one changes nothing."""
    retries = make(retry_initial=0.1)
    assert retries.pause(1, ClusterError("too_many_requests", status=429, retry_after=3)) == 3
    assert retries.pause(6, ClusterError("too_many_requests", status=429, retry_after=1)) > 2.8


def test_a_retry_after_beyond_the_longest_pause_ends_it(make: Make) -> None:
    """Nobody waits that long with a request in hand."""
    assert _run(make(), ClusterError("too_many_requests", status=429, retry_after=6))[1] == 1


def test_repetitions_and_giving_up_are_counted(make: Make, registry: CollectorRegistry) -> None:
    """Two repetitions, one giving up, by reason and code."""
    _run(make(), ClusterError("unavailable", status=503))
    labels = {"reason": "unavailable", "code": "503"}
    assert registry.get_sample_value("gateway_retry_attempts_total", labels) == 2
    assert registry.get_sample_value("gateway_retry_exhausted_total", labels) == 1


def test_success_counts_nothing(make: Make, registry: CollectorRegistry) -> None:
    """Nor does what is not repeated."""
    _run(make(), None)
    _run(make(), ClusterError("forbidden", status=403))
    assert not [sample for family in registry.collect() for sample in family.samples if "retry" in sample.name]
