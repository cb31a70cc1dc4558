"""The settings: what is refused and in which words, and that the README has them all."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

import pytest
from pydantic.fields import FieldInfo

from servicekit import SettingsError
from toolset import ServeSettings
from toolset.controller.settings import ControllerSettings

_OF_SERVE, _OF_CONTROLLER = ServeSettings.model_fields, ControllerSettings.model_fields
_BESIDES = {name: field for name, field in _OF_CONTROLLER.items() if name not in _OF_SERVE or name == "namespaces"}
README = Path(__file__).parents[2] / "README.md"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("INTERVAL", "0"),
        ("INTERVAL", "nan"),
        ("HEALTH_TIMEOUT", "0"),
        ("HEALTH_TIMEOUT", "inf"),
        ("HEALTH_CONCURRENCY", "0"),
        ("CONNECT_TO", "a:80:b"),
        ("NAMESPACES", "Shop"),
        ("CONFIGMAP_NAMESPACE", ""),
        ("CONFIGMAP_NAME", "My_Config"),
        ("AUTH", "maybe"),
        ("AUTH_CACHE", "-1"),
        ("KUBECONFIG", "/no/such/file"),
        ("KUBERNETES_TIMEOUT", "0"),
    ],
)
def test_a_wrong_setting_is_one_sentence(name: str, value: str) -> None:
    """Which, what is wrong, and what would be right."""
    with pytest.raises(SettingsError) as caught:
        ServeSettings.load({f"TOOLSET_{name}": value})
    (said,) = caught.value.problems
    assert said.startswith(f"TOOLSET_{name}: ")
    assert "Right would be: " in said


def test_the_defaults_are_the_documented_ones() -> None:
    """All namespaces, five minutes, five seconds, tokens, and the name that others know."""
    settings = ServeSettings.load({})
    assert (settings.namespaces, settings.interval, settings.health_timeout) == ((), 300.0, 5.0)
    assert (settings.auth, settings.configmap_name) == ("token", "kubernaut-toolset-config")


def test_routes_are_a_list() -> None:
    """With commas, as curl's option given several times."""
    settings = ServeSettings.load({"TOOLSET_CONNECT_TO": "a:80:127.0.0.1:1,::127.0.0.1:2"})
    assert settings.connect_to == ("a:80:127.0.0.1:1", "::127.0.0.1:2")


@pytest.mark.parametrize(
    ("part", "fields"),
    [
        (0, _OF_SERVE),
        (1, _BESIDES),
    ],
    ids=["serve", "controller"],
)
def test_the_readme_has_every_setting_with_its_default(part: int, fields: Mapping[str, FieldInfo]) -> None:
    """One row a setting, in the words of the code."""
    text = README.read_text(encoding="utf-8").split("## The controller\n")[part]
    rows = dict(re.findall(r"^\| `TOOLSET_(\w+)` \|(.*?) \|", text, re.MULTILINE))
    assert set(rows) == {name.upper() for name in fields}
    for name, field in fields.items():
        described = rf"\| `TOOLSET_{name.upper()}` \|.* \| {re.escape(field.description or '')} \|"
        assert re.search(described, text), name
        default = ",".join(field.default) if isinstance(field.default, tuple) else field.default
        shown = "" if default in ("", None) else f" `{default}`"
        assert rows[name.upper()] == shown, name
