"""The settings, and that the README lists them."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import SecretStr

from contextapi import ContextapiSettings
from servicekit import SettingsError

DSN = "postgresql://reader:hush@db/audit"


def load(**variables: str) -> ContextapiSettings:
    return ContextapiSettings.load({f"CONTEXTAPI_{name}": value for name, value in variables.items()})


def test_a_dsn_is_all_that_is_needed() -> None:
    """Everything else has a default."""
    settings = load(POSTGRES_DSN=DSN)
    assert settings.postgres_dsn.get_secret_value() == DSN
    assert (settings.cache_ttl, settings.cache_entries, settings.cache_value_limit) == (300, 1000, 5 * 2**20)
    assert (settings.postgres_timeout, settings.port) == (5, 8080)


@pytest.mark.parametrize(
    ("variables", "said"),
    [
        ({}, r"CONTEXTAPI_POSTGRES_DSN: \(not set\): .* Right would be: a libpq connection string of a role that only"),
        ({"POSTGRES_DSN": "hush hush"}, "CONTEXTAPI_POSTGRES_DSN: .hidden.: libpq does not understand it"),
        ({"POSTGRES_DSN": DSN, "REDIS_URL": "http://hush"}, "CONTEXTAPI_REDIS_URL: .hidden.: it does not begin"),
        ({"POSTGRES_DSN": DSN, "POOL_MIN": "5", "POOL_MAX": "4"}, "CONTEXTAPI_POOL_MAX: '4': it is below pool_min"),
        ({"POSTGRES_DSN": DSN, "EMBEDDER": "magic"}, "CONTEXTAPI_EMBEDDER: 'magic'.*hashing.*minilm.*none"),
        ({"POSTGRES_DSN": DSN, "EMBEDDER": "minilm"}, r"CONTEXTAPI_EMBEDDER: 'minilm': .* 'contextapi\[minilm\]'"),
        ({"POSTGRES_DSN": DSN, "CACHE_TTL": "0"}, "CONTEXTAPI_CACHE_TTL: '0'"),
        ({"POSTGRES_DSN": DSN, "CACHE_KEEP": "nan"}, "CONTEXTAPI_CACHE_KEEP: 'nan'"),
        ({"POSTGRES_DSN": DSN, "CACHE_ENTRIES": "0"}, "CONTEXTAPI_CACHE_ENTRIES: '0'"),
        ({"POSTGRES_DSN": DSN, "CACHE_VALUE_LIMIT": "x"}, "CONTEXTAPI_CACHE_VALUE_LIMIT: 'x'"),
        ({"POSTGRES_DSN": DSN, "BREAKER_FAILURES": "0"}, "CONTEXTAPI_BREAKER_FAILURES: '0'"),
        ({"POSTGRES_DSN": DSN, "BREAKER_OPEN_SECONDS": "-1"}, "CONTEXTAPI_BREAKER_OPEN_SECONDS: '-1'"),
    ],
)
def test_a_wrong_setting_is_told_without_its_secret(variables: dict[str, str], said: str) -> None:
    """The sentence names the variable and what would be right, and a secret stays one."""
    with pytest.raises(SettingsError, match=said) as caught:
        load(**variables)
    assert "hush" not in str(caught.value)


def test_no_secret_is_in_the_repr() -> None:
    """Neither of the two secrets shows when settings are printed."""
    settings = ContextapiSettings(postgres_dsn=SecretStr(DSN), redis_url=SecretStr("redis://:hush@host/0"))
    assert "hush" not in f"{settings!r} {settings}"


def test_the_readme_lists_every_setting_with_its_default() -> None:
    """The table in the README is what the code has: name, default and meaning."""
    readme = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")
    for name, field in ContextapiSettings.model_fields.items():
        default = field.default
        if isinstance(default, SecretStr):
            default = default.get_secret_value()
        shown = "" if field.is_required() or default in (None, "") else f"`{default}`"
        row = f"| `CONTEXTAPI_{name.upper()}` | {shown} | {field.description} |".replace("|  |", "| |")
        assert row in readme, row
