"""Somebody's cluster, by kubeconfig: read in every form, looked at first, and never broken or stopped by us.

The cluster is the run's own control plane, seen only through kubeconfig files that are written here.
"""

from __future__ import annotations

import dataclasses
import json
import socket
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from shared.testinfra.tests.kubernetes.control_planes import is_gone
from shared.testinfra.tests.sandbox import Sandbox
from testinfra.endpoints import Cluster
from testinfra.errors import Misconfigured, NotAvailable, NotReady, StandError
from testinfra.kubernetes import kubeconfig
from testinfra.kubernetes.accounts import await_right
from testinfra.kubernetes.certs import Authority, save
from testinfra.kubernetes.rest import Rest
from testinfra.servers.backend import Spec, Terms, create
from testinfra.servers.share import forget_failures, lease

Account = Callable[[str], tuple[str, str]]


@pytest.fixture
def account(cluster: Cluster, rest: Rest, own: str, request: pytest.FixtureRequest) -> Account:
    """Make a service account that may do these verbs with namespaces; gives its user name and a token."""

    def make(verbs: str) -> tuple[str, str]:
        namespace = own.rpartition("/")[2]
        rest.post(f"{own}/serviceaccounts", {"metadata": {"name": "guest"}})
        token = rest.post(f"{own}/serviceaccounts/guest/token", {"spec": {"expirationSeconds": 600}})
        group, name = "rbac.authorization.k8s.io", f"guest-{namespace}"
        path = f"/apis/{group}/v1"
        rules = [{"apiGroups": [""], "resources": ["namespaces"], "verbs": verbs.split(",")}]
        rest.post(f"{path}/clusterroles", {"metadata": {"name": name}, "rules": rules})
        request.addfinalizer(lambda: rest.delete(f"{path}/clusterroles/{name}"))
        binding = {
            "metadata": {"name": name},
            "roleRef": {"apiGroup": group, "kind": "ClusterRole", "name": name},
            "subjects": [{"kind": "ServiceAccount", "name": "guest", "namespace": namespace}],
        }
        rest.post(f"{path}/clusterrolebindings", binding)
        request.addfinalizer(lambda: rest.delete(f"{path}/clusterrolebindings/{name}"))
        with Rest(dataclasses.replace(cluster, token=token["status"]["token"], cert_file="", key_file="")) as guest:
            await_right(guest, rules[0])
        return f"system:serviceaccount:{namespace}:guest", str(token["status"]["token"])

    return make


def write(path: Path, cluster: Cluster, user: dict[str, Any], **more: Any) -> Path:
    """Write a kubeconfig by hand, with files beside it and two contexts: `theirs` and, without a login, `nobody`."""
    save(path.with_name("ca.crt"), Path(cluster.ca_file).read_bytes())
    content = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [
            {"name": "c", "cluster": {"server": cluster.server, "certificate-authority": "ca.crt"} | more},
        ],
        "users": [{"name": "u", "user": user}, {"name": "n", "user": {}}],
        "contexts": [
            {"name": "theirs", "context": {"cluster": "c", "user": "u"}},
            {"name": "nobody", "context": {"cluster": "c", "user": "n"}},
        ],
        "current-context": "theirs",
    }
    path.write_text(yaml.safe_dump(content))
    return path


def look(sandbox: Sandbox, path: Path | str, context: str = "") -> Cluster:
    """Lease it, as a run would; gives the endpoint."""
    spec = Spec(kind="kubernetes", backend="external", settings={"kubeconfig": str(path), "context": context})
    held = lease(spec, root=sandbox.state, scope="external", terms=Terms())
    try:
        found = Cluster(**held.endpoint)
        with Rest(found) as rest:
            assert not is_gone(rest, "/api/v1/namespaces/default")
        modes = {stat.S_IMODE(file.stat().st_mode) for file in Path(found.kubeconfig).parent.glob("c*")}
        assert modes == {0o600}
    finally:
        held.release()
    return found


def refused(sandbox: Sandbox, path: Path | str, context: str = "") -> StandError:
    """The error that looking at it ends with."""
    with pytest.raises(StandError) as caught:
        look(sandbox, path, context)
    forget_failures()
    return caught.value


