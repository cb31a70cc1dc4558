"""Two replicas: one reconciles, both review, and the other takes over."""

from __future__ import annotations

import base64
import ssl
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from servicekit.testing import Served
from testinfra.endpoints import Cluster
from toolset.controller.app import ControllerApp

if TYPE_CHECKING:
    from testinfra.kubernetes.rest import Rest

Json = dict[str, Any]
Pair = tuple[Served, Served]
RECONCILES = "dynamic_toolset_controller_reconciles_total"


@pytest.fixture
def replicas(serve: Callable[..., Served], leads: Callable[[Served], bool], eventually: Callable[..., None]) -> Pair:
    """Give the one that leads, and the other one."""
    first = serve(lease_duration=2)
    eventually("the first leads", lambda: leads(first))
    return first, serve(lease_duration=2)


@pytest.fixture
def lease(rest: Rest, namespace: Cluster) -> Callable[[], Json]:
    """Give a function that reads the Lease."""
    own = f"/apis/coordination.k8s.io/v1/namespaces/{namespace.namespace}/leases/toolset-controller"
    return lambda: rest.get(own)["spec"]


def test_one_of_two_reconciles(
    replicas: Pair,
    configure: Callable[..., Json],
    reached: Callable[..., Json],
    add: Callable[..., Json],
    sampled: Callable[..., float],
    leads: Callable[[Served], bool],
    eventually: Callable[..., None],
) -> None:
    """All discoveries are the leader's; the other one knows of the ToolsetConfig, and does nothing."""
    leader, other = replicas
    configure()
    reached()
    for number in range(2, 5):
        add(f"prometheus-{number}", 9090)
        reached(at_least=number)
    assert [leads(each) for each in replicas] == [True, False]
    done = reached()["discoveryCount"]
    eventually("each is counted as the leader's", lambda: sampled(leader, RECONCILES, result="completed") == done)
    assert sampled(other, RECONCILES, result="completed") == 0
    assert sampled(other, "dynamic_toolset_controller_configs") == 1


def test_who_ends_hands_over_at_once(
    serve: Callable[..., Served],
    configure: Callable[..., Json],
    reached: Callable[..., Json],
    add: Callable[..., Json],
    leads: Callable[[Served], bool],
    lease: Callable[[], Json],
    eventually: Callable[..., None],
) -> None:
    """The lease of a minute is given back: the other one leads within seconds, and what comes then is found."""
    first = serve(lease_duration=60)
    eventually("the first leads", lambda: leads(first))
    second = serve(lease_duration=60)
    configure()
    reached()
    first.stop()
    assert lease()["holderIdentity"] == ""
    eventually("the second leads", lambda: leads(second))
    add("prometheus", 9090)
    eventually("it is found", lambda: reached()["servicesDiscovered"] == 1)
    assert lease()["leaseTransitions"] == 1


def test_what_happened_while_nobody_led(
    serve: Callable[..., Served],
    configure: Callable[..., Json],
    reached: Callable[..., Json],
    add: Callable[..., Json],
    status: Callable[..., Json],
    eventually: Callable[..., None],
) -> None:
    """A tool that came between two controllers is found by the second one at once."""
    first = serve()
    configure()
    reached()
    first.stop()
    add("prometheus", 9090)
    serve()
    eventually("it is found", lambda: status()["servicesDiscovered"] == 1)


