"""Sessions of this repository: `nox` runs all tests, `nox -s NAME` one session; what follows `--` reaches pytest."""

from __future__ import annotations

import functools
import os
import sys
import uuid
from pathlib import Path

import nox
from nox.command import CommandFailed

ROOT = Path(__file__).resolve().parent
sys.path.insert(0, str(ROOT))  # nox does not do it
import matrix  # noqa: E402 - after the line above
from tools import members  # noqa: E402 - likewise

nox.needs_version = ">=2026.10.20"
nox.options.default_venv_backend = "uv"
nox.options.reuse_existing_virtualenvs = True
nox.options.error_on_external_run = True
nox.options.sessions = ["tests"]

# One invocation, one set of servers: every session of it, in this process or in `-j`'s children, leases the same ones.
os.environ.setdefault("TESTINFRA_RUN", uuid.uuid4().hex[:12])
# Compiled once when installed, not by every worker of the first run (or of every run, where Python may not write).
os.environ.setdefault("UV_COMPILE_BYTECODE", "1")
# `-n logical` means this many workers; a number of one's own comes from the variable, or after `--` as `-n 8`.
os.environ.setdefault("PYTEST_XDIST_AUTO_NUM_WORKERS", str(min(4, os.cpu_count() or 2)))

REPORTS = Path("reports")
MEMBERS = members.FOLDERS
SCRIPTS = ("noxfile.py", "matrix.py", "tools", "tests", "benchmarks", "services/conftest.py")
CHECKS = ("lint", "types")
CONTROL_PLANE = ("etcd", "kube-apiserver", "kube-controller-manager", "kubectl")
SESSIONS = matrix.by_session()
INTEGRATION = [name for name in SESSIONS if name.startswith("integration-")]
ON_SERVERS = [name for name in SESSIONS if name.startswith(("integration-", "e2e-", "contract-", "stand-"))]


def install(session: nox.Session, *groups: str, of: tuple[str, ...] = MEMBERS) -> None:
    """Install these dependency groups, and the members `of` with those that they stand on, as constraints.txt pins.

    In place, so that an edit is seen at once; in CI as built wheels, so that what is shipped is what is tested.
    """
    found = members.installable(of)
    named = [f"--group={group}" for group in groups]
    placed = found if os.environ.get("CI") else [part for member in found for part in ("-e", member)]
    session.install("-c", "constraints.txt", "-b", "constraints.txt", *named, *placed)


def members_of(paths: tuple[str, ...]) -> tuple[str, ...]:
    """The members whose tests are in these folders; the root's own tests look at all."""
    found = tuple(member for member in MEMBERS if any(path.startswith(f"{member}/") for path in paths))
    return MEMBERS if "tests" in paths else found


def run_pytest(session: nox.Session, *arguments: str, report: str, paths: tuple[str, ...]) -> None:
    """Run pytest with the posargs last, so that they win; then say what ran and where the report is.

    A posarg that names a test file takes the place of the session's folders.
    """
    junit = REPORTS / f"{report}.xml"
    junit.unlink(missing_ok=True)
    chosen = any(argument.partition("::")[0].endswith(".py") for argument in session.posargs)
    try:
        command = ["pytest", *arguments, f"--junitxml={junit}", *(() if chosen else paths), *session.posargs]
        # Sources installed in place are compiled once as well: a second of every worker's start.
        session.run(*command, env={"PYTHONDONTWRITEBYTECODE": None})
    except CommandFailed:
        count(session, report, success_codes=(0, 1))
        raise
    count(session, report)


def count(session: nox.Session, *reports: str, success_codes: tuple[int, ...] = (0,)) -> None:
    """Say what ran in these sessions; fails where nothing ran, a test failed, or one was skipped."""
    files = (str(REPORTS / f"{report}.xml") for report in reports)
    session.run(sys.executable, "tools/counts.py", *files, external=True, success_codes=success_codes, log=False)


@nox.session(requires=[*CHECKS, *SESSIONS], venv_backend="none")
def tests(session: nox.Session) -> None:
    """Run everything that CI asks for: lint, types and all tests; a bare `nox` does this."""
    count(session, *SESSIONS)


