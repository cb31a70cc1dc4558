"""The definition as a real API server enforces it: defaults, and what schema and CEL refuse, with their messages."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest

from testinfra.endpoints import Cluster
from testinfra.kubernetes.rest import ApiError
from toolset.controller.resources import path
from toolset.tools import TYPES

if TYPE_CHECKING:
    from testinfra.kubernetes.rest import Rest

Json = dict[str, Any]
_OFF = {name: {"enabled": False} for name in TYPES}


def _refused(configure: Callable[..., Json], spec: Json) -> ApiError:
    with pytest.raises(ApiError) as caught:
        configure(**spec)
    return caught.value


def test_the_server_takes_it_as_structural(crds: list[str], rest: Rest) -> None:
    """It is established, and nothing about it is warned of."""
    found = rest.get(f"/apis/apiextensions.k8s.io/v1/customresourcedefinitions/{crds[0]}")
    states = {each["type"]: each["status"] for each in found["status"]["conditions"]}
    assert states["Established"] == states["NamesAccepted"] == "True"
    assert states.get("NonStructuralSchema", "False") == "False"


def test_an_empty_one_has_every_default(rest: Rest, namespace: Cluster, crds: list[str]) -> None:
    """Of the spec, as the specification says, and of the status: Pending."""
    body = {"apiVersion": "toolset.kubernaut.io/v1alpha1", "kind": "ToolsetConfig", "metadata": {"name": "empty"}}
    made = rest.post(path(namespace.namespace), body)
    assert made["spec"] == {
        "discoveryInterval": "5m",
        "namespaces": ["*"],
        "serviceTypes": {name: {"enabled": True} for name in TYPES},
        "healthCheck": {"enabled": True, "timeout": "5s"},
        "configMap": {"name": "kubernaut-toolset-config", "preserveOverrides": True},
    }
    assert made["status"] == {"phase": "Pending"}


def test_a_part_that_is_given_keeps_the_defaults_of_the_rest(configure: Callable[..., Json]) -> None:
    """One type that is turned off leaves all others on, and a name of the ConfigMap its preserveOverrides."""
    spec = configure(serviceTypes={"jaeger": {"enabled": False}}, configMap={"name": "mine"})["spec"]
    assert spec["serviceTypes"]["jaeger"] == {"enabled": False}
    assert spec["serviceTypes"]["grafana"] == {"enabled": True}
    assert spec["configMap"] == {"name": "mine", "preserveOverrides": True}


@pytest.mark.parametrize("value", ["1m", "60s", "90s", "59m60s", "1h", "60m"])
def test_intervals_that_are_taken(configure: Callable[..., Json], value: str) -> None:
    """From a minute to an hour, both included, in any spelling of Go's durations without fractions."""
    assert configure(discoveryInterval=value)["spec"]["discoveryInterval"] == value


@pytest.mark.parametrize(
    ("spec", "field", "said"),
    [
        ({"discoveryInterval": "5"}, "spec.discoveryInterval", "should match"),
        ({"discoveryInterval": "soon"}, "spec.discoveryInterval", "should match"),
        ({"discoveryInterval": 300}, "spec.discoveryInterval", "must be of type string"),
        ({"namespaces": []}, "spec.namespaces", "at least 1"),
        ({"namespaces": ["Upper"]}, "spec.namespaces[0]", "should match"),
        ({"namespaces": ["a" * 64]}, "spec.namespaces[0]", "Too long"),
        ({"namespaces": ["a", "a"]}, "spec.namespaces[1]", "Duplicate"),
        ({"namespaces": [f"n-{number}" for number in range(101)]}, "spec.namespaces", "at most 100"),
        ({"serviceTypes": {"grafana": {"enabled": "yes"}}}, "spec.serviceTypes.grafana.enabled", "of type boolean"),
        ({"serviceTypes": {"grafana": {"labels": {"a": "x" * 64}}}}, "spec.serviceTypes.grafana.labels.a", "Too long"),
        ({"healthCheck": {"timeout": "-1s"}}, "spec.healthCheck.timeout", "should match"),
        ({"configMap": {"name": "Upper"}}, "spec.configMap.name", "should match"),
        ({"configMap": {"namespace": "a.b"}}, "spec.configMap.namespace", "should match"),
        ({"configMap": {"preserveOverrides": "no"}}, "spec.configMap.preserveOverrides", "of type boolean"),
    ],
)
def test_what_the_schema_refuses(configure: Callable[..., Json], spec: Json, field: str, said: str) -> None:
    """422, the field is named, and why."""
    error = _refused(configure, spec)
    assert error.status == 422
    assert any(cause["field"] == field and said in cause["message"] for cause in error.details["causes"])


