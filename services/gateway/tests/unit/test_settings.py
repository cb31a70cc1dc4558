"""The gateway's own settings: what is refused, with which words, and what can be read again."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from gateway import GatewaySettings
from gateway.settings import RELOADABLE
from servicekit import SettingsError

README = Path(__file__).parents[2] / "README.md"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("RETRY_ATTEMPTS", "0"),
        ("RETRY_ATTEMPTS", "11"),
        ("RETRY_ATTEMPTS", "three"),
        ("RETRY_INITIAL", "0"),
        ("RETRY_INITIAL", "5.1"),
        ("RETRY_INITIAL", "nan"),
        ("RETRY_MAX", "0.05"),
        ("RETRY_MAX", "31"),
        ("KUBECONFIG", "/no/such/file"),
        ("KUBERNETES_TIMEOUT", "0"),
        ("FALLBACK_NAMESPACE", ""),
        ("FALLBACK_NAMESPACE", "Not A Name"),
        ("NAMESPACES", "shop,Not_A_Name"),
        ("WATCH_TIMEOUT", "0"),
        ("WATCH_TIMEOUT", "301"),
        ("FLUSH_INTERVAL", "-1"),
        ("MAX_IN_FLIGHT", "0"),
        ("MAX_WAITING", "-1"),
        ("AUTH", "basic"),
        ("AUTH_CACHE", "601"),
        ("RATE_LIMIT", "-1"),
        ("RATE_WINDOW", "0"),
        ("REDIS_URL", "http://redis"),
        ("AUDIT_URL", "datastorage:8080"),
        ("AUDIT_BUFFER", "0"),
        ("REQUIRE_TIMESTAMP", "perhaps"),
    ],
)
def test_a_wrong_setting_is_one_sentence(name: str, value: str) -> None:
    """It names the variable and says what would be right."""
    with pytest.raises(SettingsError) as caught:
        GatewaySettings.load({f"GATEWAY_{name}": value})
    (said,) = caught.value.problems
    assert said.startswith(f"GATEWAY_{name}: ")
    assert "Right would be: " in said


def test_all_wrong_settings_are_told_at_once() -> None:
    """Three are three sentences."""
    wrong = {"GATEWAY_RETRY_ATTEMPTS": "0", "GATEWAY_MAX_WAITING": "x", "GATEWAY_AUTH": "?"}
    with pytest.raises(SettingsError) as caught:
        GatewaySettings.load(wrong)
    assert len(caught.value.problems) == 3


def test_the_password_of_redis_is_hidden() -> None:
    """In the error and in the repr."""
    with pytest.raises(SettingsError) as caught:
        GatewaySettings.load({"GATEWAY_REDIS_URL": "http://:hunter2@redis"})
    assert "hunter2" not in str(caught.value)
    assert "hunter2" not in repr(GatewaySettings.load({"GATEWAY_REDIS_URL": "redis://:hunter2@redis"}))


@pytest.mark.parametrize("text", ["shop,payments", "shop, payments", "shop payments", " shop,\npayments "])
def test_lists_of_names(text: str) -> None:
    """With commas or spaces."""
    assert GatewaySettings.load({"GATEWAY_NAMESPACES": text}).namespaces == ("shop", "payments")


def test_lists_of_names_in_the_file(tmp_path: Path) -> None:
    """As a list of YAML."""
    file = tmp_path / "gateway.yaml"
    file.write_text("namespaces: [shop, payments]\n")
    assert GatewaySettings.load({"GATEWAY_CONFIG": str(file)}).namespaces == ("shop", "payments")


def test_the_defaults_are_the_documented_retries() -> None:
    """Three attempts, 100 ms, at most 5 s."""
    settings = GatewaySettings.load({})
    assert (settings.retry_attempts, settings.retry_initial, settings.retry_max) == (3, 0.1, 5.0)


def test_the_defaults_are_the_documented_limits() -> None:
    """100 KB, tokens asked for, no rate limit, no CORS."""
    settings = GatewaySettings.load({})
    assert (settings.max_body_bytes, settings.auth, settings.rate_limit, settings.cors_origins) == (
        102_400,
        "token",
        0,
        (),
    )


def test_what_can_be_read_again_is_a_setting() -> None:
    """A name that no field has would never be taken."""
    assert set(GatewaySettings.model_fields) >= RELOADABLE


def test_the_readme_has_every_setting_with_its_default() -> None:
    """One row a setting, in the words of the code."""
    rows = dict(re.findall(r"^\| `GATEWAY_(\w+)` \|(.*?) \|", README.read_text(encoding="utf-8"), re.MULTILINE))
    assert set(rows) == {name.upper() for name in GatewaySettings.model_fields}
    for name, field in GatewaySettings.model_fields.items():
        described = rf"\| `GATEWAY_{name.upper()}` \|.* \| {re.escape(field.description or '')} \|"
        assert re.search(described, README.read_text(encoding="utf-8")), name
