"""Where a setting comes from, and what is refused."""

from __future__ import annotations

import pytest

from testinfra.errors import Misconfigured
from testinfra.options import SETTINGS, Options, resolve


def test_without_a_word_everything_is_embedded() -> None:
    """The default needs no configuration."""
    assert resolve({}, {}, {}) == Options()


def test_the_command_line_wins_over_the_environment_and_that_over_the_ini() -> None:
    """One order, in one place."""
    ini, environment = {"redis_databases": "1"}, {"TESTINFRA_REDIS_DATABASES": "2"}
    assert resolve({}, ini, {}).redis_databases == 1
    assert resolve({}, ini, environment).redis_databases == 2
    assert resolve({"redis_databases": "3"}, ini, environment).redis_databases == 3


def test_an_address_alone_means_the_external_server() -> None:
    """Nobody has to say it twice."""
    options = resolve({"postgres_dsn": "postgresql://h/d"}, {}, {"TESTINFRA_REDIS_URL": "redis://h"})
    assert (options.postgres, options.redis) == ("external", "external")


@pytest.mark.parametrize("kind", ["postgres", "redis"])
def test_external_without_an_address_says_where_to_give_one(kind: str) -> None:
    """Both doors are named."""
    with pytest.raises(Misconfigured, match=f"--{kind}-(dsn|url)") as caught:
        resolve({kind: "external"}, {}, {})
    assert "TESTINFRA_" in str(caught.value)


@pytest.mark.parametrize(
    ("variable", "value", "right"),
    [
        ("TESTINFRA_POSTGRES", "embeded", "embedded, external"),
        ("TESTINFRA_WARM", "maybe", "yes or no"),
        ("TESTINFRA_REDIS_DATABASES", "many", "a whole number"),
        ("TESTINFRA_LINGER", "-1", "zero or more"),
        ("TESTINFRA_LINGER", "nan", "zero or more"),
        ("TESTINFRA_POSTGRES_ISOLATION", "table", "schema, database, rollback"),
        ("TESTINFRA_POSTGRES_SETTINGS", "work_mem", "work_mem=64MB"),
    ],
)
def test_a_wrong_value_is_refused_with_what_would_be_right(variable: str, value: str, right: str) -> None:
    """The message names the value and the choices."""
    with pytest.raises(Misconfigured) as caught:
        resolve({}, {}, {variable: value})
    assert value in str(caught.value)
    assert right in str(caught.value)


def test_a_misspelt_variable_is_refused_with_the_right_spelling() -> None:
    """It would otherwise be passed over in silence."""
    with pytest.raises(Misconfigured, match="TESTINFRA_POSTGRES_DSN"):
        resolve({}, {}, {"TESTINFRA_POSTGRS_DSN": "x"})


def test_lists_are_read_from_commas_spaces_and_ini_lines() -> None:
    """Whatever door they come through; an empty one means none."""
    assert resolve({"postgres_extensions": "vector, hstore"}, {}, {}).postgres_extensions == ("vector", "hstore")
    assert resolve({}, {"postgres_extensions": ["vector", "hstore"]}, {}).postgres_extensions == ("vector", "hstore")
    assert resolve({"postgres_extensions": ""}, {}, {}).postgres_extensions == ()


def test_every_setting_has_a_flag_a_variable_and_a_help_line() -> None:
    """And no two share one."""
    assert len({setting.flag for setting in SETTINGS}) == len(SETTINGS)
    assert all(setting.help and setting.variable == f"TESTINFRA_{setting.name.upper()}" for setting in SETTINGS)
