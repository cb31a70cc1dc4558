"""A real API server stopped, killed and paused in the middle of each phase of the controller's work.

The phase is held open: a proxy delays its request until the server is gone, or an endpoint does not answer its health
check. What counts is the end: soon after the server's return all is as if nothing had happened. How soon is in the
report: 10 s is the aim, and the machine has a say in it.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from servicekit.testing import Served
from testinfra.endpoints import Cluster
from toolset.controller.settings import ControllerSettings

if TYPE_CHECKING:
    from testinfra.kubernetes.rest import Rest

Json = dict[str, Any]
_DEFINITIONS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
HELD = 1.5
"""Seconds that a request is held: a server is gone in less."""
PHASES: dict[str, Json] = {
    "watching": {},
    "discovering": {"verb": "list", "resource": "services"},
    "publishing": {"verb": "patch", "resource": "configmaps"},
    "saying": {"verb": "patch", "resource": "toolsetconfigs/status"},
    "renewing": {"verb": "patch", "resource": "leases"},
}


@pytest.fixture
def between(intercept: Any, namespace: Cluster) -> Any:
    """Give a proxy before the server."""
    return intercept(namespace)


@pytest.fixture
def settings(settings: ControllerSettings, between: Any) -> ControllerSettings:
    """Give the settings of a controller behind the proxy, whose lease is short and whose patience is small."""
    return settings.model_copy(
        update={"kubeconfig": between.endpoint.kubeconfig, "lease_duration": 2, "kubernetes_timeout": 2.0}
    )


@pytest.mark.parametrize("how", ["stop", "kill", "pause"])
@pytest.mark.parametrize("phase", PHASES)
def test_it_resumes(
    apiserver_outage: Any,
    between: Any,
    service: Served,
    configure: Callable[..., Json],
    reached: Callable[..., Json],
    add: Callable[..., Json],
    status: Callable[..., Json],
    published: Callable[[], list[Json]],
    leads: Callable[[Served], bool],
    namespace: Cluster,
    rest: Rest,
    eventually: Callable[..., None],
    record_property: Callable[[str, object], None],
    phase: str,
    how: str,
) -> None:
    """A tool came before and one comes after: in the end both are found and published, and one replica leads."""
    add("prometheus", 9090)
    configure()
    reached()
    if phase == "watching":
        _break(apiserver_outage, how)
    else:
        with between.delay(HELD, **PHASES[phase]):
            before = len(between.attempts(**PHASES[phase]))
            if phase != "renewing":
                add("grafana", 3000)
            between.attempts(at_least=before + 1, **PHASES[phase])
            _break(apiserver_outage, how)
    if phase in {"watching", "renewing"}:
        add("grafana", 3000)

    def resumed() -> bool:
        found = status()
        names = [each["name"] for each in found.get("discoveredServices", ())]
        done = found["phase"] == "Completed" and found["errors"] == [] and names == ["grafana", "prometheus"]
        return done and [each["name"] for each in published()] == names and leads(service) and _is_ready(service)

    began = time.monotonic()
    eventually(f"it resumed, {phase}", resumed)
    record_property("seconds until it resumed", round(time.monotonic() - began, 1))
    final = status()
    assert (final["servicesDiscovered"], final["servicesHealthy"], final["observedGeneration"]) == (2, 2, 1)


def _break(outage: Any, how: str) -> None:
    with outage(how):
        pass


def _is_ready(served: Served) -> bool:
    with httpx.Client(base_url=served.url, timeout=60) as client:
        return client.get("/readyz").status_code == 200


def test_a_cluster_that_is_down_at_the_start(
    apiserver_outage: Any,
    serve: Callable[..., Served],
    configure: Callable[..., Json],
    status: Callable[..., Json],
    add: Callable[..., Json],
    eventually: Callable[..., None],
) -> None:
    """The controller lives and is not ready; when the server comes, it works."""
    add("prometheus", 9090)
    configure()
    with apiserver_outage():
        served = serve(ready=False)
        with httpx.Client(base_url=served.url, timeout=60) as client:
            assert client.get("/livez").status_code == 200
            said = client.get("/readyz")
            assert said.status_code == 503
            assert {"kubernetes", "watches", "webhook"} <= {
                name for name, each in said.json()["dependencies"].items() if each["status"] == "failing"
            }
    eventually("it works", lambda: status()["phase"] == "Completed")


def test_a_definition_that_comes_again(
    exclusive_kubernetes: Any,
    between: Any,
    serve: Callable[..., Served],
    crds: list[str],
    configure: Callable[..., Json],
    reached: Callable[..., Json],
    rest: Rest,
    eventually: Callable[..., None],
) -> None:
    """Deleted under the controller, while a watch waits for its answer, and applied again: it begins anew."""
    served = serve(watch_timeout=1)
    configure()
    reached()
    own = f"{_DEFINITIONS}/{crds[0]}"
    definition = rest.get(own)
    watches: Json = {"verb": "watch", "resource": "services"}
    with between.delay(4.0, **watches):
        before = len(between.attempts(**watches))
        between.attempts(at_least=before + 1, **watches)
        rest.delete(own)
        eventually("it is not ready", lambda: not _is_ready(served))
    eventually("it is gone", lambda: crds[0] not in str(rest.get(_DEFINITIONS)))
    body = {key: definition[key] for key in ("apiVersion", "kind", "spec")}
    rest.post(_DEFINITIONS, {**body, "metadata": {"name": crds[0]}})
    eventually("it is ready again", lambda: _is_ready(served))
    configure("again")
    reached(name="again")


def test_all_namespaces_of_the_cluster(
    exclusive_kubernetes: Any,
    serve: Callable[..., Served],
    configure: Callable[..., Json],
    reached: Callable[..., Json],
    add: Callable[..., Json],
    other: str,
    entries: Callable[..., dict[str, Json]],
    eventually: Callable[..., None],
    published: Callable[[], list[Json]],
) -> None:
    """A controller without a limit looks everywhere, and finds ToolsetConfigs everywhere."""
    serve(namespaces=())
    add("prometheus", 9090)
    add("grafana", 3000, place=other)
    configure(namespaces=["*"])
    assert {"prometheus", "grafana"} <= {each["name"] for each in reached()["discoveredServices"]}
    configure("there", place=other, namespaces=["*"])
    text = json.dumps(reached(name="there", place=other)["discoveredServices"])
    assert "prometheus" in text
    assert {each["name"] for each in published()} >= {"prometheus", "grafana"}
    add("jaeger", 16686, place=other)
    for name, place in (("tools", ""), ("there", other)):
        eventually("all see it", lambda name=name, place=place: "jaeger" in entries(name, place=place))
