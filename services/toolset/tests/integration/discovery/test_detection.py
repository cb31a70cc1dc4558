"""Which Services are tools, and where they are: five detectors over Services of a real API."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from servicekit.testing import sample
from testinfra.endpoints import Cluster

Json = dict[str, Any]
MakeService = Callable[..., Json]
SIGNS = ("label", "other-label", "name", "port")
KNOWN = {
    "prometheus": (9090, "/-/healthy"),
    "grafana": (3000, "/api/health"),
    "jaeger": (16686, "/"),
    "elasticsearch": (9200, "/_cluster/health"),
}
PORTS: list[tuple[str, list[tuple[str, int]], int]] = [
    ("prometheus", [("grpc", 10901), ("http", 9090), ("web", 8443)], 8443),
    ("prometheus", [("grpc", 10901), ("http", 9090)], 9090),
    ("prometheus", [("grpc", 10901), ("http", 8080)], 10901),
    ("grafana", [("http", 80), ("service", 8080), ("x", 3000)], 8080),
    ("grafana", [("x", 3000), ("http", 80)], 80),
    ("grafana", [("a", 1234), ("x", 3000)], 3000),
    ("jaeger", [("ui", 80), ("query", 8080), ("x", 16686)], 8080),
    ("jaeger", [("x", 16686), ("ui", 80)], 80),
    ("elasticsearch", [("transport", 9300), ("http", 9201), ("api", 9202)], 9201),
    ("elasticsearch", [("transport", 9300), ("api", 9202), ("x", 9200)], 9202),
]
FIRST = [
    ({"app": "grafana"}, 9090, "prometheus"),
    ({"app": "jaeger"}, 3000, "grafana"),
    ({"app": "elasticsearch"}, 16686, "jaeger"),
]


def custom(**said: str) -> dict[str, str]:
    """Return annotations; `toolset` is the one without an ending."""
    return {
        "kubernaut.io/toolset" + ("" if name == "toolset" else "-" + name.replace("_", "-")): text
        for name, text in said.items()
    }


HALF = [
    custom(toolset="enabled"),
    custom(toolset="enabled", type=" "),
    custom(toolset="maybe", type="vectors"),
    custom(type="vectors"),
]
WRONG = [
    custom(toolset="enabled", type="lake", **said)
    for said in ({"endpoint": "ftp://lake"}, {"endpoint": "lake:80"}, {"endpoint": "http://u:p@lake"})
] + [custom(toolset="enabled", type="lake", health_path="ping")]


@pytest.fixture(scope="module")
def seen(scene: Any, make_service: MakeService) -> Any:
    """Give the scene with all Services of this module."""
    for type_, (port, _) in KNOWN.items():
        short = type_[:2]
        scene.add(make_service(f"{short}-label", 80, labels={"app": type_}))
        scene.add(make_service(f"{short}-other-label", 80, labels={"app.kubernetes.io/name": type_}))
        scene.add(make_service(f"{short}-my-{type_}-server", 80))
        scene.add(make_service(f"{short}-port", port))
    for index, (type_, ports, _) in enumerate(PORTS):
        scene.add(make_service(f"ports-{index}", *ports, labels={"app": type_}))
    for index, (labels, port, _) in enumerate(FIRST):
        scene.add(make_service(f"first-{index}", port, labels=labels))
    for index, said in enumerate(HALF):
        scene.add(make_service(f"half-{index}", 8080, annotations=said))
    for index, said in enumerate(WRONG):
        scene.add(make_service(f"wrong-{index}", 80, annotations=said))
    scene.add(make_service("shop", 8080, labels={"app": "shop"}))
    scene.add(make_service("no-port", labels={"app": "prometheus"}))
    for switch in ("enabled", "true", "True"):
        said = custom(toolset=switch, type="vectors", description="Finds what is alike")
        labels = {"app.kubernetes.io/version": "1.2"}
        scene.add(
            make_service(
                f"custom-{switch.lower()}-{switch[0] == 'T'}".lower(),
                ("api", 8080),
                8081,
                annotations=said,
                labels=labels,
            )
        )
    elsewhere = custom(
        toolset="enabled", type="lake", endpoint="http://lake.example.test:81/base/", health_path="/ping"
    )
    scene.add(make_service("elsewhere", annotations=elsewhere))
    for switch in ("disabled", "false"):
        scene.add(make_service(f"out-{switch}", 9090, annotations=custom(toolset=switch)))
        scene.add(make_service(f"custom-out-{switch}", 8080, annotations=custom(toolset=switch, type="vectors")))
    scene.discover()
    return scene


@pytest.mark.parametrize("sign", SIGNS)
@pytest.mark.parametrize("type_", KNOWN)
def test_a_tool_is_known_by_each_of_its_signs(seen: Any, type_: str, sign: str) -> None:
    """Either label, its name, its port: each alone does, and its own health path is asked."""
    name = f"{type_[:2]}-" + (f"my-{type_}-server" if sign == "name" else sign)
    port, path = KNOWN[type_]
    port = port if sign == "port" else 80
    said = seen.services[name]
    assert (said["type"], said["healthy"]) == (type_, True)
    assert said["metadata"] == {"detected_by": sign.removeprefix("other-")}
    assert said["endpoint"] == f"http://{name}.{seen.namespace}.svc.cluster.local:{port}"
    assert seen.asked(name) == {f"GET {path} HTTP/1.1"}


@pytest.mark.parametrize("index", range(len(PORTS)))
def test_the_best_port_is_taken(seen: Any, index: int) -> None:
    """By name before number, and the first where none is known."""
    assert seen.services[f"ports-{index}"]["endpoint"].endswith(f".svc.cluster.local:{PORTS[index][2]}")


@pytest.mark.parametrize("index", range(len(FIRST)))
def test_the_first_detector_that_matches_says_what_it_is(seen: Any, index: int) -> None:
    """A later type's label does not beat an earlier type's port."""
    assert seen.services[f"first-{index}"]["type"] == FIRST[index][2]


@pytest.mark.parametrize("name", ["shop", "no-port"])
def test_a_service_of_no_sign_is_no_tool(seen: Any, name: str) -> None:
    """Neither one of another port, nor one that has no port at all."""
    assert name not in seen.services


@pytest.mark.parametrize("name", ["custom-enabled-false", "custom-true-false", "custom-true-true"])
def test_a_custom_tool_is_what_its_annotations_say(seen: Any, name: str) -> None:
    """Its type is metadata, its endpoint the first port."""
    said = seen.services[name]
    assert said["type"] == "custom"
    assert said["endpoint"] == f"http://{name}.{seen.namespace}.svc.cluster.local:8080"
    assert said["description"] == "Finds what is alike"
    assert said["metadata"] == {"detected_by": "annotation", "toolset_type": "vectors", "version": "1.2"}
    assert seen.asked(name) == {"GET / HTTP/1.1"}


def test_a_custom_tool_says_where_it_is_and_how_to_ask_it(seen: Any) -> None:
    """Its endpoint may be anywhere, without a port of the Service's, and its health path is asked."""
    assert seen.services["elsewhere"]["endpoint"] == "http://lake.example.test:81/base"
    assert set(seen.endpoints.asked("lake.example.test")) == {"GET /base/ping HTTP/1.1"}


