"""What the fake does not do: each difference is shown on the fake, and the real behaviour on the real server.

Rule: the docstring of each test is, word by word, a line of docs/reference/fake-differences.md, and there is no other.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest

from shared.testinfra.tests.contract.kubernetes.room import (
    APPLY_PATCH,
    GROUP,
    LOWEST,
    Object,
    Room,
    named,
    refused,
    widget,
)
from shared.testinfra.tests.contract.kubernetes.widgets import CRDS, definition, install
from testinfra.endpoints import Cluster
from testinfra.kubernetes.rest import ApiError
from testinfra.servers.ready import wait_until

PAGE = Path(__file__).parents[5] / "docs/reference/fake-differences.md"
NOWHERE = "https://127.0.0.1:1/hook"
"""Where nobody answers."""


@pytest.fixture
def fake(cluster: Cluster) -> bool:
    """Whether this is the fake."""
    return cluster.backend == "fake"


def test_apply(custom: Room, fake: bool) -> None:
    """Server-side apply is refused with 415, which says so; `kubectl apply` without `--server-side` works."""
    for resource, body in (("configmaps", named("a", data={"k": "v"})), ("widgets", widget("a"))):

        def apply(resource: str = resource, body: Object = body) -> Object:
            whole = custom.body(resource, body)
            return custom.patch(resource, "a", whole, content_type=APPLY_PATCH, fieldManager="tests")

        if fake:
            with refused(415, "UnsupportedMediaType") as said:
                apply()
            assert "testinfra's fake) does not do server-side apply" in said.value.message
        else:
            assert apply()["metadata"]["managedFields"][0]["operation"] == "Apply"


def test_managed_fields(room: Room, fake: bool) -> None:
    """`metadata.managedFields` is never written."""
    made = room.create("configmaps", named("a", data={"k": "v"}), fieldManager="tests")
    assert ("managedFields" in made["metadata"]) is not fake


def test_webhooks(room: Room, fake: bool) -> None:
    """Admission webhooks are stored and never called."""
    hook = {
        "name": "deny.example.com",
        "sideEffects": "None",
        "admissionReviewVersions": ["v1"],
        "timeoutSeconds": 1,
        "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": room.name}},
        "clientConfig": {"url": NOWHERE},
        "rules": [{"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["secrets"]}],
    }
    group = "admissionregistration.k8s.io/v1"
    body = {"apiVersion": group, "kind": "ValidatingWebhookConfiguration", **named(room.name, webhooks=[hook])}
    room.rest.post(f"/apis/{group}/validatingwebhookconfigurations", body)
    if fake:
        room.create("secrets", named("a"))
    else:
        wait_until(lambda: fails(room, "failed calling webhook"), what="the webhook is called", timeout=20)


def fails(room: Room, words: str) -> bool:
    """Whether a create of a secret is refused with these words."""
    try:
        room.create("secrets", {"metadata": {"generateName": "a-"}}, dryRun="All")
    except ApiError as exc:
        return words in exc.message
    return False


def test_policies(room: Room, fake: bool) -> None:
    """Limit ranges and quotas are stored and not enforced."""
    limits = {"limits": [{"type": "Container", "default": {"cpu": "1"}}]}
    path = f"/api/v1/namespaces/{room.name}/limitranges"
    room.rest.post(path, {"apiVersion": "v1", "kind": "LimitRange", **named("a", spec=limits)})

    def resources() -> Object:
        pod = room.create("pods", named("a", spec={"containers": [{"name": "m", "image": "i"}]}), dryRun="All")
        return dict(pod["spec"]["containers"][0]["resources"])

    if fake:
        assert resources() == {}
    else:
        wait_until(lambda: resources().get("limits") == {"cpu": "1"}, what="the default is used", timeout=20)


def test_conversion(room: Room, fake: bool) -> None:
    """Conversion webhooks of custom resources are never called: every version is given as it was stored."""
    plural = "y" + room.name.replace("-", "")[-50:]
    crd = definition(plural, plural.capitalize(), {"type": "object"})
    crd["spec"]["versions"].append({**crd["spec"]["versions"][0], "name": LOWEST, "storage": False})
    client = {"conversionReviewVersions": ["v1"], "clientConfig": {"url": NOWHERE}}
    crd["spec"]["conversion"] = {"strategy": "Webhook", "webhook": client}
    install(room.rest, crd)
    path = f"/apis/{GROUP}/v1/namespaces/{room.name}/{plural}"
    body = {"apiVersion": f"{GROUP}/v1", "kind": plural.capitalize(), **named("a")}
    room.rest.post(path, body)
    other = path.replace("/v1/", f"/{LOWEST}/") + "/a"
    if fake:
        assert room.rest.get(other)["apiVersion"] == f"{GROUP}/{LOWEST}"
    else:
        with refused(500, "") as said:
            room.rest.get(other)
        assert f"conversion webhook for {GROUP}/v1" in said.value.message
    room.rest.delete(f"{CRDS}/{plural}.{GROUP}")


@pytest.mark.parametrize(
    "rule",
    [
        "quantity(self.x).isGreaterThan(quantity('1'))",
        "ip(self.x).family() == 4",
        "cidr(self.x).containsIP('10.0.0.1')",
        "semver(self.x).major() == 1",
        "format.dns1123Label().validate(self.x).hasValue()",
        "optional.of(self.x).hasValue()",
    ],
)
def test_functions_of_rules(room: Room, fake: bool, rule: str) -> None:
    """CEL rules may not use `quantity`, `ip`, `cidr`, `semver`, `format` or `optional`: their definition is refused."""
    properties = {"x": {"type": "string", "maxLength": 50}}
    schema = {"type": "object", "properties": properties, "x-kubernetes-validations": [{"rule": rule}]}
    body = definition("rulers", "Ruler", schema)
    if fake:
        with refused(422, "Invalid") as said:
            room.rest.post(CRDS, body, dryRun="All")
        assert "x-kubernetes-validations[0].rule" in said.value.message
    else:
        room.rest.post(CRDS, body, dryRun="All")


@pytest.mark.parametrize(
    ("rule", "why"),
    [
        ("self.nothing == 1", "undefined field 'nothing'"),
        ("size(self.texts)", "must evaluate to a bool"),
        ("self.texts.all(a, self.texts.all(b, a == b))", "estimated rule cost exceeds budget"),
    ],
)
def test_installing_rules(room: Room, fake: bool, rule: str, why: str) -> None:
    """CEL rules are read when they are installed; their types are not checked and their cost is not estimated."""
    properties = {"texts": {"type": "array", "items": {"type": "string"}}}
    schema = {"type": "object", "properties": properties, "x-kubernetes-validations": [{"rule": rule}]}
    body = definition("rulers", "Ruler", schema)
    if fake:
        room.rest.post(CRDS, body, dryRun="All")
    else:
        with refused(422, "Invalid") as said:
            room.rest.post(CRDS, body, dryRun="All")
        assert why in said.value.message


def test_protobuf(room: Room, fake: bool) -> None:
    """Protobuf is read where kubectl sends it, and never written: who asks for nothing else gets 406."""
    how: Object = {"headers": {"Accept": "application/vnd.kubernetes.protobuf"}}
    if fake:
        with refused(406, "NotAcceptable"):
            room.answer("GET", "secrets", **how)
    else:
        assert room.answer("GET", "secrets", **how).headers["Content-Type"] == "application/vnd.kubernetes.protobuf"


@pytest.mark.parametrize(
    "path",
    [
        "/apis/apiregistration.k8s.io/v1/apiservices",
        "/apis/flowcontrol.apiserver.k8s.io/v1/flowschemas",
        "/apis/certificates.k8s.io/v1/certificatesigningrequests",
        "/metrics",
    ],
)
def test_groups(room: Room, fake: bool, path: str) -> None:
    """The groups of API services, of priority and fairness and of certificates are missing, and so is /metrics."""
    if fake:
        with refused(404, ""):
            room.rest.get(path)
    else:
        room.rest.get(path)


def test_nodes(room: Room, fake: bool) -> None:
    """Pods have no `log`, `exec`, `attach` and `portforward`; a real server without nodes has nothing to show there."""
    room.create("pods", named("a", spec={"containers": [{"name": "m", "image": "i"}]}))
    if fake:
        with refused(404, "NotFound"):
            room.rest.get(room.path("pods", "a", "log"))
    else:
        assert room.rest.request("GET", room.path("pods", "a", "log")).status == 204


def test_rules_of_built_in_kinds(room: Room, fake: bool) -> None:
    """Of the checks on built-in kinds the common ones are made: a CronJob's schedule, for example, is not read."""
    pod = {"restartPolicy": "Never", "containers": [{"name": "m", "image": "i"}]}
    spec = {"schedule": "nonsense", "jobTemplate": {"spec": {"template": {"spec": pod}}}}
    body = {"apiVersion": "batch/v1", "kind": "CronJob", **named("a", spec=spec)}
    path = f"/apis/batch/v1/namespaces/{room.name}/cronjobs"
    if fake:
        room.rest.post(path, body)
    else:
        with refused(422, "Invalid"):
            room.rest.post(path, body)


