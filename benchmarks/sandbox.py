"""Where the measured processes run: a folder, an environment and, when we are root, a user of their own.

Rule 1: both sides run as the same user: pytest-postgresql cannot run as root, and the stand does other work as root.
Rule 2: both see the same environment: nothing of ours but PATH and the locale.
Rule 3: a run starts when the servers of the last are gone; one that was broken off has its servers stopped by their
        data directories, and the folder is removed.
"""

from __future__ import annotations

import functools
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from testinfra.errors import NotAvailable, StandError
from testinfra.postgres.binaries import choose_user, find
from testinfra.servers.places import temporary_root
from testinfra.servers.process import User
from testinfra.servers.ready import wait_until

ROOT = Path(__file__).resolve().parents[1]
_PASSED_ON = ("PATH", "LANG", "LC_ALL", "LC_CTYPE", "TZ")
_TIMEOUT = 600.0
"""Seconds that one process may take before it counts as hung."""


class BenchError(Exception):
    """A measured process failed, or could not run at all."""


@dataclass(frozen=True)
class Sandbox:
    """One folder for all files of the measured processes, and who they run as (None: as we do)."""

    folder: Path
    user: User | None
    state: Path
    """The stand's state directory: where it puts one by default, in memory where there is plenty."""

    def fresh(self, name: str) -> Path:
        """Give an empty folder `name` that the user owns."""
        path = self.folder / name
        shutil.rmtree(path, ignore_errors=True)
        path.mkdir(mode=0o700)
        if self.user:
            os.chown(path, self.user.uid, self.user.gid)
        return path

    def _environment(self) -> dict[str, str]:
        return {name: os.environ[name] for name in _PASSED_ON if name in os.environ} | {
            "HOME": str(self.folder / "home"),
            "TMPDIR": str(self.folder / "tmp"),
            "PYTHONPYCACHEPREFIX": str(self.folder / "pycache"),  # the user may not write beside the sources
            "TESTINFRA_STATE_DIR": str(self.state),
            "TESTINFRA_CACHE_DIR": str(self.folder / "cache"),
        }

    def python(self, *arguments: str, **environment: str) -> str:
        """Run `python ARGUMENTS` in the checkout and give what it printed; raises `BenchError` when it fails."""
        with subprocess.Popen(
            [sys.executable, *arguments],
            cwd=ROOT,
            env=self._environment() | environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            user=self.user.uid if self.user else None,
            group=self.user.gid if self.user else None,
            extra_groups=[] if self.user else None,
        ) as child:
            try:
                said, _ = child.communicate(timeout=_TIMEOUT)
            except subprocess.TimeoutExpired as exc:
                child.kill()
                raise BenchError(f"python {' '.join(arguments)} took over {_TIMEOUT:.0f} s and was ended") from exc
            except BaseException:
                child.terminate()
                raise
        if child.returncode:
            end = "\n".join(said.splitlines()[-40:])
            raise BenchError(f"python {' '.join(arguments)} ended with code {child.returncode}:\n{end}")
        return said

    def settle(self) -> None:
        """Wait until the stand's servers of the last run are gone, so that they take no time from the next."""
        wait_until(lambda: not any(self.state.iterdir()), what="the last run's servers end", timeout=30)

    def stop_leftovers(self) -> None:
        """Stop the peer's servers that a run which was broken off has left; our own end by themselves."""
        pg_ctl = str(find().bindir / "pg_ctl")
        for pid_file in (self.folder / "tmp").rglob("postmaster.pid"):
            subprocess.run(
                [pg_ctl, "stop", "-m", "immediate", "-D", str(pid_file.parent)],
                cwd="/",
                check=False,
                stdout=subprocess.DEVNULL,
                user=self.user.uid if self.user else None,
                group=self.user.gid if self.user else None,
                extra_groups=[] if self.user else None,
            )


@contextmanager
def sandbox() -> Iterator[Sandbox]:
    """Make a sandbox whose user can run Python and this checkout, and leave nothing of it behind."""
    try:
        user = choose_user()
    except NotAvailable as exc:
        raise BenchError(str(exc)) from exc
    folder = Path(tempfile.mkdtemp(prefix="bench-"))  # short: the path of a socket ends at 107 bytes
    folder.chmod(0o755)
    state = Path(tempfile.mkdtemp(prefix="bench-", dir=temporary_root()))
    if user:
        os.chown(state, user.uid, user.gid)
    box = Sandbox(folder, user, state)
    try:
        for name in ("home", "tmp", "pycache", "cache"):
            box.fresh(name)
        _require_reach(box)
        yield box
    finally:
        box.stop_leftovers()
        with suppress(StandError):  # what matters then is why it was broken off
            box.settle()
        for path in (state, folder):
            wait_until(functools.partial(_removed, path), what=f"{path} is removed", timeout=10)


def _removed(folder: Path) -> bool:
    """Remove a folder; False while a server that is just ending still writes into it."""
    shutil.rmtree(folder, ignore_errors=True)
    return not folder.exists()


def _require_reach(box: Sandbox) -> None:
    """Try what all measured processes do: start Python and import the members; raises `BenchError` saying why not."""
    try:
        box.python("-c", "import dbschema, datastorage, psycopg, pytest_postgresql, testinfra.plugin")
    except (OSError, BenchError) as exc:
        if box.user is None:
            raise BenchError(f"this Python lacks what is measured (nox -s bench installs it): {exc}") from exc
        raise BenchError(
            f"as root, both sides are measured as the user {box.user.name}, for pytest-postgresql cannot run as root,"
            f" and that user cannot run this Python with this checkout: {exc}\n"
            f"  looked at: {sys.executable} (really {Path(sys.executable).resolve()}), {sys.base_prefix}, {ROOT}\n"
            "  what to do: run it as a user that is not root, or use an interpreter, an environment and a checkout"
            " below folders of mode 0755 (a home of mode 0700 is none)"
        ) from exc
