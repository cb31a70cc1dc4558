"""The admission webhook: what it refuses and warns of, asked by a real API server."""

from __future__ import annotations

import base64
import ssl
from collections.abc import Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from servicekit.testing import Served
from testinfra.endpoints import Cluster
from testinfra.kubernetes.rest import ApiError
from toolset.controller.certificates import make
from toolset.controller.resources import path
from toolset.controller.settings import ControllerSettings

if TYPE_CHECKING:
    from testinfra.kubernetes.rest import Rest

Json = dict[str, Any]
URL = "https://127.0.0.1:{port}/review"
CONFIGURATIONS = "/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations"


@pytest.fixture
def settings(settings: ControllerSettings, hook: str) -> ControllerSettings:
    """Give the settings of a controller that registers its webhook."""
    return settings.model_copy(update={"webhook_configuration": hook, "webhook_url": URL})


@pytest.fixture
def service(
    serve: Callable[..., Served], hook: str, registered: Callable[[str], bool], eventually: Callable[..., None]
) -> Served:
    """Give a controller whose webhook the API server asks."""
    served = serve()
    eventually("the webhook is registered", lambda: registered(hook))
    return served


def _refused(configure: Callable[..., Json], *args: str, **spec: Any) -> str:
    with pytest.raises(ApiError) as caught:
        configure(*args, **spec)
    assert caught.value.status == 403
    return str(caught.value.message)


def test_a_good_one_is_let_through(
    service: Served, configure: Callable[..., Json], reached: Callable[..., Json], sampled: Callable[..., float]
) -> None:
    """It is stored and reconciled, and the review is counted."""
    configure()
    reached()
    assert sampled(service, "dynamic_toolset_controller_reviews_total", result="allowed") >= 1


def test_a_configmap_that_another_one_publishes_to(
    service: Served, configure: Callable[..., Json], namespace: Cluster, sampled: Callable[..., float]
) -> None:
    """Refused with the name of the other."""
    configure("first")
    said = _refused(configure, "second")
    home = namespace.namespace
    assert f"ToolsetConfig {home}/first publishes to the ConfigMap {home}/kubernaut-toolset-config already" in said
    assert sampled(service, "dynamic_toolset_controller_reviews_total", result="refused") == 1


def test_a_change_that_takes_anothers_configmap(
    service: Served, configure: Callable[..., Json], rest: Rest, namespace: Cluster
) -> None:
    """Refused too; any other change of the same object is not."""
    configure("first")
    configure("second", configMap={"name": "mine"})
    own = path(namespace.namespace, "second")
    with pytest.raises(ApiError, match="first publishes to"):
        rest.patch(own, {"spec": {"configMap": {"name": "kubernaut-toolset-config"}}})
    assert rest.patch(own, {"spec": {"discoveryInterval": "2m"}})["spec"]["discoveryInterval"] == "2m"


@pytest.mark.parametrize(
    ("labels", "data", "said"),
    [
        ({}, {"toolset.json": "{}"}, "has a key toolset.json that is not ours"),
        ({"app.kubernetes.io/managed-by": "Helm"}, {}, "is managed by Helm"),
        ({"app.kubernetes.io/managed-by": "Helm"}, {"toolset.json": "{}"}, "is managed by Helm"),
    ],
)
def test_a_configmap_that_is_somebody_elses(
    service: Served, configure: Callable[..., Json], rest: Rest, namespace: Cluster, labels: Json, data: Json, said: str
) -> None:
    """Refused, with how that is known."""
    body = {"metadata": {"name": "kubernaut-toolset-config", "labels": labels}, "data": data}
    rest.post(f"/api/v1/namespaces/{namespace.namespace}/configmaps", body)
    assert said in _refused(configure)


@pytest.mark.parametrize(
    ("labels", "data"),
    [
        ({}, {"overrides.yaml": "a: b"}),
        ({"app.kubernetes.io/managed-by": "kubernaut-toolset"}, {"toolset.json": "{}"}),
    ],
    ids=["overrides", "published before"],
)
def test_a_configmap_that_may_be_taken(
    service: Served,
    configure: Callable[..., Json],
    reached: Callable[..., Json],
    rest: Rest,
    namespace: Cluster,
    labels: Json,
    data: Json,
) -> None:
    """One with overrides only, and one that was published by an earlier ToolsetConfig."""
    body = {"metadata": {"name": "kubernaut-toolset-config", "labels": labels}, "data": data}
    rest.post(f"/api/v1/namespaces/{namespace.namespace}/configmaps", body)
    configure()
    reached()


def test_a_namespace_that_the_controller_does_not_serve(service: Served, configure: Callable[..., Json]) -> None:
    """Refused, with what is named and where the controller works."""
    assert "and the ToolsetConfig names elsewhere" in _refused(configure, namespaces=["elsewhere"])
    assert "and the ToolsetConfig names far-away" in _refused(configure, configMap={"namespace": "far-away"})


def test_a_namespace_that_does_not_exist_is_warned_of(
    serve: Callable[..., Served],
    rest: Rest,
    namespace: Cluster,
    hook: str,
    registered: Callable[[str], bool],
    eventually: Callable[..., None],
) -> None:
    """It is stored, and kubectl shows the sentence."""
    absent = f"{namespace.namespace}-no"[-63:].lstrip("-")
    serve(namespaces=(namespace.namespace, absent))
    eventually("the webhook is registered", lambda: registered(hook))
    body = {
        "apiVersion": "toolset.kubernaut.io/v1alpha1",
        "kind": "ToolsetConfig",
        "metadata": {"name": "tools"},
        "spec": {"namespaces": [namespace.namespace, absent]},
    }
    answer = rest.request("POST", path(namespace.namespace), body)
    assert f"there is no namespace {absent} yet" in answer.headers["Warning"]


