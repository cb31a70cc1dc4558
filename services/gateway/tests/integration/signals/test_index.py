"""The index lives on a watch: it resumes, starts over where it has to, and is not relied on when it is old."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from gateway import resources
from gateway.app import GatewayApp
from servicekit.testing import Served
from testinfra.endpoints import Cluster
from testinfra.servers.ready import wait_until

if TYPE_CHECKING:
    from testinfra.faults.interceptor import Interceptor
    from testinfra.kubernetes.rest import Rest

PROMETHEUS = "/api/v1/signals/prometheus"
WATCH: dict[str, Any] = {"verb": "watch", "resource": "remediationrequests"}
LIST: dict[str, Any] = {"verb": "list", "resource": "remediationrequests"}
Json = dict[str, Any]
Make = Callable[..., Json]
Eventually = Callable[..., None]


@pytest.fixture
def between(intercept: Callable[[Cluster], Interceptor], namespace: Cluster) -> Interceptor:
    """Give the proxy before this test's server."""
    return intercept(namespace)


def _parts(served: Served) -> Any:
    assert isinstance(served.app, GatewayApp)
    return served.app.parts


def test_a_watch_that_ends_resumes(
    between: Interceptor,
    serve: Callable[..., Served],
) -> None:
    """The server ends each watch after its time; the next begins where it ended, and nothing is listed again."""
    serve(kubeconfig=between.endpoint.kubeconfig, watch_timeout=1)
    between.attempts(**WATCH, at_least=3, within=20)
    assert len(between.attempts(**LIST)) == 1


def test_a_watch_that_breaks_resumes(
    between: Interceptor,
    serve: Callable[..., Served],
    rest: Rest,
    namespace: Cluster,
    eventually: Eventually,
) -> None:
    """Opening it fails four times; then it goes on where it was, and what happened meanwhile is known."""
    served = serve(kubeconfig=between.endpoint.kubeconfig, watch_timeout=1)
    with between.answer(503, times=2, **WATCH) as refused, between.reset(times=2, **WATCH) as reset:
        refused.wait(20)
        rest.post(resources.path(namespace.namespace), _by_hand("meanwhile"))
        reset.wait(20)
    key = namespace.namespace, "meanwhile"
    eventually("what happened meanwhile is known", lambda: _parts(served).index.get(key) is not None)
    assert len(between.attempts(**LIST)) == 1


def test_a_place_that_is_too_old_is_given_up(
    between: Interceptor,
    serve: Callable[..., Served],
    namespace: Cluster,
    rest: Rest,
    eventually: Eventually,
) -> None:
    """After a 410 all is read again, and what was deleted meanwhile is forgotten."""
    rest.post(resources.path(namespace.namespace), _by_hand("first"))
    rest.post(resources.path(namespace.namespace), _by_hand("second", digit="1"))
    served = serve(kubeconfig=between.endpoint.kubeconfig, watch_timeout=1)
    assert len(_parts(served).index) == 2
    with between.answer(410, **WATCH) as refused:
        refused.wait(20)
    between.attempts(**LIST, at_least=2, within=20)
    rest.delete(resources.path(namespace.namespace, "first"))
    eventually("the deleted one is forgotten", lambda: len(_parts(served).index) == 1)


def test_lists_come_in_pages(serve: Callable[..., Served], namespace: Cluster, rest: Rest, attempts: Any) -> None:
    """Three hundred resources are two pages, and all are known."""
    for number in range(300):
        rest.post(resources.path(namespace.namespace), _by_hand(f"many-{number}", digit=f"{number:x}"))
    served = serve()
    assert len(_parts(served).index) == 300
    assert len(attempts(**LIST, user_agent="kubernaut-gateway/*", at_least=2)) == 2


def test_what_is_remembered_is_stripped(
    service: Served, client: httpx.Client, alert: Make, eventually: Eventually
) -> None:
    """Of a resource of 90 KB a few hundred bytes are kept: no labels, no annotations, no payload."""
    made = client.post(PROMETHEUS, json=alert(annotations={"text": "x" * 40_000})).json()
    key = made["remediationRequestNamespace"], made["remediationRequestName"]
    entry = _parts(service).index.get(key)
    assert sum(len(str(getattr(entry, name))) for name in entry.__slots__) < 400


def test_an_old_index_is_not_relied_on(
    between: Interceptor,
    serve: Callable[..., Served],
    connect: Callable[..., httpx.Client],
    alert: Make,
    only: Any,
) -> None:
    """When the watch is gone for long, readiness says so, and each signal asks the server: still one resource."""
    served = serve(kubeconfig=between.endpoint.kubeconfig, watch_timeout=1)
    client = connect(served)
    with between.reset(times=None, **WATCH):
        _until(served, fresh=False)
        assert client.get("/readyz").status_code == 503
        codes = [client.post(PROMETHEUS, json=alert()).status_code for _ in range(3)]
        assert codes == [201, 202, 202]
    only()
    _until(served, fresh=True)
    assert client.get("/readyz").status_code == 200


def _until(served: Served, *, fresh: bool) -> None:
    wait_until(lambda: _parts(served).index.fresh == fresh, what=f"the index is fresh: {fresh}", timeout=30)


def test_an_outage_at_the_start_is_survived(
    between: Interceptor,
    serve: Callable[..., Served],
    connect: Callable[..., httpx.Client],
    alert: Make,
    eventually: Eventually,
) -> None:
    """A server that is away at the start makes it unready, signals 503; it becomes ready by itself."""
    with between.reset(times=None):
        served = serve(kubeconfig=between.endpoint.kubeconfig, ready=False, retry_initial=0.01)
        client = connect(served)
        assert client.get("/readyz").status_code == 503
        assert client.get("/livez").status_code == 200
        answer = client.post(PROMETHEUS, json=alert())
        assert (answer.status_code, int(answer.headers["Retry-After"])) == (503, 1)
    eventually("it is ready", lambda: client.get("/readyz").status_code == 200)
    assert client.post(PROMETHEUS, json=alert()).status_code == 201


def _by_hand(name: str, digit: str = "0") -> Json:
    return {
        "apiVersion": "kubernaut.ai/v1alpha1",
        "kind": "RemediationRequest",
        "metadata": {"name": name},
        "spec": {
            "signalFingerprint": digit.rjust(64, "0"),
            "signalName": "ByHand",
            "severity": "info",
            "signalType": "prometheus-alert",
            "targetType": "kubernetes",
            "targetResource": {"kind": "Pod", "name": "x"},
            "firingTime": "2026-11-21T10:00:00Z",
            "receivedTime": "2026-11-21T10:00:00Z",
        },
    }
