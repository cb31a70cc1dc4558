"""A ToolsetConfig as it is read."""

from __future__ import annotations

from typing import Any

import pytest

from toolset.controller import resources
from toolset.controller.reconciler import outside

Json = dict[str, Any]


def _read(**spec: Any) -> resources.Config:
    return resources.read({"metadata": {"name": "tools", "namespace": "home"}, "spec": spec})


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("5m", 300), ("1h", 3600), ("90s", 90), ("1h30m", 5400), ("1500ms", 1.5), ("2m30s500ms", 150.5)],
)
def test_durations(text: str, seconds: float) -> None:
    """As Go reads them, for what the pattern lets through."""
    assert resources.seconds(text) == seconds


def test_one_without_a_spec_has_the_defaults() -> None:
    """The same that the definition puts there."""
    config = resources.read({"metadata": {"name": "tools", "namespace": "home"}})
    assert (config.interval, config.timeout, config.check_health, config.preserve) == (300, 5, True, True)
    assert (config.namespaces, config.config_map) == ((), ("home", "kubernaut-toolset-config"))
    assert all(rules.enabled for rules in config.rules.values())


def test_what_a_spec_says() -> None:
    """All of it is read."""
    config = _read(
        discoveryInterval="10m",
        namespaces=["a", "b"],
        serviceTypes={"grafana": {"enabled": False}, "jaeger": {"labels": {"x": "y"}, "annotations": {"z": "1"}}},
        healthCheck={"enabled": False, "timeout": "2s"},
        configMap={"name": "mine", "namespace": "b", "preserveOverrides": False},
    )
    assert (config.interval, config.timeout, config.check_health, config.preserve) == (600, 2, False, False)
    assert (config.namespaces, config.config_map) == (("a", "b"), ("b", "mine"))
    assert not config.rules["grafana"].enabled
    assert (dict(config.rules["jaeger"].labels), dict(config.rules["jaeger"].annotations)) == ({"x": "y"}, {"z": "1"})


@pytest.mark.parametrize(
    ("namespaces", "place", "looks"), [(["*"], "any", True), (["a"], "a", True), (["a"], "b", False)]
)
def test_which_services_matter(namespaces: list[str], place: str, looks: bool) -> None:
    """Those of its namespaces."""
    assert _read(namespaces=namespaces).looks_at(place) is looks


@pytest.mark.parametrize(
    ("spec", "served", "names"),
    [
        ({"namespaces": ["*"]}, (), ""),
        ({"namespaces": ["far"]}, (), ""),
        ({"namespaces": ["*"]}, ("home",), ""),
        ({"namespaces": ["far"]}, ("home",), "far"),
        ({"configMap": {"namespace": "far"}}, ("home",), "far"),
        ({"namespaces": ["b", "a"]}, ("home",), "a, b"),
    ],
)
def test_what_lies_outside_of_a_controllers_namespaces(spec: Json, served: tuple[str, ...], names: str) -> None:
    """Namespaces to look at and that of the ConfigMap; "*" is whatever the controller serves."""
    said = outside(_read(**spec), served)
    assert said.endswith(f"names {names}") if names else said == ""


@pytest.mark.parametrize(
    ("parts", "path"),
    [
        ((), "/apis/toolset.kubernaut.io/v1alpha1/toolsetconfigs"),
        (("a",), "/apis/toolset.kubernaut.io/v1alpha1/namespaces/a/toolsetconfigs"),
        (("a", "x"), "/apis/toolset.kubernaut.io/v1alpha1/namespaces/a/toolsetconfigs/x"),
        (("a", "x", "status"), "/apis/toolset.kubernaut.io/v1alpha1/namespaces/a/toolsetconfigs/x/status"),
    ],
)
def test_paths(parts: tuple[str, ...], path: str) -> None:
    """Of all, of a namespace's, of one, and of its status."""
    assert resources.path(*parts) == path