def test_files_beside_the_kubeconfig_are_found_and_copied(sandbox: Sandbox, cluster: Cluster, tmp_path: Path) -> None:
    """The copies are in the place, for our eyes only, and go with the lease."""
    for name in ("cert", "key"):
        save(tmp_path / f"{name}.pem", Path(getattr(cluster, f"{name}_file")).read_bytes())
    user = {"client-certificate": "cert.pem", "client-key": "key.pem"}
    found = look(sandbox, write(tmp_path / "config", cluster, user))
    assert (found.backend, found.version, found.audit_log) == ("external", cluster.version, "")
    assert Path(found.cert_file).is_relative_to(sandbox.state)
    assert Path(found.ca_file).is_relative_to(sandbox.state)
    assert not Path(found.cert_file).exists()


def test_inline_certificates_are_read(sandbox: Sandbox, cluster: Cluster) -> None:
    """As in what we write ourselves."""
    assert look(sandbox, cluster.kubeconfig).cert_file


def test_a_token_with_the_four_rights_is_enough(
    sandbox: Sandbox, cluster: Cluster, account: Account, tmp_path: Path
) -> None:
    """An administrator is not needed."""
    _, token = account("create,delete,get,list")
    found = look(sandbox, write(tmp_path / "config", cluster, {"token": token}))
    assert found.token == token
    assert token not in repr(found)


def test_a_plugin_is_run_for_its_token(sandbox: Sandbox, cluster: Cluster, account: Account, tmp_path: Path) -> None:
    """As cloud clusters have it."""
    _, token = account("create,delete,get,list")
    api = "client.authentication.k8s.io/v1"
    answer = {"apiVersion": api, "kind": "ExecCredential", "status": {"token": token}}
    plugin = {"apiVersion": api, "command": "echo", "args": [json.dumps(answer)], "interactiveMode": "Never"}
    assert look(sandbox, write(tmp_path / "config", cluster, {"exec": plugin})).token == token


def test_a_plugin_that_fails_is_told_in_its_own_words(sandbox: Sandbox, cluster: Cluster, tmp_path: Path) -> None:
    """The client's loader would go on without a login."""
    failing = ["-c", "echo please log in again >&2; exit 3"]
    plugin = {"apiVersion": "client.authentication.k8s.io/v1", "command": "sh", "args": failing}
    error = refused(sandbox, write(tmp_path / "config", cluster, {"exec": plugin}))
    assert isinstance(error, NotAvailable)
    assert "please log in again" in error.happened


def test_a_missing_right_is_named_with_the_commands_that_give_it(
    sandbox: Sandbox, cluster: Cluster, account: Account, tmp_path: Path
) -> None:
    """Before any test has run."""
    name, token = account("get,list")
    error = refused(sandbox, write(tmp_path / "config", cluster, {"token": token}))
    assert isinstance(error, NotAvailable)
    assert error.happened == f"the user {name} may not create, delete namespaces in the external cluster"
    assert "kubectl create clusterrole testinfra --verb=create,delete,get,list" in error.next_step
    assert f"--serviceaccount={name.removeprefix('system:serviceaccount:')}" in error.next_step


def test_a_login_that_is_refused_is_told(sandbox: Sandbox, cluster: Cluster, tmp_path: Path) -> None:
    """With the command to try it by hand, and without the token."""
    error = refused(sandbox, write(tmp_path / "config", cluster, {"token": "hush-hush"}))
    assert isinstance(error, NotAvailable)
    assert "refuses the login" in error.happened
    assert "auth whoami" in error.next_step
    assert "hush-hush" not in str(error)


def test_a_context_without_a_login_is_told(sandbox: Sandbox, cluster: Cluster, tmp_path: Path) -> None:
    """The context is the one that was asked for."""
    error = refused(sandbox, write(tmp_path / "config", cluster, {"token": "unused"}), "nobody")
    assert "gives no login" in error.happened
    assert "--context=nobody" in error.next_step


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (None, "No configuration found"),
        ("", "file is empty"),
        ("contexts: [", "while parsing"),
        ("just words", "cannot be used"),
        ("current-context: none\ncontexts: []\nclusters: []\nusers: []\n", "Expected object with name none"),
    ],
    ids=["missing", "empty", "no YAML", "no mapping", "no such context"],
)
def test_a_kubeconfig_that_cannot_be_read_is_told(
    sandbox: Sandbox, tmp_path: Path, text: str | None, says: str
) -> None:
    """With the option, the variable, and the command that lists contexts."""
    path = tmp_path / "config"
    if text is not None:
        path.write_text(text)
    error = refused(sandbox, path)
    assert isinstance(error, Misconfigured)
    assert says in error.happened
    assert "--kubernetes-kubeconfig" in error.looked_at
    assert "config get-contexts" in error.next_step


