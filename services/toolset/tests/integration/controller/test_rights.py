"""The rights of the example are enough, and none of them is more than is needed: each is taken away once.

The rules are read from examples/controller.yaml itself. What is missing is told: in a counter that says what it was
for, and where somebody looks who wonders, in the status, in /readyz or in the log; given back, all is well by itself.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import pytest
import yaml

from servicekit.testing import Served
from testinfra.endpoints import Cluster
from toolset.controller.resources import path
from toolset.controller.settings import ControllerSettings

if TYPE_CHECKING:
    from testinfra.kubernetes.rest import Rest

Json = dict[str, Any]
EXAMPLE = Path(__file__).parents[3] / "examples" / "controller.yaml"
NAME = "toolset-controller"
FAILURES = "dynamic_toolset_controller_failures_total"
TOLD = {
    ("toolsetconfigs", "get"): ("read", "log"),
    ("toolsetconfigs", "list"): ("watch", "ready"),
    ("toolsetconfigs", "watch"): ("watch", "ready"),
    ("toolsetconfigs/status", "patch"): ("status", "log"),
    ("services", "list"): ("discover", "status"),
    ("services", "watch"): ("watch", "ready"),
    ("configmaps", "get"): ("publish", "status"),
    ("configmaps", "create"): ("publish", "status"),
    ("configmaps", "patch"): ("publish", "status"),
    ("namespaces", "get"): ("warning", "log"),
    ("validatingwebhookconfigurations", "get"): ("registration", "log"),
    ("validatingwebhookconfigurations", "patch"): ("registration", "log"),
    ("leases", "get"): ("lease", "ready"),
    ("leases", "create"): ("lease", "ready"),
    ("leases", "patch"): ("lease", "log"),
    ("secrets", "get"): ("certificate", "ready"),
    ("secrets", "create"): ("certificate", "ready"),
    ("secrets", "patch"): ("certificate", "ready"),
}
"""Resource and verb: what the failure is counted for, and where else it is told."""


def _rules(kind: str) -> list[Json]:
    found: list[Json] = [
        rule for each in yaml.safe_load_all(EXAMPLE.read_text()) if each["kind"] == kind for rule in each["rules"]
    ]
    return found


RIGHTS = [
    pytest.param(rule, verb, id=f"{rule['resources'][0]}-{verb}")
    for kind in ("ClusterRole", "Role")
    for rule in _rules(kind)
    for verb in rule["verbs"]
]


def _named(rule: Json, configuration: str) -> Json:
    """Return the rule with the name of the test's own configuration, as that is cluster-wide."""
    if rule["resources"] != ["validatingwebhookconfigurations"]:
        return rule
    return {**rule, "resourceNames": [configuration]}


@pytest.fixture
def configured(configure: Callable[..., Json], add: Callable[..., Json], namespace: Cluster, absent: str) -> Json:
    """Make a tool, and a ToolsetConfig that looks for it."""
    add("prometheus", 9090)
    return configure(namespaces=[namespace.namespace, absent])


@pytest.fixture
def hook(configured: Json, hook: str) -> str:
    """Register the webhook afterwards: it refuses all while nobody answers."""
    return hook


@pytest.fixture
def account(service_account: Callable[..., Cluster], hook: str) -> Cluster:
    """Give the controller's own account, with just the rights that the example gives it."""
    wide = [_named(rule, hook) for rule in _rules("ClusterRole")]
    made: Cluster = service_account(_rules("Role"), cluster_rules=wide)
    return made


@pytest.fixture
def settings(settings: ControllerSettings, account: Cluster, hook: str, absent: str) -> ControllerSettings:
    """Give the settings of the example, under that account."""
    return settings.model_copy(
        update={
            "kubeconfig": account.kubeconfig,
            "namespaces": (account.namespace, absent),
            "lease_duration": 4,
            "watch_timeout": 2,
            "webhook_configuration": hook,
            "webhook_url": "https://127.0.0.1:{port}/review",
        }
    )


@pytest.fixture
def absent(namespace: Cluster) -> str:
    """Give the name of a namespace that does not exist."""
    return f"{namespace.namespace}-no"[-63:].lstrip("-")


@pytest.fixture
def is_well(
    rest: Rest, registered: Callable[[str], bool], hook: str, status: Callable[..., Json], namespace: Cluster
) -> Callable[[Served], bool]:
    """Give a function that tells whether all that a controller does is done."""

    def tell(served: Served) -> bool:
        with httpx.Client(base_url=served.url, timeout=60) as client:
            said = client.get("/readyz")
        if said.status_code != 200:
            return False
        states = {each["status"] for each in said.json()["dependencies"].values()}
        found = status()
        done = (found["phase"], found.get("errors")) == ("Completed", [])
        return states == {"ok"} and done and found["servicesDiscovered"] == 1 and registered(hook)

    return tell


def test_every_right_of_the_example_is_looked_at() -> None:
    """The table above names them all, and nothing else."""
    assert {
        (rule["resources"][0], verb)
        for kind in ("ClusterRole", "Role")
        for rule in _rules(kind)
        for verb in rule["verbs"]
    } == set(TOLD)