@nox.session(allow_parallel=True)
def lint(session: nox.Session) -> None:
    """Check style, format, import contracts, workflows and scripts, and that versions are pinned without addresses."""
    session.install("-c", "constraints.txt", "--group", "lint")
    session.run("ruff", "check", ".")
    session.run("ruff", "format", "--check", ".")
    session.run("lint-imports", env={"PYTHONPATH": os.pathsep.join(f"{member}/src" for member in MEMBERS)})
    session.run("python", "tools/constraints.py", *MEMBERS)
    session.run("shellcheck", ".ci/run")
    session.run("actionlint", *map(str, sorted(Path(".github/workflows").glob("*.yml"))))
    session.run("zizmor", "--offline", "--quiet", ".github")


@nox.session(allow_parallel=True)
def types(session: nox.Session) -> None:
    """Run mypy strict over the sources and tests of every member, and over this repository's own scripts."""
    install(session, "types")
    folders = [f"{member}/{part}" for member in MEMBERS for part in ("src", "tests")]
    session.run("mypy", *SCRIPTS, *folders)


@nox.session(allow_parallel=True, tags=matrix.tags(SESSIONS["unit"]))
def unit(session: nox.Session) -> None:
    """Run the unit tests of every service, of servicekit and of this repository itself; no server."""
    install(session, "test")
    run_pytest(session, report="unit", paths=matrix.paths(SESSIONS["unit"]))


@nox.session(tags=matrix.tags(SESSIONS["stand"]))
def stand(session: nox.Session) -> None:
    """Run the stand's own tests: its parts, and the plugin under real pytest runs."""
    paths = matrix.paths(SESSIONS["stand"])
    install(session, "test", of=members_of(paths))
    run_pytest(session, "-n", "logical", report="stand", paths=paths)


def integration_cell(session: nox.Session, *, name: str) -> None:
    """Run one cell of the matrix on the backends that the command line names."""
    cells = SESSIONS[name]
    install(session, "test", of=members_of(matrix.paths(cells)))
    if any("kubernetes" in cell.backends for cell in cells):
        # Before the tests, where their progress is seen: building them takes minutes the first time.
        session.run("testinfra", "binaries", "fetch", *CONTROL_PLANE)
    rungs = dict.fromkeys(f"--kubernetes={cell.kubernetes}" for cell in cells if cell.kubernetes)
    run_pytest(session, "-n", "logical", *rungs, report=name, paths=matrix.paths(cells))


for _name in ON_SERVERS:
    _cell = functools.partial(integration_cell, name=_name)
    _first = SESSIONS[_name][0]
    _what = " ".join(filter(None, (_first.storey, "tests of", _first.service, _first.part and f"({_first.part})")))
    _cell.__doc__ = f"Run the {_what} on {' and '.join(_first.backends)}."
    nox.session(name=_name, allow_parallel=True, tags=matrix.tags(SESSIONS[_name]))(_cell)


@nox.session(name="integration-all", requires=INTEGRATION, venv_backend="none")
def integration_all(session: nox.Session) -> None:
    """Run every integration cell of the matrix."""
    count(session, *INTEGRATION)


@nox.session
def bench(session: nox.Session) -> None:
    """Measure the stand side by side with its peers; writes reports/bench.json."""
    install(session, "bench")
    session.run("python", "benchmarks/run.py", *session.posargs)


@nox.session
def fix(session: nox.Session) -> None:
    """Format the code and mend what ruff can mend."""
    session.install("-c", "constraints.txt", "--group", "lint")
    session.run("ruff", "check", "--fix", ".")
    session.run("ruff", "format", ".")


@nox.session
def lock(session: nox.Session) -> None:
    """Write constraints.txt, keeping its pins; `-- --upgrade` or `-- --upgrade-package NAME` moves them."""
    names = [nox.project.load_toml(f"{member}/pyproject.toml")["project"]["name"] for member in MEMBERS]
    session.run(
        *("uv", "pip", "compile", "members.txt", "--output-file", "constraints.txt"),
        *(f"--group={group}" for group in nox.project.load_toml()["dependency-groups"]),
        *(f"--no-emit-package={name}" for name in names),
        *("--universal", "--python-version=3.11", "--generate-hashes", "--no-annotate", "--quiet"),
        *("--no-emit-index-url", "--no-emit-find-links", "--custom-compile-command=nox -s lock"),
        *session.posargs,
        external=True,
    )


@nox.session
def dev(session: nox.Session) -> None:
    """Make an environment with everything for an editor and plain pytest, and say how to activate it."""
    install(session, "dev")
    session.log(f"activate it:    . {Path(session.bin) / 'activate'}")
    session.log(f"in an editor:   {Path(session.bin) / 'python'}")
