"""Getting programs, from the nearest place that has them: variable, PATH, cache, download, build.

Rule 1: the order is the same for every program, and what is nearer wins where its version fits.
Rule 2: what was tried is remembered with its reason, and told when nothing helped.
Rule 3: programs that come together (one archive, one Go module) are fetched together, by one process at a time; those
        that waited find them in the cache.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from testinfra.errors import NotAvailable
from testinfra.servers.binaries import finding, gobuild, progress
from testinfra.servers.binaries.catalogue import Build, Catalogue, Program, packaged
from testinfra.servers.binaries.finding import Binary, Unfit
from testinfra.servers.binaries.progress import Reporter
from testinfra.servers.binaries.store import Store

if TYPE_CHECKING:
    from testinfra.servers.binaries.artifacts import Artifact
    from testinfra.servers.binaries.download import Fetcher


@dataclass(frozen=True, kw_only=True)
class Sources:
    """Which versions are wanted, and where they may come from."""

    kubernetes_version: str = ""
    """A series (`1.36`) or a release (`1.36.3`); "" for the catalogue's default."""
    cache_dir: str = ""
    """Where programs are kept; "" for the user's cache directory."""
    mirrors: Sequence[str] = ()
    """Servers to ask in place of the projects' own: `URL`, or `HOST=URL` for one host."""
    download: bool = True
    build: bool = True


def locate(
    name: str,
    sources: Sources | None = None,
    *,
    reporter: Reporter | None = None,
    catalogue: Catalogue | None = None,
) -> Binary:
    """Give one program; see `locate_all`."""
    return locate_all([name], sources, reporter=reporter, catalogue=catalogue)[name]


def locate_all(
    names: Iterable[str],
    sources: Sources | None = None,
    *,
    reporter: Reporter | None = None,
    catalogue: Catalogue | None = None,
) -> dict[str, Binary]:
    """Give these programs, fetched or built if need be: minutes the first time, milliseconds later.

    Raises `NotAvailable` with all that was tried, and `Misconfigured` for an unknown name, a version or mirror that
    means nothing, or a variable that points to nothing usable.
    """
    reporter = reporter or progress.default()
    search = _Search(sources or Sources(), reporter, catalogue or packaged())
    try:
        return search.run(list(dict.fromkeys(names)))
    finally:
        reporter.close()


