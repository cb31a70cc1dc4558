"""Programs that the machine has already: where a variable points, and on PATH.

Rule 1: a program is known by what it prints when asked for its version, and is asked before it is used.
Rule 2: a variable is a decision: where it points to nothing, or to a version that does not fit, that is an error. What
        lies on PATH is chance: it is passed over, and the reason is told if nothing else is found.
Rule 3: the variables here are those of setup-envtest and controller-runtime, which name programs and not settings of
        the stand; those are rows of `testinfra.options`.
"""

from __future__ import annotations

import functools
import os
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from testinfra.errors import Misconfigured
from testinfra.servers.binaries.catalogue import Program

_PATIENCE = 30.0


@dataclass(frozen=True)
class Binary:
    """A program that can be run."""

    name: str
    path: Path
    version: str
    """What it says of itself, for example `1.36.3`."""
    source: str
    """Where it comes from, in words: `$TEST_ASSET_ETCD`, `PATH`, `cache, built with Go 1.26.8`."""


class Unfit(Exception):  # noqa: N818 - a reason to pass over, no failure
    """A file that cannot be used; the text says why."""


def from_variable(program: Program, kubernetes: str) -> Binary:
    """Give the program that a variable points to.

    Raises `Unfit` where none is set, and `Misconfigured` where one points to nothing that can be used.
    """
    unset = []
    for variable, below in ((program.variable, ""), (program.folder_variable, program.name)):
        value = os.environ.get(variable, "") if variable else ""
        path = Path(value).expanduser().absolute() / below
        if not value:
            unset += [f"{variable} is not set"] if variable else []
        elif below and not program.in_every_folder and path.parent.is_dir() and not path.exists():
            unset.append(f"{variable}={value} does not have it")
        else:
            return _decided(program, path, kubernetes, f"{variable}={value}")
    raise Unfit(", ".join(unset))


def _decided(program: Program, path: Path, kubernetes: str, setting: str) -> Binary:
    variable = setting.partition("=")[0]
    try:
        return Binary(program.name, path, fitting(program, path, kubernetes), f"${variable}")
    except Unfit as exc:
        raise Misconfigured(
            f"{setting} gives no {program.name} that can be used: {exc}",
            looked_at=[str(path)],
            next_step=f"unset {variable}, or point it to {program.name} {program.wanted(kubernetes)}"
            + (", or ask for its version: --kubernetes-version=..." if program.follows_kubernetes else ""),
        ) from exc


def from_path(program: Program, kubernetes: str) -> Binary:
    """Give the program that is on PATH; raise `Unfit` if none is, or its version does not fit."""
    found = shutil.which(program.name)
    if not found:
        raise Unfit("not on PATH")
    path = Path(found).absolute()
    try:
        return Binary(program.name, path, fitting(program, path, kubernetes), "PATH")
    except Unfit as exc:
        raise Unfit(f"{path} on PATH: {exc}") from exc


def fitting(program: Program, path: Path, kubernetes: str) -> str:
    """Give the version of the file at `path`; raise `Unfit` unless it runs and may be used for `kubernetes`."""
    version = version_of(program, path)
    if not program.fits(version, kubernetes):
        raise Unfit(f"it is version {version}, and {program.wanted(kubernetes)} is wanted")
    return version


def version_of(program: Program, path: Path) -> str:
    """Ask the file at `path` for its version; raise `Unfit` when it is not there, does not run, or says none."""
    try:
        info = path.stat()
    except OSError as exc:
        raise Unfit(f"{path}: {exc.strerror}") from exc
    return _asked(path, info.st_size, info.st_mtime_ns, tuple(program.ask), program.answer)


@functools.lru_cache(maxsize=64)
def _asked(path: Path, _size: int, _mtime: int, ask: tuple[str, ...], answer: str) -> str:
    try:
        done = subprocess.run(
            [str(path), *ask],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            timeout=_PATIENCE,
            env={**os.environ, "KUBECONFIG": os.devnull},  # a broken one would be kubectl's only answer
            check=False,
        )
    except (OSError, subprocess.SubprocessError) as exc:
        raise Unfit(f"it does not run: {exc}") from exc
    found = re.search(answer, done.stdout)
    if done.returncode or not found:
        said = done.stdout.strip()[:200] or "nothing"
        raise Unfit(f"asked for its version, it ended with code {done.returncode} and said {said!r}")
    return found[1]
