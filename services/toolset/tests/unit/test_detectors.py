"""Detectors, as functions of a Service: rules of types, garbage, and what holds for any Service."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from toolset.detectors import ALL, TypeRules, detect, is_endpoint
from toolset.tools import TYPES

Json = dict[str, Any]
WORDS = st.sampled_from([*TYPES, "web", "service", "query", "http", "x", "enabled", "false", ""])


def service(name: str = "one", *ports: int, **metadata: Any) -> Json:
    """Return a Service."""
    return {
        "metadata": {"name": name, "namespace": "shop", **metadata},
        "spec": {"ports": [{"port": port} for port in ports]},
    }


def test_a_type_that_is_off_is_not_looked_for() -> None:
    """The next detector is asked."""
    both = service("prometheus-grafana", 9090)
    found = detect(both, {"prometheus": TypeRules(enabled=False)})
    assert found is not None
    assert found.type == "grafana"
    assert detect(both, {type_: TypeRules(enabled=False) for type_ in TYPES}) is None


@pytest.mark.parametrize("part", ["labels", "annotations"])
def test_what_a_type_asks_for_besides_has_to_be_there(part: str) -> None:
    """All of it, with these values."""
    asked = {"team": "sre", "tier": "1"}
    rules = {"prometheus": TypeRules(labels=asked) if part == "labels" else TypeRules(annotations=asked)}
    assert detect(service("prometheus", 9090, **{part: {"team": "sre", "tier": "1", "x": "y"}}), rules) is not None
    assert detect(service("prometheus", 9090, **{part: {"team": "sre"}}), rules) is None
    assert detect(service("prometheus", 9090, **{part: {"team": "sre", "tier": "2"}}), rules) is None
    assert detect(service("prometheus", 9090), rules) is None


def test_a_type_without_rules_is_looked_for() -> None:
    """Rules for one say nothing of the others."""
    found = detect(service("grafana", 3000), {"prometheus": TypeRules(enabled=False)})
    assert found is not None
    assert found.type == "grafana"


@pytest.mark.parametrize("meta", [{}, {"labels": None, "annotations": None}])
def test_a_service_may_say_nothing_of_itself(meta: Json) -> None:
    """No labels, no annotations, or null, as the API writes them."""
    assert detect(service("shop", 80, **meta)) is None
    assert detect({"metadata": {"name": "a", "namespace": "b", **meta}, "spec": {"type": "ExternalName"}}) is None


@pytest.mark.parametrize("garbage", [[{}], [{"port": "x"}], [None], 7], ids=str)
def test_garbage_is_told_by_type_and_the_next_is_asked(garbage: Any) -> None:
    """A custom tool with an endpoint needs no port, so it is found after all others failed."""
    annotations = {
        "kubernaut.io/toolset": "true",
        "kubernaut.io/toolset-type": "lake",
        "kubernaut.io/toolset-endpoint": "http://lake",
    }
    wrong = service("prometheus", annotations=annotations, labels={"app": "prometheus"})
    wrong["spec"]["ports"] = garbage
    told: list[str] = []
    found = detect(wrong, ALL, lambda type_, _: told.append(type_))
    assert "prometheus" in told
    assert found is not None
    assert found.type == "custom"


def test_garbage_is_nothing_where_nobody_listens() -> None:
    """Without somebody to tell, the detector's failure is passed over."""
    wrong = service("prometheus")
    wrong["spec"]["ports"] = [{"port": "x"}]
    assert detect(wrong) is None


@pytest.mark.parametrize(
    ("text", "good"),
    [
        ("http://a", True),
        ("https://a.b:8443/base", True),
        ("http://[::1]:80", True),
        ("http://", False),
        ("http://:80", False),
        ("http://a:0", False),
        ("http://a:99999", False),
        ("http://a:b", False),
        ("http://[::1", False),
        ("http://u@a", False),
        ("http://a?x", False),
        ("http://a#x", False),
        ("http://a b", False),
        ("HTTP//a", False),
        ("ftp://a", False),
        ("", False),
    ],
)
def test_what_an_endpoint_is(text: str, good: bool) -> None:
    """A base URL of HTTP, without a login and a query."""
    assert is_endpoint(text) is good


@given(
    name=WORDS.map(lambda word: f"a-{word}".strip("-")),
    labels=st.dictionaries(st.sampled_from(["app", "app.kubernetes.io/name"]), WORDS),
    annotations=st.dictionaries(
        st.sampled_from(["kubernaut.io/toolset", "kubernaut.io/toolset-type", "kubernaut.io/toolset-endpoint"]), WORDS
    ),
    ports=st.lists(st.fixed_dictionaries({"port": st.sampled_from([80, 9090, 3000, 16686, 9200]), "name": WORDS})),
)
def test_what_holds_for_any_service(name: str, labels: Json, annotations: Json, ports: list[Json]) -> None:
    """The same twice; one of the types; without a port nothing; and an endpoint that is one, at a port of its own."""
    asked = {
        "metadata": {"name": name, "namespace": "shop", "labels": labels, "annotations": annotations},
        "spec": {"ports": ports},
    }
    found = detect(asked)
    assert found == detect(asked)
    if found is None:
        return
    assert ports
    assert found.type in TYPES
    assert is_endpoint(found.endpoint)
    assert int(found.endpoint.rpartition(":")[2]) in {port["port"] for port in ports}
    assert found.health_path.startswith("/")
