"""The settings, and that the README lists them."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import SecretStr

from datastorage import DatastorageSettings
from servicekit import SettingsError

DSN = "postgresql://user:hush@db/audit"


def load(**variables: str) -> DatastorageSettings:
    return DatastorageSettings.load({f"DATASTORAGE_{name}": value for name, value in variables.items()})


def test_a_dsn_is_all_that_is_needed() -> None:
    """Everything else has a default."""
    settings = load(POSTGRES_DSN=DSN)
    assert settings.postgres_dsn.get_secret_value() == DSN
    assert (settings.pool_max, settings.embedder, settings.port) == (25, "hashing", 8080)


@pytest.mark.parametrize(
    ("variables", "said"),
    [
        ({}, r"DATASTORAGE_POSTGRES_DSN: \(not set\): .* Right would be: a libpq connection string"),
        ({"POSTGRES_DSN": "hush hush"}, "DATASTORAGE_POSTGRES_DSN: .hidden.: libpq does not understand it"),
        ({"POSTGRES_DSN": DSN, "REDIS_URL": "http://hush"}, "DATASTORAGE_REDIS_URL: .hidden.: it does not begin"),
        ({"POSTGRES_DSN": DSN, "POOL_MIN": "5", "POOL_MAX": "4"}, "DATASTORAGE_POOL_MAX: '4': it is below pool_min"),
        ({"POSTGRES_DSN": DSN, "EMBEDDER": "magic"}, "DATASTORAGE_EMBEDDER: 'magic'.*hashing.*minilm.*none"),
        ({"POSTGRES_DSN": DSN, "DLQ_CLAIM_AFTER": "30"}, "DATASTORAGE_DLQ_CLAIM_AFTER: '30': it is not above dlq_lon"),
        ({"POSTGRES_DSN": DSN, "DLQ_MAX_LENGTH": "0"}, "DATASTORAGE_DLQ_MAX_LENGTH: '0'"),
        ({"POSTGRES_DSN": DSN, "POSTGRES_TIMEOUT": "0"}, "DATASTORAGE_POSTGRES_TIMEOUT: '0'"),
    ],
)
def test_a_wrong_setting_is_told_without_its_secret(variables: dict[str, str], said: str) -> None:
    """The sentence names the variable and what would be right, and a secret stays one."""
    with pytest.raises(SettingsError, match=said) as caught:
        load(**variables)
    assert "hush" not in str(caught.value)


def test_no_secret_is_in_the_repr() -> None:
    """Neither of the two secrets shows when settings are printed."""
    settings = DatastorageSettings(postgres_dsn=SecretStr(DSN), redis_url=SecretStr("redis://:hush@host/0"))
    assert "hush" not in f"{settings!r} {settings}"


def test_the_readme_lists_every_setting_with_its_default() -> None:
    """The table in the README is what the code has: name, default and meaning."""
    readme = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")
    for name, field in DatastorageSettings.model_fields.items():
        default = field.default
        if isinstance(default, SecretStr):
            default = default.get_secret_value()
        shown = "" if field.is_required() or default in (None, "") else f"`{default}`"
        row = f"| `DATASTORAGE_{name.upper()}` | {shown} | {field.description} |".replace("|  |", "| |")
        assert row in readme, row
