"""The catalogue: what is known of each program, read from `catalogue.toml` beside this file.

Rule 1: names, versions, addresses and checksums are data there; the code knows none of them.
Rule 2: a version fits when its numbers begin with those that were asked for: 1.36.3 fits 1.36, and 1.36.3 alone fits
        1.36.3. What follows the numbers (`-rc.1`, `+k3s1`) is told and not compared.
"""

from __future__ import annotations

import functools
import platform
import re
import sys
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from testinfra.errors import Misconfigured

_ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}


@functools.cache
def this_platform() -> str:
    """Give this machine in Go's words: `linux-amd64`, `darwin-arm64`."""
    machine = platform.machine().lower()
    return f"{sys.platform}-{_ARCHITECTURES.get(machine, machine)}"


def numbers(version: str) -> tuple[int, ...]:
    """Give the numbers of a version: (1, 36, 3) for `v1.36.3-rc.1`."""
    found = re.match(r"v?(\d+(?:\.\d+)*)", version)
    return tuple(int(part) for part in found[1].split(".")) if found else ()


def begins_with(version: str, wanted: str) -> bool:
    """Tell whether `version` is of the series `wanted`, or is that very version."""
    begin = numbers(wanted)
    return bool(begin) and numbers(version)[: len(begin)] == begin


@dataclass(frozen=True, kw_only=True)
class Program:
    """One program: where it may be, how it tells its version, which versions fit, and how to get it."""

    name: str
    ask: Sequence[str]
    """Arguments that make it print its version."""
    answer: str
    """Pattern whose group is the version in what it prints."""
    variable: str
    """Environment variable with the path of the program."""
    folder_variable: str = ""
    """Environment variable with a folder that has it."""
    in_every_folder: bool = True
    """Whether such a folder without the program is an error."""
    follows_kubernetes: bool = False
    """Whether the Kubernetes version says which versions fit; else `series` does."""
    skew: int = 0
    """How many minor versions it may be away from Kubernetes."""
    series: Sequence[str] = ()
    downloads: Sequence[str] = ()
    """Names of downloads that have it, in the order in which they are tried."""
    build: str = ""
    package: str = ""
    """Go's import path of its main package."""
    built_as: str = ""
    """File name that `go build` gives it, where it is not the program's."""
    by_default: bool = False
    """Whether `testinfra binaries fetch` gets it without being told its name."""

    def fits(self, version: str, kubernetes: str) -> bool:
        """Tell whether `version` may be used where Kubernetes `kubernetes` (`1.36`, `1.36.3`) was asked for."""
        if not self.follows_kubernetes:
            return any(begins_with(version, series) for series in self.series)
        if not self.skew:
            return begins_with(version, kubernetes)
        have, want = numbers(version)[:2], numbers(kubernetes)[:2]
        return len(have) > 1 and have[0] == want[0] and abs(have[1] - want[1]) <= self.skew

    def wanted(self, kubernetes: str) -> str:
        """Say in words which versions fit."""
        if not self.follows_kubernetes:
            return " or ".join(self.series)
        if not self.skew:
            return kubernetes
        major, minor = numbers(kubernetes)[:2]
        return f"{major}.{minor - self.skew} to {major}.{minor + self.skew}"


@dataclass(frozen=True, kw_only=True)
class Download:
    """A kind of file on a server: one program, or an archive with several (`members`)."""

    name: str
    url: str
    members: Mapping[str, str] = field(default_factory=dict)
    """Program -> its path in the tar archive; {} if the file is the program itself."""
    sha512: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    """Version -> platform -> checksum of the file."""
    index: str = ""
    """Address of a YAML file with the checksums of all versions, in setup-envtest's form."""
    checksum: str = ""
    """Address of a file with the checksum of one."""
    platforms: Mapping[str, Sequence[str]] = field(default_factory=dict)
    """Program -> the platforms that it is offered for, where no list of checksums says so."""


@dataclass(frozen=True, kw_only=True)
class Build:
    """A Go module whose commands are built."""

    name: str
    module: str
    ldflags: str
    cost: str
    """In words: how long it takes, and what it leaves in Go's caches."""
    version: str = ""
    """Version to build; "" for that of Kubernetes."""
    staging_folder: str = ""
    staging_version: str = ""


@dataclass(frozen=True, kw_only=True)
class Catalogue:
    """All of it."""

    programs: Mapping[str, Program]
    downloads: Mapping[str, Download]
    builds: Mapping[str, Build]
    default_kubernetes: str
    releases: Sequence[str]
    """Releases of Kubernetes that stand for their series."""

    def program(self, name: str) -> Program:
        """Give a program; raise `Misconfigured` with those that are known for an unknown name."""
        if name not in self.programs:
            raise Misconfigured(
                f"no program {name!r} is known", looked_at=list(self.programs), next_step="testinfra binaries"
            )
        return self.programs[name]

    def kubernetes(self, asked: str) -> str:
        """Give the Kubernetes version that was asked for, without a `v`; the default for ""."""
        if not asked:
            return self.default_kubernetes
        if not re.fullmatch(r"v?\d+\.\d+(\.\d+([-+.][0-9A-Za-z.+-]+)?)?", asked):
            raise Misconfigured(
                f"{asked!r} is no version of Kubernetes",
                next_step=f"a series or a release, for example {self.default_kubernetes} or {self.releases[-1]}",
            )
        return asked.removeprefix("v")

    def release(self, kubernetes: str) -> str:
        """Give the exact release that `kubernetes` stands for; "" for a series that is not known here."""
        if len(numbers(kubernetes)) > 2:  # noqa: PLR2004 - major, minor and patch
            return kubernetes
        return next((release for release in self.releases if begins_with(release, kubernetes)), "")


def parse(text: str) -> Catalogue:
    """Read a catalogue."""
    data: dict[str, Any] = tomllib.loads(text)
    return Catalogue(
        programs={name: Program(name=name, **row) for name, row in data["programs"].items()},
        downloads={name: Download(name=name, **row) for name, row in data.get("downloads", {}).items()},
        builds={name: Build(name=name, **row) for name, row in data.get("builds", {}).items()},
        default_kubernetes=data["kubernetes"]["default"],
        releases=data["kubernetes"]["releases"],
    )


@functools.cache
def packaged() -> Catalogue:
    """Give the catalogue that comes with the stand."""
    return parse(Path(__file__).with_name("catalogue.toml").read_text(encoding="utf-8"))
