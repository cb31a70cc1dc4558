"""The one maker of names."""

from __future__ import annotations

import re

import pytest

from testinfra.names import LONGEST, Names, owner_of, slug


def test_a_name_tells_service_time_run_worker_and_number() -> None:
    """The seventh schema of a worker reads as the docs say."""
    names = Names(service="datastorage", worker="gw0", run="1f3a", started=1795257003.0)
    assert [names.next() for _ in range(7)][-1] == "datastorage_test_20261121_103003_1f3a_gw0_7"


def test_two_runs_in_the_same_second_have_different_names() -> None:
    """The run's token tells them apart."""
    pairs = [(Names(service="a", started=1.0).next(), Names(service="a", started=1.0).next()) for _ in range(20)]
    assert sum(one == other for one, other in pairs) <= 1


@pytest.mark.parametrize("service", ["datastorage", "My-Service.v2", "9lives", "ünïcode", "", "x" * 90])
def test_a_name_is_an_identifier_of_at_most_63_characters(service: str) -> None:
    """Whatever the project is called."""
    names = Names(service=service, worker="gw123")
    name = [names.next() for _ in range(1000)][-1]
    assert re.fullmatch(r"[a-z][a-z0-9_]*", name)
    assert len(name) <= LONGEST


@pytest.mark.parametrize("worker", ["main", "gw0", "gw17"])
def test_the_owner_is_read_back_from_a_name(worker: str) -> None:
    """A sweep asks by it whether the name's maker still lives."""
    names = Names(service="a-b", worker=worker)
    assert owner_of(names.next()) == names.owner


@pytest.mark.parametrize("name", ["public", "my_schema_7", "datastorage_test_2026_x_gw0_1", "", "pg_catalog"])
def test_a_foreign_name_has_no_owner(name: str) -> None:
    """So no sweep touches it."""
    assert owner_of(name) is None


def test_long_services_that_begin_alike_stay_apart() -> None:
    """A cut name ends with a hash of the whole."""
    assert slug("a" * 60 + "x") != slug("a" * 60 + "y")