def test_the_example_is_what_the_server_takes(rest: Rest, namespace: Cluster) -> None:
    """Every document, in this test's namespace, strictly: no field that nobody knows, no warning."""
    homes = {
        "ServiceAccount": "/api/v1/namespaces/{}/serviceaccounts",
        "Service": "/api/v1/namespaces/{}/services",
        "Deployment": "/apis/apps/v1/namespaces/{}/deployments",
        "Role": "/apis/rbac.authorization.k8s.io/v1/namespaces/{}/roles",
        "RoleBinding": "/apis/rbac.authorization.k8s.io/v1/namespaces/{}/rolebindings",
        "ClusterRole": "/apis/rbac.authorization.k8s.io/v1/clusterroles",
        "ClusterRoleBinding": "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings",
        "ValidatingWebhookConfiguration": "/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations",
    }
    documents = [each for each in yaml.safe_load_all(EXAMPLE.read_text()) if each["kind"] != "Namespace"]
    assert {each["kind"] for each in documents} == set(homes)
    for each in documents:
        if each["metadata"].pop("namespace", None):
            each["metadata"]["namespace"] = namespace.namespace
        where = homes[each["kind"]].format(namespace.namespace)
        answer = rest.request("POST", where, each, query={"dryRun": "All", "fieldValidation": "Strict"})
        assert (answer.status, answer.headers.get("Warning")) == (201, None), each["kind"]


def test_the_names_of_the_example_are_the_defaults() -> None:
    """What the rights name is what a controller asks for that was told nothing."""
    named = {
        name for kind in ("ClusterRole", "Role") for rule in _rules(kind) for name in rule.get("resourceNames", ())
    }
    own = ControllerSettings()
    assert named == {own.lease_name, own.webhook_secret, own.webhook_service}


def test_the_rights_of_the_example_are_enough(
    service: Served,
    is_well: Callable[[Served], bool],
    eventually: Callable[..., None],
    sampled: Callable[..., float],
    rest: Rest,
    namespace: Cluster,
) -> None:
    """With these and no others all is done, and nothing was forbidden."""
    eventually("all is done", lambda: is_well(service))
    own = f"/api/v1/namespaces/{namespace.namespace}/configmaps/kubernaut-toolset-config"
    rest.patch(own, {"data": {"toolset.json": "drift"}})
    rest.patch(path(namespace.namespace, "tools"), {"spec": {"discoveryInterval": "1h"}})
    eventually("drift is mended", lambda: rest.get(own)["data"]["toolset.json"] != "drift")
    for operation in {operation for operation, _ in TOLD.values()}:
        assert sampled(service, FAILURES, operation=operation, reason="forbidden") == 0, operation


@pytest.mark.parametrize(("rule", "verb"), RIGHTS)
def test_a_right_that_is_missing_is_told_and_heals(
    rule: Json,
    verb: str,
    account: Cluster,
    revoke: Any,
    serve: Callable[..., Served],
    rest: Rest,
    namespace: Cluster,
    hook: str,
    registered: Callable[[str], bool],
    told: Callable[[Served, str, str, str], bool],
    sampled: Callable[..., float],
    is_well: Callable[[Served], bool],
    eventually: Callable[..., None],
) -> None:
    """The controller begins without it; what is missing is counted and told, and all is done once it is given."""
    resource = rule["resources"][0]
    operation, where = TOLD[resource, verb]
    home = f"/api/v1/namespaces/{namespace.namespace}"
    if (resource, verb) == ("configmaps", "patch"):
        rest.post(f"{home}/configmaps", {"metadata": {"name": "kubernaut-toolset-config"}})
    if (resource, verb) == ("secrets", "patch"):
        rest.post(f"{home}/secrets", {"metadata": {"name": "toolset-webhook-certificate"}})
    with revoke(account, {**_named(rule, hook), "verbs": [verb]}):
        served = serve(ready=False)
        if resource == "namespaces":
            eventually("the webhook is registered", lambda: registered(hook))
            rest.patch(path(namespace.namespace, "tools"), {"spec": {"discoveryInterval": "1h"}})
        eventually("it is counted", lambda: sampled(served, FAILURES, operation=operation, reason="forbidden") > 0)
        eventually(f"it is told in the {where}", lambda: told(served, where, verb, resource))
    eventually("all is done", lambda: is_well(served))


@pytest.fixture
def told(status: Callable[..., Json], caplog: pytest.LogCaptureFixture) -> Callable[[Served, str, str, str], bool]:
    """Give a function that tells whether a failure is said where it has to be."""

    def tell(served: Served, where: str, verb: str, resource: str) -> bool:
        words = f'cannot {verb} resource "{resource}"'
        if where == "status":
            found = status()
            return found["phase"] == "Failed" and any(words in error for error in found["errors"])
        if where == "log":
            return any(words in record.getMessage() for record in caplog.records)
        with httpx.Client(base_url=served.url, timeout=60) as client:
            said = client.get("/readyz").json()["dependencies"]
        failing = {name: each["detail"] for name, each in said.items() if each["status"] == "failing"}
        dependency = {"leases": "lease", "secrets": "webhook"}.get(resource, "watches")
        return dependency in failing and (dependency != "watches" or resource in failing["watches"])

    return tell
