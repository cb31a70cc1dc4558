"""The rights of `examples/serve.yaml`: they are enough, and each of them is needed."""

from __future__ import annotations

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from servicekit.testing import Served
from testinfra.endpoints import Cluster

EXAMPLE = Path(__file__).parents[3] / "examples" / "serve.yaml"
OBJECTS: list[dict[str, Any]] = list(yaml.safe_load_all(EXAMPLE.read_text(encoding="utf-8")))
RULES = {obj["kind"]: obj["rules"] for obj in OBJECTS if "rules" in obj}
RIGHTS = [
    (kind, {**rule, "verbs": [verb]}) for kind, rules in RULES.items() for rule in rules for verb in rule["verbs"]
]
Json = dict[str, Any]
Add = Callable[..., Json]


def _named(value: Any) -> str:
    return f"{value['verbs'][0]}-{value['resources'][0]}" if isinstance(value, dict) else str(value)


@pytest.fixture
def account(service_account: Callable[..., Cluster]) -> Cluster:
    """Give the service's own account, with what the example gives it."""
    return service_account(RULES["Role"], cluster_rules=RULES["ClusterRole"])


@pytest.fixture
def guarded(account: Cluster, serve: Callable[..., Served], connect: Any) -> httpx.Client:
    """Give a client of a service under that account, which asks for tokens; it sends the account's own."""
    served = serve(kubeconfig=account.kubeconfig, auth="token", auth_cache=0.0, namespaces=())
    client: httpx.Client = connect(served, headers={"Authorization": f"Bearer {account.token}"})
    return client


def test_the_rights_of_the_example_are_enough(
    add: Add, guarded: httpx.Client, published: Callable[[], list[Json]], rest: Any, namespace: Cluster
) -> None:
    """To be ready, to know callers, to find tools in all namespaces, to make the ConfigMap and to change it."""
    assert guarded.get("/readyz").status_code == 200
    assert guarded.post("/api/v1/toolsets/generate").status_code == 200
    add("prometheus", 9090)
    assert guarded.post("/api/v1/toolsets/generate").json()["result"] == "updated"
    assert "prometheus" in [tool["name"] for tool in published() if tool["namespace"] == namespace.namespace]
    rest.delete(f"/api/v1/namespaces/{namespace.namespace}/configmaps/kubernaut-toolset-config")
    assert guarded.post("/api/v1/toolsets/generate").json()["result"] == "created"


@pytest.mark.parametrize(("kind", "right"), RIGHTS, ids=_named)
def test_each_right_is_needed(
    add: Add,
    guarded: httpx.Client,
    account: Cluster,
    revoke: Any,
    rest: Any,
    namespace: Cluster,
    kind: str,
    right: Json,
) -> None:
    """Without it the call is 503 and says which it is; it works again when it is given back."""
    assert guarded.post("/api/v1/toolsets/generate").status_code == 200
    if right["verbs"] == ["create"]:
        rest.delete(f"/api/v1/namespaces/{namespace.namespace}/configmaps/kubernaut-toolset-config")
    add("prometheus", 9090)
    with revoke(account, copy.deepcopy(right)):
        answer = guarded.post("/api/v1/toolsets/generate")
        assert (answer.status_code, answer.json()["type"]) == (503, "urn:problem-type:kubernetes-forbidden")
        assert f'cannot {right["verbs"][0]} resource "{right["resources"][0]}"' in answer.json()["detail"]
    assert guarded.post("/api/v1/toolsets/generate").status_code == 200


def test_the_deployment_runs_what_there_is() -> None:
    """Its command, its account, and variables that are settings."""
    (deployment,) = (obj for obj in OBJECTS if obj["kind"] == "Deployment")
    pod = deployment["spec"]["template"]["spec"]
    assert pod["containers"][0]["command"][-2:] == ["toolset", "serve"]
    names = {each["name"] for each in pod["containers"][0]["env"]}
    assert names == {"TOOLSET_HOST", "TOOLSET_CONFIGMAP_NAMESPACE"}
