"""What is said in a status, and how much at most."""

from __future__ import annotations

import json
from datetime import UTC, datetime

from toolset.controller import resources, status
from toolset.tools import Found, Health, Tool

NOW = datetime(2026, 11, 21, 10, tzinfo=UTC)
CONFIG = resources.read(
    {"metadata": {"name": "tools", "namespace": "home", "generation": 3}, "status": {"discoveryCount": 7}}
)


def _found(number: int, *, long: int = 10, errors: int = 0) -> Found:
    tools = tuple(
        Tool(
            name=f"{index:063}",
            namespace="n" * 63,
            type="custom",
            endpoint="http://" + "e" * long,
            description="",
            metadata={},
            health_path="/",
        )
        for index in range(number)
    )
    health = Health(healthy=False, reason="HealthCheckFailed", message="m" * long, checked_at=NOW)
    return Found(tools=tools, health={tool.key: health for tool in tools}, errors=("e" * long,) * errors)


def test_counts_are_of_all_and_entries_of_the_first_thousand() -> None:
    """Sorted, so it is always the same thousand."""
    said = status.completed(CONFIG, _found(1500), NOW)
    assert (said["servicesDiscovered"], said["servicesUnhealthy"], len(said["discoveredServices"])) == (
        1500,
        1500,
        1000,
    )
    assert said["discoveredServices"][-1]["name"] == f"{999:063}"


def test_it_fits_into_etcd_whatever_services_say() -> None:
    """A thousand of the longest, with more errors than are kept, are less than 1.5 MB."""
    said = status.completed(CONFIG, _found(1500, long=300_000, errors=50), NOW)
    assert len(json.dumps(said)) < 1_500_000
    assert len(said["errors"]) == 10


def test_times_and_the_count() -> None:
    """The count goes on from what was read; the next time is an interval later."""
    said = status.completed(CONFIG, _found(0), NOW)
    assert (said["discoveryCount"], said["observedGeneration"]) == (8, 3)
    assert (said["lastDiscoveryTime"], said["nextDiscoveryTime"]) == ("2026-11-21T10:00:00Z", "2026-11-21T10:05:00Z")


def test_a_failure_says_nothing_of_what_it_does_not_know() -> None:
    """Entries, counts and the last time stay as they are."""
    assert set(status.failed(CONFIG, "why")) == {"phase", "observedGeneration", "errors"}


def test_what_stands_there_already_is_no_change() -> None:
    """A failure that repeats itself is written once."""
    said = status.failed(CONFIG, "why")
    again = resources.read({"metadata": {"name": "tools", "namespace": "home"}, "status": said})
    assert status.changes(CONFIG, said)
    assert not status.changes(again, said)