def test_what_is_being_deleted_can_be_changed(
    service: Served, configure: Callable[..., Json], rest: Rest, namespace: Cluster, eventually: Callable[..., None]
) -> None:
    """A finalizer of somebody's is taken away though the spec would be refused now."""
    configure("first")
    own = path(namespace.namespace, "first")
    rest.patch(own, {"metadata": {"finalizers": ["example.org/wait"]}})
    rest.delete(own)
    rest.patch(own, {"metadata": {"finalizers": None}})
    eventually("it is gone", lambda: rest.get(path(namespace.namespace))["items"] == [])


def test_a_dry_run_leaves_nothing(
    service: Served, configure: Callable[..., Json], rest: Rest, namespace: Cluster
) -> None:
    """It is reviewed, as `sideEffects: None` promises without any effect."""
    body = {
        "apiVersion": "toolset.kubernaut.io/v1alpha1",
        "kind": "ToolsetConfig",
        "metadata": {"name": "tools"},
        "spec": {"namespaces": ["elsewhere"]},
    }
    with pytest.raises(ApiError, match="names elsewhere"):
        rest.post(path(namespace.namespace), body, dryRun="All")
    body["spec"] = {"namespaces": [namespace.namespace]}
    assert rest.post(path(namespace.namespace), body, dryRun="All")["spec"]["discoveryInterval"] == "5m"
    assert rest.get(path(namespace.namespace))["items"] == []


def test_the_certificate_is_in_a_secret(service: Served, rest: Rest, namespace: Cluster, hook: str) -> None:
    """One that all replicas share; the authority of the configuration is its own."""
    secret = rest.get(f"/api/v1/namespaces/{namespace.namespace}/secrets/toolset-webhook-certificate")
    (webhook,) = rest.get(f"{CONFIGURATIONS}/{hook}")["webhooks"]
    assert secret["data"].keys() == {"ca.crt", "ca.key", "tls.crt", "tls.key"}
    assert webhook["clientConfig"]["caBundle"] == secret["data"]["ca.crt"]
    assert webhook["clientConfig"]["url"].startswith("https://127.0.0.1:")


def test_without_a_url_the_service_stays(
    serve: Callable[..., Served],
    rest: Rest,
    hook: str,
    registered: Callable[[str], bool],
    eventually: Callable[..., None],
) -> None:
    """Only the authority is added to what the YAML says."""
    before = rest.get(f"{CONFIGURATIONS}/{hook}")["webhooks"][0]
    serve(webhook_url="")
    eventually("the webhook is registered", lambda: registered(hook))
    after = rest.get(f"{CONFIGURATIONS}/{hook}")["webhooks"][0]
    del after["clientConfig"]["caBundle"]
    assert after == before


def test_a_certificate_of_ones_own(
    serve: Callable[..., Served],
    rest: Rest,
    namespace: Cluster,
    hook: str,
    configure: Callable[..., Json],
    registered: Callable[[str], bool],
    eventually: Callable[..., None],
    files: Json,
) -> None:
    """Given in files: no Secret is made, and the API server is told that authority."""
    serve(**files)
    eventually("the webhook is registered", lambda: registered(hook))
    assert "names elsewhere" in _refused(configure, namespaces=["elsewhere"])
    assert rest.get(f"/api/v1/namespaces/{namespace.namespace}/secrets")["items"] == []


@pytest.fixture
def files(tmp_path: Any) -> Json:
    """Give the settings of a certificate in files."""
    for name, content in make(("127.0.0.1",), datetime.now(UTC)).items():
        (tmp_path / name).write_bytes(content)
    names = {"webhook_certificate": "tls.crt", "webhook_key": "tls.key", "webhook_ca": "ca.crt"}
    return {setting: str(tmp_path / name) for setting, name in names.items()}


@pytest.fixture
def caller(service: Served, rest: Rest, namespace: Cluster, hook: str) -> httpx.Client:
    """Give a client of the webhook that trusts what the API server trusts."""
    (webhook,) = rest.get(f"{CONFIGURATIONS}/{hook}")["webhooks"]
    config = webhook["clientConfig"]
    trust = ssl.create_default_context(cadata=base64.b64decode(config["caBundle"]).decode())
    return httpx.Client(base_url=config["url"].removesuffix("/review"), verify=trust, timeout=60)


def test_what_is_no_review_is_refused(caller: httpx.Client) -> None:
    """400 for what is no AdmissionReview, 404 at any other path: nothing is allowed unseen."""
    with caller:
        assert caller.post("/review", content=b"garbage").status_code == 400
        assert caller.post("/review", json={"a": 1}).status_code == 400
        assert caller.post("/review", json=[]).status_code == 400
        assert caller.post("/", json={}).status_code == 404
        assert caller.get("/review").status_code == 405


def test_a_review_that_cannot_be_made_is_refused(
    serve: Callable[..., Served],
    configure: Callable[..., Json],
    intercept: Any,
    namespace: Cluster,
    hook: str,
    registered: Callable[[str], bool],
    eventually: Callable[..., None],
    sampled: Callable[..., float],
) -> None:
    """What it would be compared with cannot be listed: refused with the reason, not let through."""
    between = intercept(namespace)
    served = serve(kubeconfig=between.endpoint.kubeconfig)
    eventually("the webhook is registered", lambda: registered(hook))
    with between.answer(503, verb="list", resource="toolsetconfigs", times=None):
        assert "it cannot be reviewed now" in _refused(configure)
    assert sampled(served, "dynamic_toolset_controller_failures_total", operation="review", reason="unavailable") == 1
    configure()
