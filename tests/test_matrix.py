"""The matrix, the noxfile, CI and the members agree with each other."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest

import matrix

ROOT = Path(__file__).resolve().parent.parent
WORKFLOW = (ROOT / ".github/workflows/ci.yml").read_text(encoding="utf-8")
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def listing() -> str:
    """What `nox --list --json` prints: the sessions that a bare `nox` runs."""
    command = [sys.executable, "-m", "nox", "--list", "--json"]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True, timeout=60).stdout


def members() -> list[Path]:
    """The folders of all members: those that members.txt installs."""
    lines = (ROOT / "members.txt").read_text(encoding="utf-8").splitlines()
    found = [re.fullmatch(r"-e \./([\w/]+)(\[\w+\])?", line) for line in lines if not line.startswith("#")]
    return [ROOT / match[1] for match in found if match]


def packages() -> list[Path]:
    """The import packages of all members."""
    return [init.parent for member in members() for init in member.glob("src/*/__init__.py")]


def test_every_folder_with_a_pyproject_is_a_member() -> None:
    """A package that is in no list of members would be neither installed nor checked."""
    found = [path.parent for depth in ("*", "*/*") for path in ROOT.glob(f"{depth}/pyproject.toml")]
    assert sorted(members()) == sorted(found)


def test_every_member_is_type_checked_and_under_import_contracts() -> None:
    """A new member is known to mypy, to import-linter and to coverage."""
    names = {package.name for package in packages()}
    sources = {str(package.parent.relative_to(ROOT)) for package in packages()}
    assert sources == set(PYPROJECT["tool"]["mypy"]["mypy_path"])
    assert names == set(PYPROJECT["tool"]["importlinter"]["root_packages"])
    assert names == set(PYPROJECT["tool"]["coverage"]["run"]["source_pkgs"])


def test_every_service_has_a_unit_and_an_integration_cell() -> None:
    """A service is run on both storeys."""
    for project in (ROOT / "services").glob("*/pyproject.toml"):
        service = project.parent.name
        storeys = {cell.storey for cell in matrix.CELLS if cell.service == service}
        assert {"unit", "integration"} <= storeys, service


def test_every_test_file_belongs_to_exactly_one_cell_on_each_of_its_rungs() -> None:
    """No test is forgotten, and none runs twice on the same servers."""
    homes = [(ROOT / path, cell.kubernetes) for cell in matrix.CELLS for path in cell.paths]
    places = ["tests", "schema", "services", "shared"]
    files = [file for place in places for file in (ROOT / place).rglob("test_*.py")]
    assert files
    for file in files:
        rungs = [rung for home, rung in homes if home in file.parents]
        assert rungs, file
        assert len(rungs) == len(set(rungs)), file


def test_every_cell_has_tests() -> None:
    """No cell is an empty promise."""
    empty = [path for cell in matrix.CELLS for path in cell.paths if not list((ROOT / path).rglob("test_*.py"))]
    assert empty == []


def test_every_integration_cell_has_a_session_of_its_own_name() -> None:
    """`integration-SERVICE` runs the main integration cell of that service and nothing else."""
    cells = [cell for cell in matrix.CELLS if cell.storey == "integration"]
    assert {cell.service for cell in cells} >= {"datastorage"}
    assert {cell.session: (cell,) for cell in cells}.items() <= matrix.by_session().items()


def test_a_bare_nox_runs_every_session_of_the_matrix_and_the_checks(listing: str) -> None:
    """The test command of the README leaves nothing out."""
    assert {row["session"] for row in json.loads(listing)} == {"tests", "lint", "types", *matrix.by_session()}


def test_every_session_has_a_help_line(listing: str) -> None:
    """`nox --list` says what each session does."""
    assert [row["session"] for row in json.loads(listing) if not row["description"]] == []


def test_ci_runs_every_session_of_the_matrix(listing: str) -> None:
    """CI's plan has one row a session, and a row says only what is not the default."""
    rows = matrix.ci_rows(listing)
    assert [row["session"] for row in rows] == list(matrix.by_session())
    assert {key for row in rows for key in row} <= {"session", "timeout", "runner"}
    assert [row for row in rows if row.get("timeout") == matrix.DEFAULT_TIMEOUT] == []


def test_ci_fills_in_the_defaults_of_the_matrix() -> None:
    """What a sparse row leaves out, the workflow puts in: the same value as the matrix has."""
    assert f"matrix.timeout || {matrix.DEFAULT_TIMEOUT} }}}}" in WORKFLOW
    assert f"matrix.runner || '{matrix.DEFAULT_RUNNER}' }}}}" in WORKFLOW


def test_ci_waits_for_every_job() -> None:
    """The one required check needs all other jobs."""
    jobs = re.findall(r"^  ([a-z-]+):$", WORKFLOW.split("\njobs:\n")[1], re.MULTILINE)
    needs = re.search(r"required-checks-pass:.*?needs: \[([^\]]+)\]", WORKFLOW, re.DOTALL)
    assert needs is not None
    assert set(needs[1].split(", ")) == set(jobs) - {"required-checks-pass"}


@pytest.mark.parametrize("listed", [[], [{"session": "lint"}]])
def test_a_plan_without_a_cell_is_refused(listed: list[Any]) -> None:
    """A workflow whose plan is empty would be green without a test."""
    with pytest.raises(ValueError, match="no session of the matrix"):
        matrix.ci_rows(json.dumps(listed))
