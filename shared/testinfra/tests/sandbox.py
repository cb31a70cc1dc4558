"""A sandbox for the stand's own tests: a state directory of its own, and real pytest runs inside it."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
import xml.etree.ElementTree as ET
from dataclasses import dataclass, field
from pathlib import Path

import psutil


def clean_environment() -> dict[str, str]:
    """Our environment without what an outer run or a user has set for the stand, pytest or Postgres."""
    foreign = ("TESTINFRA_", "PYTEST_", "PG", "REDIS", "DATABASE_URL", "COV_CORE", "COLUMNS")
    return {name: value for name, value in os.environ.items() if not name.startswith(foreign)}


@dataclass
class Finished:
    """What a pytest run inside the sandbox gave."""

    code: int
    output: str
    junit: ET.Element
    """The root of its JUnit file."""

    def count(self, what: str) -> int:
        """`tests`, `failures`, `errors` or `skipped`."""
        return sum(int(suite.get(what, "0")) for suite in self.junit.iter("testsuite"))


@dataclass
class Sandbox:
    """A project folder, and a state directory that nobody else uses."""

    project: Path
    state: Path
    environment: dict[str, str] = field(default_factory=clean_environment)
    _runs: int = 0

    def write(self, **files: str) -> None:
        """Write modules: `write(test_a='...')` makes test_a.py."""
        for name, text in files.items():
            (self.project / f"{name}.py").write_text(textwrap.dedent(text))

    def command(self, *arguments: str, junit: Path | None = None) -> list[str]:
        """The command line of a pytest run."""
        plain = ["-p", "no:cacheprovider", "-o", "junit_family=xunit2", "-W", "error"]
        return [sys.executable, "-m", "pytest", *plain, *([f"--junitxml={junit}"] if junit else []), *arguments]

    def start(self, *arguments: str, junit: Path | None = None) -> subprocess.Popen[str]:
        """Start a pytest run and do not wait."""
        return subprocess.Popen(
            self.command(*arguments, junit=junit),
            cwd=self.project,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def pytest(self, *arguments: str) -> Finished:
        """Run pytest to its end."""
        self._runs += 1
        junit = self.project / f"junit-{self._runs}.xml"
        with self.start(*arguments, junit=junit) as run:
            output, _ = run.communicate(timeout=120)
        root = ET.parse(junit).getroot() if junit.exists() else ET.Element("none")  # noqa: S314 - our own file
        return Finished(run.returncode, output, root)

    def testinfra(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run the command line of the stand."""
        return subprocess.run(
            [sys.executable, "-m", "testinfra.cli", *arguments],
            cwd=self.project,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    def processes(self) -> list[psutil.Process]:
        """Every process whose command line names the state directory, the folder of another user's data included."""
        found = []
        for process in psutil.process_iter(["cmdline", "status"]):
            if process.info["status"] == psutil.STATUS_ZOMBIE:
                continue
            if any(str(self.state) in part for part in process.info["cmdline"] or []):
                found.append(process)
        return found

    def leftovers(self) -> list[str]:
        """Everything on disk that a run has made and not removed."""
        beside = self.state.parent.glob(f"{self.state.name}-*")
        return [str(path) for folder in (self.state, *beside) for path in folder.rglob("*")]

    def is_empty(self) -> bool:
        """Whether no process runs and no file is left."""
        return not self.processes() and not self.leftovers()