def test_a_leader_that_is_cut_off_ceases_before_another_begins(
    serve: Callable[..., Served],
    intercept: Any,
    namespace: Cluster,
    configure: Callable[..., Json],
    reached: Callable[..., Json],
    add: Callable[..., Json],
    leads: Callable[[Served], bool],
    sampled: Callable[..., float],
    eventually: Callable[..., None],
) -> None:
    """Its way to the server is broken: it takes the lease for lost, the other goes on, and it comes back as second."""
    between = intercept(namespace)
    first = serve(lease_duration=2, kubeconfig=between.endpoint.kubeconfig)
    eventually("the first leads", lambda: leads(first))
    second = serve(lease_duration=2)
    configure()
    reached()
    with between.reset(times=None):
        eventually("the second leads", lambda: leads(second))
        assert not leads(first)
        add("prometheus", 9090)
        eventually("it is found", lambda: reached()["servicesDiscovered"] == 1)
    eventually("the first sees the lease", lambda: _lease_is_known(first))
    assert [leads(each) for each in (first, second)] == [False, True]
    assert sampled(first, "dynamic_toolset_controller_failures_total", operation="lease", reason="reset") >= 1


def _lease_is_known(served: Served) -> bool:
    with httpx.Client(base_url=served.url, timeout=60) as client:
        answer = client.get("/readyz")
    return answer.status_code == 200 and answer.json()["dependencies"]["lease"]["status"] == "ok"


def test_a_lease_that_somebody_else_holds_is_waited_for(
    serve: Callable[..., Served],
    rest: Rest,
    namespace: Cluster,
    leads: Callable[[Served], bool],
    lease: Callable[[], Json],
    eventually: Callable[..., None],
) -> None:
    """It is over a second after it was first seen, whatever the clock of its holder said."""
    spec = {
        "holderIdentity": "somebody",
        "leaseDurationSeconds": 1,
        "acquireTime": "2030-01-01T00:00:00.000000Z",
        "renewTime": "2030-01-01T00:00:00.000000Z",
        "leaseTransitions": 4,
    }
    body = {"metadata": {"name": "toolset-controller"}, "spec": spec}
    rest.post(f"/apis/coordination.k8s.io/v1/namespaces/{namespace.namespace}/leases", body)
    served = serve(lease_duration=2)
    eventually("it leads", lambda: leads(served))
    assert lease()["leaseTransitions"] == 5


def test_a_lease_that_was_deleted_is_made_again(
    serve: Callable[..., Served],
    rest: Rest,
    namespace: Cluster,
    leads: Callable[[Served], bool],
    lease: Callable[[], Json],
    eventually: Callable[..., None],
) -> None:
    """By whoever comes first; here there is one."""
    served = serve(lease_duration=2)
    eventually("it leads", lambda: leads(served))
    home = f"/apis/coordination.k8s.io/v1/namespaces/{namespace.namespace}/leases"
    rest.delete(f"{home}/toolset-controller")
    eventually("it is there again", lambda: len(rest.get(home)["items"]) == 1)
    eventually("it leads again", lambda: leads(served))


def test_both_serve_the_webhook(replicas: Pair, rest: Rest, namespace: Cluster) -> None:
    """With one certificate between them; each refuses what has to be refused."""
    secret = rest.get(f"/api/v1/namespaces/{namespace.namespace}/secrets/toolset-webhook-certificate")
    trust = ssl.create_default_context(cadata=base64.b64decode(secret["data"]["ca.crt"]).decode())
    for served in replicas:
        assert isinstance(served.app, ControllerApp)
        url = f"https://127.0.0.1:{served.app.parts.webhook.port}/review"
        answer = httpx.post(url, json=_review(namespace.namespace), verify=trust, timeout=60).json()
        assert answer["response"]["allowed"] is False
        assert "names elsewhere" in answer["response"]["status"]["message"]


def _review(namespace: str) -> Json:
    return {
        "apiVersion": "admission.k8s.io/v1",
        "kind": "AdmissionReview",
        "request": {
            "uid": "1",
            "operation": "CREATE",
            "userInfo": {"username": "me"},
            "resource": {"group": "toolset.kubernaut.io", "version": "v1alpha1", "resource": "toolsetconfigs"},
            "object": {
                "apiVersion": "toolset.kubernaut.io/v1alpha1",
                "kind": "ToolsetConfig",
                "metadata": {"name": "x", "namespace": namespace},
                "spec": {"namespaces": ["elsewhere"]},
            },
        },
    }