class _Search:
    """One call: what is found, what is missing, and why."""

    def __init__(self, sources: Sources, reporter: Reporter, catalogue: Catalogue) -> None:
        self._sources = sources
        self._reporter = reporter
        self._catalogue = catalogue
        self._kubernetes = catalogue.kubernetes(sources.kubernetes_version)
        self._store = Store.at(sources.cache_dir)
        self._found: dict[str, Binary] = {}
        self._tried: dict[str, list[str]] = {}
        self._log = ""

    def run(self, names: Sequence[str]) -> dict[str, Binary]:
        """Look in every place until all are found."""
        programs = [self._catalogue.program(name) for name in names]
        for program in programs:
            self._look(program)
        if self._sources.download:
            self._download(programs)
        if self._sources.build:
            self._build(programs)
        missing = self._missing(programs)
        if missing:
            raise self._not_available(missing)
        return {name: self._found[name] for name in names}

    def _missing(self, programs: Iterable[Program]) -> list[Program]:
        return [program for program in programs if program.name not in self._found]

    def _look(self, program: Program) -> None:
        for place in (finding.from_variable, finding.from_path, self._store.find):
            try:
                self._found[program.name] = place(program, self._kubernetes)
            except Unfit as exc:
                self._tried.setdefault(program.name, []).append(str(exc))
            else:
                return

    def _download(self, programs: Sequence[Program]) -> None:
        if not self._missing(programs):
            return
        # httpx and its like are 0.1 s of import that finding a program need not pay.
        from testinfra.servers.binaries.artifacts import choose  # noqa: PLC0415
        from testinfra.servers.binaries.download import DownloadFailed, Fetcher  # noqa: PLC0415

        fetcher = Fetcher(self._sources.mirrors, self._reporter)
        for download in self._catalogue.downloads.values():
            offered = [program for program in self._missing(programs) if download.name in program.downloads]
            groups = [offered] if offered and download.members else [[program] for program in offered]
            for group in groups:
                try:
                    self._fetch(choose(self._catalogue, download, group, self._kubernetes, fetcher), fetcher)
                except DownloadFailed as exc:
                    self._reporter.say(f"no download: {exc}")
                    self._note(group, f"download {download.name}: {exc}")

    def _fetch(self, artifact: Artifact, fetcher: Fetcher) -> None:
        from testinfra.servers.binaries.artifacts import fetch, unpack  # noqa: PLC0415 - as above

        with self._store.work(artifact.key, self._reporter) as folder:
            if self._others_got(artifact.programs):
                return
            part = folder.with_name(f"{artifact.key}.part")
            fetch(artifact, part, fetcher)
            try:
                self._install(artifact.programs, unpack(artifact, part, folder), f"downloaded from {artifact.host}")
            finally:
                part.unlink()

    def _build(self, programs: Sequence[Program]) -> None:
        for build in self._catalogue.builds.values():
            group = [program for program in self._missing(programs) if program.build == build.name]
            version = build.version or self._catalogue.release(self._kubernetes)
            if group and not version:
                self._note(
                    group, f"build: which release of Kubernetes {self._kubernetes} to take is not known; name one"
                )
            elif group:
                with self._store.work(f"build-{build.name}-{version}", self._reporter) as folder:
                    if not self._others_got(group):
                        self._try_every_go(build, version, group, folder)

    def _try_every_go(self, build: Build, version: str, group: Sequence[Program], folder: Path) -> None:
        for number, go in enumerate(gobuild.candidates()):
            if isinstance(go, str):
                self._note(group, f"build: {go}")
                continue
            room = folder / str(number)
            room.mkdir()
            try:
                built = gobuild.GoBuild(go, build, version, room, self._reporter).run(group)
            except gobuild.BuildFailed as exc:
                self._log = exc.log
                self._note(group, f"build: {exc}")
            else:
                self._log = ""
                self._install(group, built, f"built with Go {go.version}")
                return

    def _others_got(self, programs: Iterable[Program]) -> bool:
        """Look again, now that the lock is ours: another process may have been faster."""
        for program in programs:
            with contextlib.suppress(Unfit):
                self._found[program.name] = self._store.find(program, self._kubernetes)
        return not self._missing(programs)

    def _install(self, wanted: Sequence[Program], drafts: Mapping[str, Path], source: str) -> None:
        for name, draft in drafts.items():
            program = self._catalogue.programs[name]
            try:
                version = finding.fitting(program, draft, self._kubernetes)
            except Unfit as exc:
                if program in wanted:
                    self._note([program], f"the {name} {source} is of no use: {exc}")
                continue
            binary = self._store.install(program, draft, version, source)
            if program in wanted:
                self._found[name] = binary
                self._reporter.say(f"{name} {version} {source}: {binary.path}")

    def _note(self, programs: Iterable[Program], reason: str) -> None:
        for program in programs:
            self._tried[program.name].append(reason)

    def _not_available(self, missing: Sequence[Program]) -> NotAvailable:
        wanted = ", ".join(f"{program.name} {program.wanted(self._kubernetes)}" for program in missing)
        off = [
            f"{what} is switched off"
            for what, on in (("download", self._sources.download), ("build", self._sources.build))
            if not on
        ]
        names: dict[str, list[str]] = {}
        for program in missing:
            for reason in [*self._tried[program.name], *off]:
                names.setdefault(reason, []).append(program.name)
        arguments = " ".join(program.name for program in missing)
        return NotAvailable(
            f"there is no {wanted}",
            looked_at=[f"{', '.join(who)}: {reason}" for reason, who in names.items()],
            log=self._log,
            next_step=f"testinfra binaries fetch {arguments}"
            if off
            else f"pip install 'testinfra-stand[go]' and testinfra binaries fetch {arguments}, to build;"
            f" or export {missing[0].variable}=<path>",
        )
