"""What to download for a program, and what is in it: one program, or an archive with several.

Rule: a checksum comes from the catalogue; where it has none for a version, from the index or the file that the project
publishes for it, and then over the same connection as the file itself.
"""

from __future__ import annotations

import re
import shutil
import tarfile
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from testinfra.servers.binaries.catalogue import Catalogue, Download, Program, begins_with, numbers, this_platform
from testinfra.servers.binaries.download import DownloadFailed, Fetcher


@dataclass(frozen=True, kw_only=True)
class Artifact:
    """One file to download."""

    key: str
    """Name of its lock and of its part file."""
    url: str
    sha512: str
    """Checksum, or the address of a file that begins with it."""
    what: str
    """In words."""
    programs: Sequence[Program]
    """Those of it that are wanted."""
    members: Mapping[str, str]
    """As in `Download`."""

    @property
    def host(self) -> str:
        """Whose it is, wherever it is fetched from."""
        return self.url.split("/")[2]


def choose(
    catalogue: Catalogue, download: Download, programs: Sequence[Program], kubernetes: str, fetcher: Fetcher
) -> Artifact:
    """Say which file of `download` has these programs (one, where it is no archive); raises `DownloadFailed`."""
    if download.members:
        version, sha512, url = _listed(download, kubernetes, fetcher)
        names = ", ".join(program.name for program in programs)
        return Artifact(
            key=f"{download.name}-{version}",
            url=url or _filled(download.url, version),
            sha512=sha512,
            what=f"{names} ({download.name} {version})",
            programs=programs,
            members=download.members,
        )
    name = programs[0].name
    if this_platform() not in download.platforms.get(name, ()):
        raise DownloadFailed(f"{name} is not offered for {this_platform()}")
    release = catalogue.release(kubernetes)
    if not release:
        raise DownloadFailed(f"which release of Kubernetes {kubernetes} to take is not known; name one")
    return Artifact(
        key=f"{download.name}-{name}-{release}",
        url=_filled(download.url, release, name),
        sha512=_filled(download.checksum, release, name),
        what=f"{name} {release}",
        programs=programs,
        members={},
    )


def _listed(download: Download, kubernetes: str, fetcher: Fetcher) -> tuple[str, str, str]:
    """Give the newest version that fits, its checksum, and its address ("" for the usual one)."""
    here = this_platform()
    known = {version: (sums[here], "") for version, sums in download.sha512.items() if here in sums}
    fitting = [version for version in known if begins_with(version, kubernetes)]
    if not fitting and download.index:
        known = _read_index(fetcher.text(download.index), download)
        fitting = [version for version in known if begins_with(version, kubernetes)]
    if not fitting:
        where = download.index or "the catalogue"
        raise DownloadFailed(f"{where} has no {download.name} {kubernetes} for {here}")
    version = max(fitting, key=numbers)
    return (version, *known[version])


def _read_index(text: str, download: Download) -> dict[str, tuple[str, str]]:
    """Read setup-envtest's index: releases -> version -> archive -> hash (SHA-512), selfLink."""
    import yaml  # noqa: PLC0415 - only for versions that the catalogue has no checksum of

    try:
        # Plain text for every value: a version or a sum may look like a number.
        data: Any = yaml.load(text, Loader=yaml.BaseLoader)  # noqa: S506 - this loader makes strings alone
        releases: Mapping[str, Mapping[str, Mapping[str, str]]] = data["releases"]
        found = {}
        for name, archives in releases.items():
            version = name.removeprefix("v")
            row = archives.get(_filled(download.url, version).rpartition("/")[2])
            if row and re.fullmatch(r"[\d.]+", version):  # no alpha, beta or rc
                found[version] = (row["hash"], row["selfLink"])
    except (yaml.YAMLError, AttributeError, LookupError, TypeError) as exc:
        raise DownloadFailed(f"{download.index} is no index of releases: {type(exc).__name__}: {exc}") from exc
    return found


def _filled(template: str, version: str, program: str = "") -> str:
    system, _, architecture = this_platform().partition("-")
    return template.format(version=version, os=system, arch=architecture, program=program)


def fetch(artifact: Artifact, part: Path, fetcher: Fetcher) -> None:
    """Make `part` the whole, checked file; raises `DownloadFailed`, or OSError when the disk takes no more."""
    sha512 = artifact.sha512
    if "://" in sha512:
        text = fetcher.text(sha512)
        found = re.match(r"[0-9a-fA-F]{128}\b", text.strip())
        if not found:
            raise DownloadFailed(f"{sha512} is no SHA-512: {text[:60]!r}")
        sha512 = found[0]
    fetcher.file(artifact.url, part, sha512, artifact.what)


def unpack(artifact: Artifact, whole: Path, folder: Path) -> dict[str, Path]:
    """Put every program of the file `whole` into `folder`; gives program -> file, not yet checked to run."""
    names = {path: name for name, path in artifact.members.items()}
    if not names:
        name = artifact.programs[0].name
        return {name: _made_program(shutil.copyfile(whole, folder / name))}
    drafts = {}
    seen = []
    try:
        with tarfile.open(whole) as archive:
            for member in archive:
                seen.append(member.name)
                name = names.get(member.name.removeprefix("./"), "")
                content = archive.extractfile(member) if name and member.isfile() else None
                if content:
                    with (folder / name).open("wb") as file:
                        shutil.copyfileobj(content, file)
                    drafts[name] = _made_program(folder / name)
    except (tarfile.TarError, EOFError, zlib.error) as exc:
        raise DownloadFailed(f"{artifact.url} is no archive: {exc}") from exc
    absent = [program.name for program in artifact.programs if program.name not in drafts]
    if absent:
        raise DownloadFailed(f"{artifact.url} has no {', '.join(absent)}; it has {', '.join(seen)[:200]}")
    return drafts


def _made_program(path: Path) -> Path:
    path.chmod(0o755)
    return path