def test_descriptions(room: Room, fake: bool) -> None:
    """OpenAPI has types and no texts for built-in kinds: `kubectl explain` shows no descriptions."""
    listed = room.rest.get("/openapi/v3")["paths"]
    schemas = room.rest.get(listed["api/v1"]["serverRelativeURL"])["components"]["schemas"]
    assert ("description" in schemas["io.k8s.api.core.v1.ConfigMap"]) is not fake


def test_protection(room: Room, fake: bool) -> None:
    """Claims and volumes are given no finalizers that protect them while they are used."""
    spec = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}
    made = room.create("persistentvolumeclaims", named("a", spec=spec))
    assert ("kubernetes.io/pvc-protection" in made["metadata"].get("finalizers", [])) is not fake


def test_patterns(room: Room, fake: bool) -> None:
    r"""Patterns of custom resources are read by Python's `re`: it knows no classes such as `\p{L}`."""
    spec: Object = {"type": "object", "properties": {"a": {"type": "string", "pattern": r"^\p{L}+$"}}}
    crd = definition("letters", "Letter", spec)
    if fake:
        with refused(422, "Invalid"):
            room.rest.post(CRDS, crd, dryRun="All")
    else:
        assert room.rest.post(CRDS, crd, dryRun="All")


def test_waiting(room: Room, fake: bool) -> None:
    """An empty namespace is gone at once, where a real one takes five seconds or more."""
    path = f"/api/v1/namespaces/{room.name}"
    room.rest.delete(path)
    if fake:
        wait_until(lambda: is_missing(room, path), what="the namespace is gone", timeout=1)
    else:
        assert room.rest.get(path)["status"]["phase"] == "Terminating"


def is_missing(room: Room, path: str) -> bool:
    """Whether there is nothing."""
    try:
        room.rest.get(path)
    except ApiError as exc:
        return exc.status == 404
    return False


def test_the_page_lists_exactly_these_differences() -> None:
    """Each docstring above is an item of the page."""
    module = sys.modules[__name__]
    tests = [each for name, each in vars(module).items() if name.startswith("test_") and "page" not in name]
    items = re.findall(r"^- (.+)$", PAGE.read_text(encoding="utf-8"), flags=re.MULTILINE)
    assert items == [each.__doc__ for each in tests]