def test_no_kubeconfig_is_not_somebodys_default_one(sandbox: Sandbox) -> None:
    """Tests on the cluster that a developer looked at last would be a surprise."""
    error = refused(sandbox, "")
    assert isinstance(error, Misconfigured)
    assert "none is ever guessed" in error.happened


@pytest.mark.parametrize(
    ("more", "user", "says"),
    [
        ({"proxy-url": "http://127.0.0.1:1"}, {"token": "t"}, "proxy-url"),
        ({"tls-server-name": "elsewhere"}, {"token": "t"}, "tls-server-name"),
        ({}, {"username": "me", "password": "hush"}, "a password"),
    ],
)
def test_what_is_not_carried_on_is_refused(
    sandbox: Sandbox, cluster: Cluster, tmp_path: Path, more: dict[str, str], user: dict[str, str], says: str
) -> None:
    """Better than a client that goes another way."""
    error = refused(sandbox, write(tmp_path / "config", cluster, user, **more))
    assert isinstance(error, Misconfigured)
    assert f"uses {says}" in error.happened


def test_a_server_that_is_not_there_is_told_with_its_address(sandbox: Sandbox, tmp_path: Path) -> None:
    """And with the command to try it by hand."""
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        server = f"https://127.0.0.1:{closed.getsockname()[1]}"
        ca_file = str(save(tmp_path / "ca.crt", Authority.create().pem))
        path = kubeconfig.write(tmp_path / "config", server=server, ca_file=ca_file, token="t")
        error = refused(sandbox, path)
    assert isinstance(error, NotReady)
    assert f"the external cluster at {server} cannot be used" in error.happened
    assert error.next_step.startswith(f"kubectl --kubeconfig={path} version")


def test_a_server_with_another_certificate_is_not_talked_to(sandbox: Sandbox, cluster: Cluster, tmp_path: Path) -> None:
    """The authority of the kubeconfig decides."""
    ca_file = str(save(tmp_path / "ca.crt", Authority.create().pem))
    error = refused(sandbox, kubeconfig.write(tmp_path / "config", server=cluster.server, ca_file=ca_file, token="t"))
    assert isinstance(error, NotReady)
    assert "CERTIFICATE_VERIFY_FAILED" in error.happened


def test_it_is_not_ours_to_break(cluster: Cluster) -> None:
    """Every fault is refused, and nothing is stopped."""
    backend = create(Spec(kind="kubernetes", backend="external", settings={"kubeconfig": cluster.kubeconfig}))
    assert not backend.kept
    for how in ("kill", "stop", "pause"):
        with pytest.raises(NotAvailable, match="not ours"):
            backend.fault(how)
    backend.stop()
    assert backend.death() == ""


def test_a_run_on_it_leaves_no_namespace_and_stops_nothing(sandbox: Sandbox, cluster: Cluster, rest: Rest) -> None:
    """Only namespaces of the run are removed."""
    sandbox.environment["TESTINFRA_KUBERNETES_KUBECONFIG"] = cluster.kubeconfig
    sandbox.write(
        test_one="""
        import pytest
        @pytest.mark.parametrize("number", range(3))
        def test_one(kubernetes, namespace, number):
            assert kubernetes.endpoint.backend == "external"
            kubernetes.rest().post(f"/api/v1/namespaces/{namespace.namespace}/configmaps", {"metadata": {"name": "a"}})
            print("was given", namespace.namespace)
        """
    )
    done = sandbox.pytest("-rP")
    assert (done.code, done.count("tests")) == (0, 3), done.output
    given = [line.split()[-1] for line in done.output.splitlines() if line.startswith("was given")]
    assert len(set(given)) == 3
    assert all(is_gone(rest, f"/api/v1/namespaces/{name}") for name in given)
    assert not is_gone(rest, "/api/v1/namespaces/default")


def test_a_server_whose_certificate_is_not_to_be_checked_is_talked_to_without_a_warning(cluster: Cluster) -> None:
    """As its kubeconfig says so: pytest would make an error of the warning."""
    with Rest(dataclasses.replace(cluster, ca_file="")) as unchecked:
        assert unchecked.get("/version")["major"] == "1"
