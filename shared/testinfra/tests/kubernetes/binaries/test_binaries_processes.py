"""Several processes at once, killed ones, and disks that end: nothing half-written is ever used."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from shared.testinfra.tests.kubernetes.binaries import machine, releases
from shared.testinfra.tests.kubernetes.binaries.fileserver import Fault, FileServer, archive
from testinfra.servers.binaries import Sources, locate
from testinfra.servers.ready import wait_until

ARCHIVE = releases.archive_path("1.35.2")


def programs(sources: Sources) -> list[Path]:
    """The programs in the cache, and what a killed process left of them."""
    return [
        path for path in Path(sources.cache_dir).rglob("*") if path.is_file() and path.suffix not in (".lock", ".part")
    ]


def test_four_processes_at_once_download_once(server: FileServer, sources: Sources) -> None:
    """All get the same file; three waited for it."""
    fault = Fault(path=ARCHIVE, stall=1000)
    server.faults.append(fault)
    running = [machine.start(["etcd"], sources) for _ in range(4)]
    wait_until(lambda: len(server.asked(releases.INDEX)) == 4, what="all four know what to download", timeout=30)
    fault.go_on.set()
    outputs = [process.communicate(timeout=30) for process in running]
    assert [process.returncode for process in running] == [0, 0, 0, 0], outputs
    assert len({out for out, _ in outputs}) == 1
    assert len(server.asked(ARCHIVE)) == 1


def test_a_download_that_was_killed_is_taken_up_where_it_ended(server: FileServer, sources: Sources) -> None:
    """Nothing is there to be used in between, and nothing is left of it afterwards."""
    server.faults.append(Fault(path=ARCHIVE, stall=50_000))
    process = machine.start(["etcd"], sources)
    part = Path(sources.cache_dir, "tools").glob("*/.work/*.part")
    with process:
        wait_until(
            lambda: [path for path in Path(sources.cache_dir).rglob("*.part") if path.stat().st_size == 50_000],
            what="50 kB have come",
            timeout=30,
        )
        process.kill()
    assert programs(sources) == []
    assert locate("etcd", sources).version == "3.6.8"
    assert server.asked(ARCHIVE) == ["", "bytes=50000-"]
    assert list(part) == []


def test_a_process_killed_while_it_unpacks_leaves_nothing_that_is_used(
    server: FileServer, sources: Sources, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its drafts are removed by the next that comes."""
    gate, reached = tmp_path / "gate", tmp_path / "reached"
    gate.touch()
    monkeypatch.setenv("GATE", str(gate))
    monkeypatch.setenv("REACHED", str(reached))
    waiting = b'#!/bin/sh\n: >"$REACHED"\nwhile [ -e "$GATE" ]; do /bin/sleep 0.05; done\necho "etcd Version: 3.6.8"\n'
    server.files |= releases.release("1.35.2", archive({"etcd": waiting}))
    process = machine.start(["etcd"], sources)
    with process:
        wait_until(reached.exists, what="the draft is asked for its version", timeout=30)
        process.kill()
    gate.unlink()
    drafts = programs(sources)
    assert {path.name for path in drafts} == {"etcd"}
    assert ".work" in drafts[0].parts
    assert locate("etcd", sources).path not in drafts
    assert [path for path in programs(sources) if ".work" in path.parts] == []


def bounded(folder: Path, kilobytes: int) -> list[str]:
    """Give what makes a command see `folder` on a disk of that size: a real small one, or a limit of the process."""
    mounted = f'mount -t tmpfs -o size={kilobytes}k none {folder} && exec "$@"'
    private = ["unshare", "--mount", "sh", "-c", mounted, "sh"]
    if shutil.which("unshare") and subprocess.run([*private, "true"], capture_output=True, check=False).returncode == 0:
        return [*private, "sh", "-c", f'"$@"; code=$?; find {folder} -type f; exit $code', "sh"]
    limited = f'ulimit -f {kilobytes}; "$@"; code=$?; find {folder} -type f; exit $code'
    return ["sh", "-c", limited, "sh"]


LARGE_WHEN_UNPACKED = archive({"etcd": b"#!/bin/sh\necho 'etcd Version: 3.6.8'\nexit\n" + bytes(3_000_000)})


@pytest.mark.parametrize("content", [None, LARGE_WHEN_UNPACKED], ids=["while downloading", "while unpacking"])
def test_a_full_disk_is_told_and_what_filled_it_is_removed(
    server: FileServer, sources: Sources, monkeypatch: pytest.MonkeyPatch, content: bytes | None
) -> None:
    """Said at once, without another attempt."""
    monkeypatch.setenv("PATH", os.defpath)
    server.files |= releases.release("1.35.2", content)
    folder = Path(sources.cache_dir)
    folder.mkdir()
    command = machine.asking(["etcd"], sources, wrapper=bounded(folder, 200))
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 1, done.stderr
    assert "takes no more files" in done.stderr
    assert "likely cause: the disk, or our share of it, is full" in done.stderr
    assert [line for line in done.stdout.splitlines() if not line.endswith(".lock")] == []
    assert len(server.asked(ARCHIVE)) == 1
