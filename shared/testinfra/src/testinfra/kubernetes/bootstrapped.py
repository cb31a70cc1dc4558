"""etcd's data as the first API server ever left it: kept in the cache, copied for every later one.

Problem: over empty data an API server makes 150 roles, bindings and flow schemas, one after the other.
Solution: over data where they are it only looks. They are copied from the first server of a version the moment it is
          ready, while its etcd is held still: what a crash would leave, and etcd starts from that.
Cost: half a megabyte for each version in the cache; 10 ms of the first start, once.

Rule 1: a directory in the cache is complete, for it gets its name last.
Rule 2: it begins with a snapshot of etcd's own, so that the log after it is short. From a longer one etcd 3.6 may die:
        once it has applied 100 entries it forgets the first, and an election before its Raft part knows that they are
        applied looks for it ("unavailable due to compaction"). Elections are early here; see `etcd`.
Rule 3: nothing in it tells whose it was: namespaces (by whose uid programs tell clusters apart), leases and published
        certificates are taken out, and the server that starts makes its own.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import json
import os
import shutil
import signal
import socket
from collections.abc import Iterable
from pathlib import Path

from testinfra.errors import NotReady
from testinfra.kubernetes.etcd import Etcd
from testinfra.servers.ready import wait_until

_FORMAT = "2"
_OWN = ("namespaces", "leases", "masterleases", "peerserverleases", "configmaps", "services", "endpointslices")
_UNWRITTEN = 4096
"""Zero bytes kept behind a log's last record: they mark its end."""
_TIMEOUT = 10.0
_SLOW_WITH_SNAPSHOTS = {"snapshot-count": "1", "heartbeat-interval": "100", "election-timeout": "1000"}


def cached(programs: Iterable[str], cache_dir: str) -> Path | None:
    """Give the folder where the data for these programs is, or is to be, cached; None if no folder of ours can be."""
    if cache_dir:
        root = Path(cache_dir).expanduser().absolute()
    else:
        import platformdirs  # noqa: PLC0415 - a start pays for every import

        root = Path(platformdirs.user_cache_dir("testinfra"))
    parts = [_FORMAT]
    for program in programs:
        info = Path(program).stat()
        parts.append(f"{program} {info.st_size} {info.st_mtime_ns}")
    folder = root / "control-planes"
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if folder.stat().st_uid != os.getuid() or folder.stat().st_mode & 0o022:
            return None
    except OSError:
        return None
    return folder / hashlib.sha256("\n".join(parts).encode()).hexdigest()[:12]


def snapshot(etcd: Etcd, home: Path) -> None:
    """Copy the data of the running `etcd` into the new folder `home`, if there is room for it."""
    etcd.process.pause()
    try:
        copy(etcd.data, home / "data")
    except OSError:
        shutil.rmtree(home, ignore_errors=True)
    finally:
        etcd.process.unpause()


def copy(source: Path, target: Path) -> None:
    """Copy etcd's data; what a log has reserved and not written is left out."""
    shutil.copytree(source, target, ignore=shutil.ignore_patterns("*.tmp", "*.wal"))
    for log in source.glob("member/wal/*.wal"):
        written = log.read_bytes().rstrip(b"\0")
        copied = target / log.relative_to(source)
        copied.write_bytes(written + bytes(_UNWRITTEN))
        copied.chmod(0o600)


def fill(program: str, taken: Path, cache: Path) -> None:
    """Make the cached directory `cache` of the snapshot `taken`, which is used up."""
    etcd = Etcd(program, taken, taken / "log", _SLOW_WITH_SNAPSHOTS)
    try:
        etcd.await_ready(_TIMEOUT)
        for kind in _OWN:
            _forget(etcd, f"/registry/{kind}/")
        wait_until(
            lambda: any(etcd.data.glob("member/snap/*.snap")),
            what="etcd has made a snapshot",
            timeout=_TIMEOUT,
            process=etcd.process,
        )
    finally:
        etcd.process.stop(_TIMEOUT, gently=signal.SIGTERM)
    draft = cache.with_name(f"{cache.name}.{os.getpid()}")
    try:
        copy(etcd.data, draft)
        draft.rename(cache)
    except OSError:  # another process was first, or the disk is full: either way there is nothing to keep
        shutil.rmtree(draft, ignore_errors=True)
    shutil.rmtree(taken)


def _forget(etcd: Etcd, prefix: str) -> None:
    """Delete all keys that begin with `prefix`, by etcd's JSON gateway (its own protocol needs a library)."""
    import http.client  # noqa: PLC0415 - a start pays for every import

    end = prefix[:-1] + chr(ord(prefix[-1]) + 1)
    asked = {"key": base64.b64encode(prefix.encode()).decode(), "range_end": base64.b64encode(end.encode()).decode()}
    connection = http.client.HTTPConnection("etcd", timeout=_TIMEOUT)
    connection.sock = socket.socket(socket.AF_UNIX)
    with contextlib.closing(connection):
        connection.sock.settimeout(_TIMEOUT)
        connection.sock.connect(etcd.socket)
        connection.request("POST", "/v3/kv/deleterange", json.dumps(asked))
        answer = connection.getresponse()
        if answer.status != http.client.OK:
            raise NotReady(f"etcd did not delete {prefix}: {answer.status} {answer.read()!r}")
