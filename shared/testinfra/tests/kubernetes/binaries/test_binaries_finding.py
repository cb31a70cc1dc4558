"""Programs that the machine has: variables, PATH, and the cache with its records."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from shared.testinfra.tests.kubernetes.binaries import releases
from shared.testinfra.tests.kubernetes.binaries.fileserver import FileServer, script
from testinfra.errors import Misconfigured, NotAvailable
from testinfra.servers.binaries import Sources, locate, locate_all


def put(folder: Path, name: str, line: str) -> Path:
    """Make a program that prints this line."""
    folder.mkdir(exist_ok=True)
    path = folder / name
    path.write_bytes(script(line, 10))
    path.chmod(0o755)
    return path


def test_a_variable_wins_over_path(
    bare_machine: Path, offline: Sources, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And PATH over the rest."""
    put(bare_machine, "etcd", "etcd Version: 3.6.1")
    assert (locate("etcd", offline).version, locate("etcd", offline).source) == ("3.6.1", "PATH")
    path = put(tmp_path / "mine", "my-etcd", "etcd Version: 3.5.9")
    monkeypatch.setenv("TEST_ASSET_ETCD", str(path))
    found = locate("etcd", offline)
    assert (found.path, found.version, found.source) == (path, "3.5.9", "$TEST_ASSET_ETCD")


def test_a_folder_of_setup_envtest_gives_its_three_programs(
    offline: Sources, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, bare_machine: Path
) -> None:
    """The one that such a folder never has is looked for elsewhere."""
    lines = {
        "etcd": "etcd Version: 3.6.8",
        "kube-apiserver": "Kubernetes v1.35.2",
        "kubectl": "Client Version: v1.35.2",
    }
    for name, line in lines.items():
        put(tmp_path / "assets", name, line)
    put(bare_machine, "kube-controller-manager", "Kubernetes v1.35.2")
    monkeypatch.setenv("KUBEBUILDER_ASSETS", str(tmp_path / "assets"))
    found = locate_all([*lines, "kube-controller-manager"], offline)
    assert {found[name].source for name in lines} == {"$KUBEBUILDER_ASSETS"}
    assert found["kube-controller-manager"].source == "PATH"


@pytest.mark.parametrize("variable", ["TEST_ASSET_ETCD", "KUBEBUILDER_ASSETS"])
def test_a_variable_that_points_to_nothing_is_an_error(
    variable: str, offline: Sources, bare_machine: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Though PATH has the program: who sets a variable means it."""
    put(bare_machine, "etcd", "etcd Version: 3.6.1")
    monkeypatch.setenv(variable, "/no/such/place")
    with pytest.raises(Misconfigured, match=f"{variable}=/no/such/place gives no etcd") as caught:
        locate("etcd", offline)
    assert "No such file or directory" in str(caught.value)
    assert f"unset {variable}" in str(caught.value)


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("Kubernetes v1.34.7", "it is version 1.34.7, and 1.35.2 is wanted"),
        ("hello", "ended with code 0 and said 'hello'"),
    ],
)
def test_a_variable_with_another_program_is_an_error(
    line: str, said: str, offline: Sources, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of another version, or of another kind; what to type is said."""
    monkeypatch.setenv("TEST_ASSET_KUBE_APISERVER", str(put(tmp_path / "mine", "x", line)))
    with pytest.raises(Misconfigured) as caught:
        locate("kube-apiserver", offline)
    assert said in str(caught.value)
    assert "or ask for its version: --kubernetes-version=" in str(caught.value)


def test_another_version_on_path_is_passed_over_with_its_reason(
    server: FileServer, sources: Sources, offline: Sources, bare_machine: Path
) -> None:
    """It may be there for something else."""
    path = put(bare_machine, "kube-apiserver", "Kubernetes v1.31.4-k3s1")
    with pytest.raises(NotAvailable) as caught:
        locate("kube-apiserver", offline)
    assert f"{path} on PATH: it is version 1.31.4-k3s1, and 1.35.2 is wanted" in str(caught.value)
    assert "what to type: testinfra binaries fetch kube-apiserver" in str(caught.value)
    assert locate("kube-apiserver", sources).version == "1.35.2"


def test_kubectl_may_be_one_minor_version_away(bare_machine: Path, offline: Sources) -> None:
    """As its project promises; two are too many."""
    put(bare_machine, "kubectl", "Client Version: v1.36.9")
    assert locate("kubectl", offline).version == "1.36.9"
    with pytest.raises(NotAvailable, match=r"1\.36\.9, and 1\.33 to 1\.35 is wanted"):
        locate("kubectl", dataclasses.replace(offline, kubernetes_version="1.34"))


def test_an_unknown_program_or_version_is_an_error(offline: Sources) -> None:
    """With what is known."""
    with pytest.raises(Misconfigured, match="no program 'kubelet' is known"):
        locate("kubelet", offline)
    with pytest.raises(Misconfigured, match="'newest' is no version of Kubernetes"):
        locate("etcd", dataclasses.replace(offline, kubernetes_version="newest"))


def cut_short(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:100])


def changed(path: Path) -> None:
    path.write_bytes(path.read_bytes().replace(b"3.6.8", b"3.6.9"))


def removed(path: Path) -> None:
    path.unlink()


def without_record(path: Path) -> None:
    path.with_name("record.json").unlink()


def with_half_a_record(path: Path) -> None:
    path.with_name("record.json").write_text('{"size": 1')


@pytest.mark.parametrize("damage", [cut_short, changed, removed, without_record, with_half_a_record])
def test_a_damaged_copy_is_not_used_and_fetched_again(
    damage: Callable[[Path], None], server: FileServer, sources: Sources, offline: Sources
) -> None:
    """Whatever is wrong with it."""
    path = locate("etcd", sources).path
    damage(path)
    with pytest.raises(NotAvailable, match=r"the copy of 3\.6\.8 in .* is damaged"):
        locate("etcd", offline)
    assert locate("etcd", sources).path == path
    assert path.read_bytes() == releases.programs("1.35.2")["etcd"]
    assert len(server.asked(releases.archive_path("1.35.2"))) == 2


def test_a_copy_with_another_time_is_checked_once(server: FileServer, sources: Sources, offline: Sources) -> None:
    """As a restored cache has it: the sum tells, and the record takes the new time."""
    path = locate("etcd", sources).path
    record = path.with_name("record.json")
    before = record.read_text()
    os.utime(path, (1, 1))
    assert locate("etcd", offline).path == path
    assert record.read_text() != before
    again = record.stat().st_mtime_ns
    assert locate("etcd", offline).path == path
    assert record.stat().st_mtime_ns == again


def test_a_cache_that_others_can_write_to_is_refused(server: FileServer, sources: Sources) -> None:
    """Programs are run from it."""
    root = locate("etcd", sources).path.parents[2]
    root.chmod(0o775)
    with pytest.raises(NotAvailable, match="writable by nobody else") as caught:
        locate("etcd", sources)
    assert f"chmod go-w {root}" in str(caught.value)


def test_a_cache_that_cannot_be_made_is_told(sources: Sources, tmp_path: Path) -> None:
    """With the folder that is in the way."""
    (tmp_path / "file").touch()
    with pytest.raises(NotAvailable, match="takes no more files: Not a directory"):
        locate("etcd", dataclasses.replace(sources, cache_dir=str(tmp_path / "file")))