@pytest.mark.parametrize("index", range(len(HALF)))
def test_a_service_that_only_half_says_so_is_no_custom_tool(seen: Any, index: int) -> None:
    """Both annotations are needed, with a meaning."""
    assert f"half-{index}" not in seen.services


@pytest.mark.parametrize("name", ["out-disabled", "out-false", "custom-out-disabled", "custom-out-false"])
def test_a_tool_can_opt_out(seen: Any, name: str) -> None:
    """It is listed as not enabled; it is not asked how it is, and nobody is told of it."""
    said = seen.services[name]
    assert (said["enabled"], said["healthy"], said["reason"]) == (False, None, "NotChecked")
    assert seen.asked(name) == set()
    assert name not in {tool["name"] for tool in seen.published}


@pytest.mark.parametrize("index", range(len(WRONG)))
def test_a_service_that_says_what_cannot_be_is_told(seen: Any, index: int) -> None:
    """The error has its place and its reason, and all other tools are found."""
    (error,) = (each for each in seen.errors if f"/wrong-{index}, as custom: " in each)
    assert "has to " in error
    assert f"wrong-{index}" not in seen.services


def test_the_errors_of_detectors_are_counted(seen: Any) -> None:
    """By their type, at each round."""
    assert seen.counted("dynamic_toolset_discovery_errors_total", type="custom") == len(WRONG)


def test_tools_are_counted_by_type(seen: Any) -> None:
    """As many as are listed."""
    for type_ in (*KNOWN, "custom"):
        listed = sum(each["type"] == type_ for each in seen.services.values())
        assert sample(seen.metrics, "dynamic_toolset_services_discovered", type=type_) == listed >= 5


def test_a_tool_that_is_gone_is_listed_no_more(
    add: Callable[..., Json], found: Callable[..., dict[str, Json]], rest: Any, namespace: Cluster, metric: Any
) -> None:
    """Discovery says what is there now."""
    add("prometheus", 9090)
    add("grafana", 3000)
    assert set(found()) == {"prometheus", "grafana"}
    rest.delete(f"/api/v1/namespaces/{namespace.namespace}/services/grafana")
    assert set(found()) == {"prometheus"}
    assert metric("dynamic_toolset_services_discovered", type="grafana") == 0
