"""Fixtures of the stand's own tests.

Rule: every test that uses the sandbox also proves that nothing was left: no process, no file.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from shared.testinfra.tests.sandbox import Sandbox
from testinfra.servers.ready import wait_until


@pytest.fixture
def sandbox(tmp_path: Path) -> Iterator[Sandbox]:
    """A sandbox; at the end nothing of it may be left, within 5 s."""
    # Not below tmp_path: that is ours alone, and Postgres runs as another user when we are root.
    state = Path(tempfile.mkdtemp(prefix="ti-"))
    project = tmp_path / "project"
    project.mkdir()
    (project / "pyproject.toml").write_text('[project]\nname = "sample"\nversion = "1"\n[tool.pytest.ini_options]\n')
    box = Sandbox(project=project, state=state)
    box.environment["TESTINFRA_STATE_DIR"] = str(state)
    try:
        yield box
        wait_until(box.is_empty, what=f"{state} is empty and unused", timeout=5)
    finally:
        for process in box.processes():
            process.kill()
        shutil.rmtree(state, ignore_errors=True)
