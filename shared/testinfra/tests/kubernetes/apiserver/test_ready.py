"""A control plane that was leased is ready: everything works at once, without a wait in the test."""

from __future__ import annotations

import json
from pathlib import Path

from shared.testinfra.tests.kubernetes.control_planes import MAPS, configmap, running, wanted
from shared.testinfra.tests.sandbox import Sandbox
from testinfra.kubernetes.crds import Crds
from testinfra.servers.ready import wait_until

ROLES = "/apis/rbac.authorization.k8s.io/v1/clusterroles"


def complete(cache: Path) -> list[Path]:
    """The data directories in the cache; one that is being made has a dot in its name."""
    return [path for path in cache.glob("control-planes/*") if "." not in path.name]


def test_all_is_there_the_moment_it_is_leased(sandbox: Sandbox) -> None:
    """Every check of /readyz, the namespace `default` (writable), the roles of RBAC, and the version asked for."""
    with running(sandbox.state) as (held, rest):
        rest.post(MAPS, configmap("first"))
        said = rest.request("GET", "/readyz", query={"verbose": "true"})
        roles = {role["metadata"]["name"] for role in rest.get(ROLES)["items"]}
    assert "readyz check passed" in said.body["message"]
    assert "[-]" not in said.body["message"]
    assert roles >= {"cluster-admin", "admin", "edit", "view", "system:discovery"}
    assert held.endpoint["version"].startswith("1.36.")


def test_a_definition_installed_first_of_all_is_served(sandbox: Sandbox, tmp_path: Path) -> None:
    """Its objects can be made as soon as it is."""
    names = {"plural": "things", "kind": "Thing"}
    schema = {"openAPIV3Schema": {"type": "object"}}
    versions = [{"name": "v1", "served": True, "storage": True, "schema": schema}]
    definition = {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": "things.example.com"},
        "spec": {"group": "example.com", "scope": "Namespaced", "names": names, "versions": versions},
    }
    (tmp_path / "things.yaml").write_text(json.dumps(definition))
    with running(sandbox.state) as (_, rest):
        Crds(rest).install(tmp_path / "things.yaml")
        body = {"apiVersion": "example.com/v1", "kind": "Thing", "metadata": {"name": "one"}}
        made = rest.post("/apis/example.com/v1/namespaces/default/things", body)
    assert made["metadata"]["generation"] == 1


def test_a_later_start_stands_on_the_roles_of_the_first_and_is_another_cluster(
    sandbox: Sandbox, tmp_path: Path
) -> None:
    """The roles come out of the cache; the namespaces, by which programs tell clusters apart, are its own."""
    roles, clusters = [], []
    for _ in range(2):
        with running(sandbox.state, cache=tmp_path) as (_, rest):
            roles.append(rest.get(f"{ROLES}/view")["metadata"]["uid"])
            clusters.append(rest.get("/api/v1/namespaces/kube-system")["metadata"]["uid"])
            assert rest.get(MAPS)["items"] == []
            rest.post(MAPS, configmap("of-this-one-alone"))
            (seed,) = wait_until(lambda: complete(tmp_path), what="the cache is filled", timeout=20)
            assert sum(path.stat().st_size for path in seed.rglob("*")) < 2_000_000
        wait_until(sandbox.is_empty, what="the first has ended", timeout=5)
    assert roles[0] == roles[1]
    assert clusters[0] != clusters[1]


def test_flags_of_ones_own_reach_the_server_which_then_starts_from_nothing(sandbox: Sandbox, tmp_path: Path) -> None:
    """What a server with other flags has stored might not be what this one would."""
    with running(sandbox.state, wanted("--runtime-config=batch/v1=false"), cache=tmp_path) as (_, rest):
        assert "batch" not in {group["name"] for group in rest.get("/apis")["groups"]}
    assert complete(tmp_path) == []


def test_without_controllers_there_is_one_process_less_and_namespaces_stay(sandbox: Sandbox) -> None:
    """For suites that write a controller of that kind themselves."""
    with running(sandbox.state, wanted(controllers=False)) as (held, rest):
        assert len(held.place.read()["processes"]) == 2
        rest.post("/api/v1/namespaces", {"metadata": {"name": "mine"}})
        rest.delete("/api/v1/namespaces/mine")
        assert rest.get("/api/v1/namespaces/mine")["status"]["phase"] == "Terminating"


def test_two_planes_of_one_run_are_two_clusters(sandbox: Sandbox) -> None:
    """Other address, other certificates; what is in one is not in the other."""
    with running(sandbox.state) as (one, first), running(sandbox.state, wanted(plane=1)) as (other, second):
        assert one.endpoint["server"] != other.endpoint["server"]
        assert Path(one.endpoint["ca_file"]).read_bytes() != Path(other.endpoint["ca_file"]).read_bytes()
        first.post(MAPS, configmap("in-one"))
        assert second.get(MAPS)["items"] == []
