"""The programs that were fetched or built: `<cache>/tools/<platform>/<program>/<version>/`, a folder a version.

Rule 1: such a folder is made complete elsewhere on the same disk, its record last, and gets its name by one rename: it
        is all there or it is not. What is made under a lock is made in a folder that the next holder of it empties.
Rule 2: a program is used when its size and time are those of the record, or, where the time is another (a restored
        copy), when its SHA-256 is. Anything else is as good as absent, and is replaced.
Rule 3: what is run from here was put here by us: a folder that others can write to is refused.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import json
import os
import shutil
import stat
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from testinfra.errors import NotAvailable
from testinfra.servers.binaries.catalogue import Program, numbers, this_platform
from testinfra.servers.binaries.finding import Binary, Unfit
from testinfra.servers.binaries.progress import Reporter

_RECORD = "record.json"
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


@dataclass(frozen=True)
class Store:
    """The folder of one platform."""

    root: Path

    @staticmethod
    def at(cache_dir: str) -> Store:
        """Give the store in `cache_dir`, or in the user's cache directory for ""; nothing is made yet."""
        import platformdirs  # noqa: PLC0415 - where a directory is given, none is looked for

        cache = Path(cache_dir).expanduser().absolute() if cache_dir else Path(platformdirs.user_cache_dir("testinfra"))
        return Store(cache / "tools" / this_platform())

    def find(self, program: Program, kubernetes: str) -> Binary:
        """Give the newest whole copy that fits; raise `Unfit` with what is there instead."""
        home = self.root / program.name
        if not home.is_dir():
            raise Unfit(f"not in the cache {self.root}")
        self._check_owner()
        versions = sorted((path.name for path in home.iterdir()), key=numbers, reverse=True)
        damaged = []
        for version in versions:
            if program.fits(version, kubernetes):
                if found := self._whole(program.name, version):
                    return found
                damaged.append(version)
        if damaged:
            raise Unfit(f"the copy of {', '.join(damaged)} in {home} is damaged")
        has = f"has {', '.join(versions)}, and {program.wanted(kubernetes)} is wanted" if versions else "is empty"
        raise Unfit(f"the cache {home} {has}")

    def install(self, program: Program, draft: Path, version: str, source: str) -> Binary:
        """Take the file `draft` in, by moving it; raises OSError when the disk does not take it."""
        final = self.root / program.name / version
        with tempfile.TemporaryDirectory(prefix="new-", dir=draft.parent) as folder:
            new = Path(folder, "whole")
            new.mkdir()
            path = new / program.name
            draft.rename(path)
            path.chmod(0o755)
            _flush(path)
            info = path.stat()
            _write_record(new, _record_of(path, info) | {"source": source})
            with self._lock("install"):
                if not self._whole(program.name, version):
                    shutil.rmtree(final, ignore_errors=True)
                    final.parent.mkdir(exist_ok=True)
                    new.rename(final)
        return Binary(program.name, final / program.name, version, f"cache, {source}")

    @contextlib.contextmanager
    def work(self, name: str, reporter: Reporter) -> Iterator[Path]:
        """Hold the lock `name`, and give an empty folder for its work; both are gone afterwards.

        Raises `NotAvailable` when the disk takes no more, with what was written removed.
        """
        folder = self.root / ".work" / name
        try:
            folder.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._check_owner()
            with self._lock(name, reporter):
                shutil.rmtree(folder, ignore_errors=True)
                folder.mkdir()
                try:
                    yield folder
                finally:
                    shutil.rmtree(folder, ignore_errors=True)
        except OSError as exc:
            raise self._cannot_write(exc) from exc

    @contextlib.contextmanager
    def _lock(self, name: str, reporter: Reporter | None = None) -> Iterator[None]:
        from filelock import FileLock, Timeout  # noqa: PLC0415 - only where something is fetched

        lock = FileLock(self.root / ".work" / f"{name}.lock", poll_interval=0.05)
        try:
            lock.acquire(timeout=1 if reporter else -1)
        except Timeout:
            if reporter:
                reporter.say(f"another process is at work on {name}; waiting for it")
            lock.acquire()
        try:
            yield
        finally:
            lock.release()

    def _whole(self, name: str, version: str) -> Binary | None:
        folder = self.root / name / version
        path = folder / name
        try:
            record = json.loads((folder / _RECORD).read_text())
            info = path.stat()
            if info.st_size != record["size"]:
                return None
            if info.st_mtime_ns != record["mtime_ns"]:
                now = _record_of(path, info)
                if now["sha256"] != record["sha256"]:
                    return None
                with contextlib.suppress(OSError):  # a cache that cannot be written to costs the sum every time
                    _write_record(folder, record | now)
            return Binary(name, path, version, f"cache, {record['source']}")
        except (OSError, ValueError, LookupError, TypeError):
            return None

    def _check_owner(self) -> None:
        info = self.root.stat()
        if info.st_uid != os.getuid() or info.st_mode & 0o022:
            raise NotAvailable(
                f"{self.root} must be ours and writable by nobody else, for programs are run from it",
                looked_at=[f"uid {info.st_uid}, mode {stat.S_IMODE(info.st_mode):04o}; we are uid {os.getuid()}"],
                next_step=f"chmod go-w {self.root} if it is yours, or TESTINFRA_CACHE_DIR=<another directory>",
            )

    def _cannot_write(self, exc: OSError) -> NotAvailable:
        return NotAvailable(
            f"the cache {self.root} takes no more files: {exc.strerror or exc}",
            cause="the disk, or our share of it, is full" if exc.errno in _FULL else "",
            looked_at=[str(exc.filename)] if exc.filename else [],
            next_step=f"df -h {self.root}, free some space, or TESTINFRA_CACHE_DIR=<a directory on another disk>",
        )


def _record_of(path: Path, info: os.stat_result) -> dict[str, object]:
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return {"size": info.st_size, "mtime_ns": info.st_mtime_ns, "sha256": digest}


def _write_record(folder: Path, record: dict[str, object]) -> None:
    draft = folder / f"record-{os.getpid()}.draft"
    draft.write_text(json.dumps(record))
    _flush(draft)
    draft.replace(folder / _RECORD)


def _flush(path: Path) -> None:
    fd = os.open(path, os.O_RDONLY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
