"""Programs from servers: in small, in the form and under the paths of the real ones."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from shared.testinfra.tests.kubernetes.binaries import releases
from shared.testinfra.tests.kubernetes.binaries.fileserver import Fault, FileServer, archive, running, script, sha512
from testinfra.errors import Misconfigured, NotAvailable
from testinfra.servers.binaries import Lines, Sources, locate, locate_all

ALL = ("kube-apiserver", "etcd", "kubectl", "kube-controller-manager")
ARCHIVE = releases.archive_path("1.35.2")


def files(sources: Sources) -> list[str]:
    """Every program, record and part file in the cache."""
    return sorted(path.name for path in Path(sources.cache_dir).rglob("*") if path.is_file() and path.suffix != ".lock")


def refused(sources: Sources, *names: str) -> str:
    """The message with which they are not available; the cache has none of them."""
    with pytest.raises(NotAvailable) as caught:
        locate_all(names or ["etcd"], sources)
    assert [name for name in files(sources) if not name.endswith(".part")] == []
    return str(caught.value)


def test_programs_come_from_the_archive_and_the_release_site(server: FileServer, sources: Sources) -> None:
    """Those of one archive with one download, and each is the file that was packed."""
    lines: list[str] = []
    found = locate_all(ALL, sources, reporter=Lines(lines.append))
    versions = {"kube-apiserver": "1.35.2", "etcd": "3.6.8", "kubectl": "1.35.2", "kube-controller-manager": "1.35.2"}
    assert {name: binary.version for name, binary in found.items()} == versions
    assert found["etcd"].path.read_bytes() == releases.programs("1.35.2")["etcd"]
    assert found["etcd"].source == "cache, downloaded from github.com"
    assert len(server.asked(ARCHIVE)) == 1
    assert lines[0].startswith("downloading kube-apiserver, etcd, kubectl (envtest 1.35.2) from 127.0.0.1: ")


def test_of_a_series_the_newest_release_is_taken(server: FileServer, sources: Sources) -> None:
    """By numbers, not by letters, and no alpha."""
    packed = {version: archive(releases.programs(version)) for version in ("1.35.2", "1.35.10")}
    server.files |= {releases.archive_path(version): content for version, content in packed.items()}
    sums = {version: sha512(content) for version, content in packed.items()}
    server.files[releases.INDEX] = releases.index(sums | {"1.35.11-alpha.1": "0" * 128})
    assert locate("kube-apiserver", dataclasses.replace(sources, kubernetes_version="1.35")).version == "1.35.10"


def test_what_was_downloaded_is_not_asked_for_again(server: FileServer, sources: Sources) -> None:
    """Nor is what came along in the same archive."""
    locate("etcd", sources)
    before = len(server.requests)
    assert locate("kubectl", sources).version == "1.35.2"
    assert len(server.requests) == before


def test_a_file_without_the_checksum_of_the_catalogue_is_refused(server: FileServer, sources: Sources) -> None:
    """It is removed, and the message has both sums; the index is not asked, as the catalogue has the release."""
    server.files |= releases.release("1.36.2")
    said = refused(dataclasses.replace(sources, kubernetes_version="1.36"))
    assert f"envtest-v1.36.2-{releases.SYSTEM}-{releases.ARCHITECTURE}.tar.gz: its SHA-512 is " in said
    assert files(sources) == []
    assert server.asked(releases.INDEX) == []


@pytest.mark.parametrize(
    ("path", "content", "said"),
    [
        (releases.INDEX, b"<html>Please log in</html>", "is no index of releases"),
        (releases.INDEX, releases.index({"1.34.0": "0" * 128}), "has no envtest 1.35.2 for"),
        (releases.INDEX, releases.index({"1.35.2": "0" * 128}), "and 0000000000000000... was expected"),
    ],
)
def test_an_index_that_does_not_help_is_told(
    server: FileServer, sources: Sources, path: str, content: bytes, said: str
) -> None:
    """As the reason of the download."""
    server.files[path] = content
    assert said in refused(sources)


def test_a_checksum_file_that_is_none_is_told(server: FileServer, sources: Sources) -> None:
    """A login page in its place is not taken for a sum."""
    path = next(path for path in server.files if path.endswith(".sha512"))
    server.files[path] = b"<html>"
    assert "is no SHA-512: '<html>'" in refused(sources, "kube-controller-manager")


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"no archive", "is no archive"),
        (archive(releases.programs("1.35.2"))[:-400], "is no archive"),
        (archive({"kubectl": script("Client Version: v1.35.2")}), "has no etcd; it has controller-tools/envtest, "),
        (archive({"etcd": script("etcd Version: 3.4.1")}), "it is version 3.4.1, and 3.5 or 3.6 is wanted"),
        (archive({"etcd": b"\x7fELF of another machine"}), "it does not run: "),
        (archive({"etcd": b"#!/bin/sh\nexit 3\n"}), "it ended with code 3 and said 'nothing'"),
    ],
)
def test_an_archive_that_does_not_have_the_program_is_told(
    server: FileServer, sources: Sources, content: bytes, said: str
) -> None:
    """Though its checksum is right: it is no archive, lacks the program, or has another than was asked for."""
    server.files |= releases.release("1.35.2", content)
    assert said in refused(sources)
    assert files(sources) == []


def test_a_cut_connection_is_taken_up_where_it_ended(server: FileServer, sources: Sources) -> None:
    """The second request asks for the rest, and no byte comes twice."""
    server.faults += [Fault(path=ARCHIVE, cut=70_000), Fault(path=ARCHIVE, cut=30_000)]
    assert locate("etcd", sources).version == "3.6.8"
    assert server.asked(ARCHIVE) == ["", "bytes=70000-", "bytes=100000-"]


def test_a_server_that_gives_no_parts_is_asked_for_all(server: FileServer, sources: Sources) -> None:
    """What came before is thrown away."""
    server.faults += [Fault(path=ARCHIVE, cut=70_000), Fault(path=ARCHIVE, no_range=True)]
    assert locate("etcd", sources).version == "3.6.8"


def part_file(sources: Sources, content: bytes) -> Path:
    """Leave behind what a killed download would."""
    locate("kube-controller-manager", sources)  # so that the folders are there
    part = next(Path(sources.cache_dir).rglob(".work")) / "envtest-1.35.2.part"
    part.write_bytes(content)
    return part


def test_a_part_of_another_file_costs_one_more_attempt(server: FileServer, sources: Sources) -> None:
    """The sum tells; then all of it is asked for."""
    part = part_file(sources, b"x" * 1000)
    assert locate("etcd", sources).version == "3.6.8"
    assert server.asked(ARCHIVE) == ["bytes=1000-", ""]
    assert not part.exists()


def test_a_part_that_is_the_whole_is_used(server: FileServer, sources: Sources) -> None:
    """As when the process was killed between download and unpacking."""
    content = server.files[ARCHIVE]
    part_file(sources, content)
    assert locate("etcd", sources).version == "3.6.8"
    assert server.asked(ARCHIVE) == [f"bytes={len(content)}-"]


def test_a_refusal_is_told_with_what_may_help(server: FileServer, sources: Sources) -> None:
    """Among all that was tried."""
    server.faults += [Fault(path=ARCHIVE, status=401)]
    said = refused(sources)
    assert "etcd: not on PATH" in said
    assert "answers 401 Unauthorized: it wants a login, which may stand in the mirror's address" in said
    assert "build is switched off" in said


def test_a_second_place_is_asked_where_the_first_does_not_have_it(server: FileServer, sources: Sources) -> None:
    """The API server is in the archive and on the release site."""
    manager = next(path for path in server.files if path.endswith("kube-controller-manager"))
    for suffix in ("", ".sha512"):
        server.files[manager.replace("controller-manager", "apiserver") + suffix] = server.files[manager + suffix]
    server.faults += [Fault(path=ARCHIVE, status=404)]
    assert locate("kube-apiserver", sources).source == "cache, downloaded from dl.k8s.io"


def test_a_mirror_may_be_for_one_host(server: FileServer, sources: Sources, bare_machine: Path) -> None:
    """The other hosts go to the one that is for all; a login in the address is used and not shown."""
    other = FileServer({})
    with running(other):
        login = server.url.replace("//", "//me:secret@")
        mirrors = [f"{other.url}/all/", f"github.com={login}", f"raw.githubusercontent.com={server.url}"]
        said = refused(dataclasses.replace(sources, mirrors=mirrors), "kube-controller-manager")
        assert other.requests[0][0].startswith("/all/release/v1.35.2/bin/")
        assert "/all/release" in said
        assert locate("etcd", dataclasses.replace(sources, mirrors=mirrors)).version == "3.6.8"
        server.files = {}
        said = refused(dataclasses.replace(sources, mirrors=mirrors, cache_dir=f"{sources.cache_dir}-2"))
        assert "secret" not in said


def test_a_mirror_that_is_no_address_is_refused(sources: Sources) -> None:
    """With what would be right."""
    with pytest.raises(Misconfigured, match=r"'mirror\.example' is no mirror"):
        locate("etcd", dataclasses.replace(sources, mirrors=["mirror.example"]))
