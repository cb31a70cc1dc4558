"""Where running servers live on disk: `<state>/<scope>/<key>/`, one place a server.

Rule 1: the state directory is ours alone: mode 0700, owned by us, not a link; any other is refused.
Rule 2: a record is replaced whole, never half-written; a directory outside the place is recorded before it is made,
        so that a sweep finds it whatever happens in between.
Rule 3: who holds what is told by flock, which the kernel drops with its holder; a pid proves nothing.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import re
import shutil
import stat
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from testinfra.errors import NotAvailable
from testinfra.servers.process import User

_ENOUGH_MEMORY = 3 * 2**30
UP_SCOPE = "up"
"""The scope of the servers that `testinfra up` keeps warm."""


def state_root(configured: str = "") -> Path:
    """Make (if needed) and check the state directory; raises `NotAvailable` when it is not ours alone."""
    root = Path(configured) if configured else temporary_root() / f"testinfra-{os.getuid()}"
    try:
        root.mkdir(mode=0o700, parents=bool(configured), exist_ok=True)
        info = root.lstat()
    except OSError as exc:
        raise _refused(root, f"cannot be made: {exc.strerror}") from exc
    if not stat.S_ISDIR(info.st_mode):
        raise _refused(root, "is not a directory (a link is not followed)")
    if info.st_uid != os.getuid():
        raise _refused(root, f"belongs to uid {info.st_uid}, and we are uid {os.getuid()}")
    if stat.S_IMODE(info.st_mode) & 0o077:
        raise _refused(root, f"has mode {stat.S_IMODE(info.st_mode):04o}: others may look in")
    return root.resolve()


def make_folder(folder: Path, mode: int = 0o700) -> None:
    """Make `folder`, and its parents, where it is missing; who removes it at the same moment makes no error.

    `Path.mkdir(exist_ok=True)` looks twice: a folder that was there, and is gone at the second look, is a
    `FileExistsError` there. Whoever leaves last removes the folder, so what is put into it may need it made again.
    """
    while True:
        try:
            folder.mkdir(mode)
        except FileExistsError:
            with contextlib.suppress(FileNotFoundError):
                if not stat.S_ISDIR(folder.lstat().st_mode):
                    raise
                return
        except FileNotFoundError:
            make_folder(folder.parent)
        else:
            return


def temporary_root() -> Path:
    """Give the folder for state: memory where there is plenty, else the temp folder.

    A data directory is 970 files, and making one costs 0.2 ms on a disk and 0.01 ms in memory. Judged by the size of
    the memory file system, not by what is free now, so that all processes of a run agree.
    """
    memory = Path("/dev/shm")  # noqa: S108 - what is made there is ours alone, and checked to be
    try:
        found = os.statvfs(memory)
    except OSError:
        return Path(tempfile.gettempdir())
    enough = found.f_frsize * found.f_blocks >= _ENOUGH_MEMORY and os.access(memory, os.W_OK)
    return memory if enough else Path(tempfile.gettempdir())


def _refused(root: Path, why: str) -> NotAvailable:
    return NotAvailable(
        f"the state directory {root} {why}",
        looked_at=[str(root), "--testinfra-state-dir", "TESTINFRA_STATE_DIR"],
        next_step=f"chmod 700 {root} if it is yours, or TESTINFRA_STATE_DIR=<a directory of yours>",
    )


def scope_name(run: str) -> str:
    """Give the folder name of a scope: readable where it can be, short always (socket paths end at 107 bytes)."""
    if re.fullmatch(r"[a-z0-9]{1,8}", run):
        return run
    return hashlib.sha256(run.encode()).hexdigest()[:8]


def is_held(path: Path) -> bool:
    """Tell whether some process holds the flock of the file at `path`; False if there is no such file."""
    try:
        fd = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(fd)
    return False


def take_flock(path: Path) -> int:
    """Create the file at `path` and hold its flock; gives the descriptor. The flock is not waited for."""
    fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BaseException:
        os.close(fd)
        raise
    return fd


@dataclass(frozen=True)
class Place:
    """The folder of one server, and the files in it that tell its state."""

    directory: Path

    @property
    def lock_path(self) -> Path:
        """Lock under which the server is started, leased and given up. Beside the folder, so it outlives it."""
        return self.directory.with_name(self.directory.name + ".lock")

    @property
    def keeper_lock(self) -> Path:
        """File whose flock the keeper holds while it lives."""
        return self.directory / "keeper.lock"

    @property
    def leases(self) -> Path:
        """Folder with one flock'ed file a lease."""
        return self.directory / "leases"

    @property
    def log(self) -> Path:
        """What the server prints."""
        return self.directory / "server.log"

    @property
    def keeper_log(self) -> Path:
        """What the keeper prints: nothing, unless the stand has a bug."""
        return self.directory / "keeper.log"

    def prepare(self) -> None:
        """Make the folder."""
        self.leases.mkdir(mode=0o700, parents=True, exist_ok=True)

    def read(self, name: str = "record.json") -> dict[str, Any]:
        """Give a JSON file of the place, {} if there is none."""
        try:
            found: dict[str, Any] = json.loads((self.directory / name).read_text())
        except (FileNotFoundError, NotADirectoryError):
            return {}
        return found

    def write(self, content: dict[str, Any], name: str = "record.json") -> None:
        """Replace a JSON file of the place."""
        target = self.directory / name
        draft = target.with_suffix(".draft")
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
            json.dump(content, file)
        draft.replace(target)

    def update(self, **changes: Any) -> None:
        """Change some keys of the record; only the keeper (or who holds the lock) does."""
        self.write(self.read() | changes)

    def keeper_lives(self) -> bool:
        """Tell whether a keeper owns this place."""
        return is_held(self.keeper_lock)

    def live_leases(self) -> Iterator[Path]:
        """Give the leases that somebody holds; files of dead holders are removed on the way."""
        for path in list(self.leases.glob("*.lease")):
            if is_held(path):
                yield path
            else:
                path.unlink(missing_ok=True)

    def outside(self, user: User | None) -> Path:
        """Give a folder for the server's data: in the place, or, for another `user`, one that user can reach."""
        if user is None:
            home = self.directory / "home"
            home.mkdir(mode=0o700)
            return home
        parent = self.directory.parent.parent
        parent = parent.with_name(f"{parent.name}-{user.name}")
        home = parent / f"{self.directory.parent.name}-{self.directory.name}"
        self.update(outside=[str(home)])
        while True:
            with contextlib.suppress(FileNotFoundError):  # who leaves at the same moment removes the parent
                make_folder(parent, 0o711)
                info = parent.lstat()
                if info.st_uid != os.getuid() or not stat.S_ISDIR(info.st_mode) or info.st_mode & 0o022:
                    raise _refused(parent, "is not a directory that only we can write to")
                home.mkdir(mode=0o700)
                break
        os.chown(home, user.uid, user.gid)
        return home

    def remove(self, *, keep_record: bool = False) -> None:
        """Remove what the server left on disk; with `keep_record`, all but the record, the logs and the leases."""
        for path in self.read().get("outside", []):
            shutil.rmtree(path, ignore_errors=True)
            with contextlib.suppress(OSError):
                Path(path).parent.rmdir()
        if keep_record:
            shutil.rmtree(self.directory / "home", ignore_errors=True)
        else:
            shutil.rmtree(self.directory, ignore_errors=True)