@pytest.mark.parametrize(
    ("spec", "field", "said"),
    [
        ({"discoveryInterval": "59s"}, "spec.discoveryInterval", "discoveryInterval has to be from 1m to 1h"),
        ({"discoveryInterval": "61m"}, "spec.discoveryInterval", "discoveryInterval has to be from 1m to 1h"),
        ({"namespaces": ["*", "a"]}, "spec.namespaces", "'*' means all namespaces and stands alone"),
        ({"serviceTypes": _OFF}, "spec.serviceTypes", "at least one of serviceTypes has to be enabled"),
        ({"healthCheck": {"timeout": "999ms"}}, "spec.healthCheck.timeout", "healthCheck.timeout has to be 1s or more"),
        (
            {"discoveryInterval": "1m", "healthCheck": {"timeout": "60s"}},
            "spec.healthCheck.timeout",
            "healthCheck.timeout has to be shorter than discoveryInterval",
        ),
        (
            {"configMap": {"name": "kube-root-ca.crt"}},
            "spec.configMap.name",
            "the ConfigMap kube-root-ca.crt is the cluster's own",
        ),
    ],
)
def test_what_cel_refuses(configure: Callable[..., Json], spec: Json, field: str, said: str) -> None:
    """422 with the rule's own message, at the field that it is about."""
    error = _refused(configure, spec)
    assert error.status == 422
    assert any(cause["field"] == field and said in cause["message"] for cause in error.details["causes"])


def test_a_status_in_a_post_is_dropped(rest: Rest, namespace: Cluster, crds: list[str]) -> None:
    """It is a subresource: who makes one does not say how far it is."""
    body = {
        "apiVersion": "toolset.kubernaut.io/v1alpha1",
        "kind": "ToolsetConfig",
        "metadata": {"name": "x"},
        "status": {"phase": "Completed"},
    }
    assert rest.post(path(namespace.namespace), body)["status"] == {"phase": "Pending"}


@pytest.mark.parametrize(
    "status",
    [
        {"phase": "Done"},
        {"discoveryCount": -1},
        {"errors": ["x"] * 11},
        {"discoveredServices": [{"name": "a"}]},
        {
            "discoveredServices": [
                {
                    "name": str(number),
                    "namespace": "a",
                    "type": "custom",
                    "endpoint": "x",
                    "condition": "Ready",
                    "reason": "HealthCheckPassed",
                }
                for number in range(1001)
            ]
        },
    ],
    ids=["phase", "count", "errors", "entry", "entries"],
)
def test_a_status_that_is_refused(configure: Callable[..., Json], rest: Rest, namespace: Cluster, status: Json) -> None:
    """422 for each: the bounds hold whoever writes."""
    configure()
    with pytest.raises(ApiError) as caught:
        rest.patch(path(namespace.namespace, "tools", "status"), {"status": status})
    assert caught.value.status == 422


def test_what_people_see_of_it(configure: Callable[..., Json], rest: Rest, namespace: Cluster) -> None:
    """The columns of a table, as kubectl asks for it."""
    configure()
    wanted = {"Accept": "application/json;as=Table;v=v1;g=meta.k8s.io"}
    table = rest.request("GET", path(namespace.namespace), headers=wanted).body
    names = [column["name"] for column in table["columnDefinitions"]]
    assert names == ["Name", "Phase", "Services", "Healthy", "Unhealthy", "Last", "Interval", "Age"]
    assert table["rows"][0]["cells"][:2] == ["tools", "Pending"]
