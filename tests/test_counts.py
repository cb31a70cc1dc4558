"""The counts of a run are those of its JUnit files, and nothing passes by absence."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tools import counts

BODY = {
    "passes": "def test_it(): pass",
    "fails": "def test_it(): assert 1 == 2",
    "is_skipped": "import pytest\ndef test_it(): pytest.skip('why')",
    "breaks_before": "import pytest\n@pytest.fixture\ndef f(): 1 / 0\ndef test_it(f): pass",
    "breaks_after": "import pytest\n@pytest.fixture\ndef f():\n    yield\n    1 / 0\ndef test_it(f): pass",
    "is_no_python": "def",
    "has_no_test": "",
}


def report_of(folder: Path, *bodies: str) -> Path:
    """The JUnit file of a real pytest run over test files with these bodies."""
    folder.mkdir(exist_ok=True)
    (folder / "pytest.ini").write_text("[pytest]\n", encoding="utf-8")
    for body in bodies:
        (folder / f"test_{body}.py").write_text(BODY[body], encoding="utf-8")
    junit = folder / "report.xml"
    command = [sys.executable, "-m", "pytest", "-q", f"--junitxml={junit}", str(folder)]
    bare = {**os.environ, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    subprocess.run(command, cwd=folder, env=bare, capture_output=True, check=False, timeout=60)
    return junit


def test_passed_failed_and_skipped_are_counted_apart(tmp_path: Path) -> None:
    """One test of each kind is one in each count."""
    found = counts.read(report_of(tmp_path, "passes", "fails", "is_skipped"))
    assert (found.passed, found.failed, found.skipped) == (1, 1, 1)


@pytest.mark.parametrize("body", ["breaks_before", "breaks_after", "is_no_python"])
def test_a_test_that_breaks_outside_its_call_counts_as_failed(tmp_path: Path, body: str) -> None:
    """A fixture that breaks, or a file that cannot be read, is a failure and no pass."""
    found = counts.read(report_of(tmp_path, body))
    assert (found.passed, found.failed, found.skipped) == (0, 1, 0)


def test_all_passed_is_success_and_the_last_line_is_the_sum(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Several reports end with the line that CI reads."""
    reports = [report_of(tmp_path / name, "passes") for name in ("one", "two")]
    assert counts.main([str(report) for report in reports]) == 0
    assert capsys.readouterr().out.splitlines()[-1] == "2 passed, 0 failed, 0 skipped"


@pytest.mark.parametrize(
    ("body", "why"),
    [("is_skipped", "1 skipped"), ("has_no_test", "counts no test"), ("fails", "0 passed, 1 failed")],
)
def test_what_did_not_pass_is_an_error(tmp_path: Path, capsys: pytest.CaptureFixture[str], body: str, why: str) -> None:
    """A skipped test, a session without a test, and a failure end the count with 1 and say why."""
    assert counts.main([str(report_of(tmp_path, body))]) == 1
    said = capsys.readouterr()
    assert why in said.out + said.err


def test_a_report_that_is_missing_or_torn_is_an_error(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A session that died before its report, or in the middle of it, does not count as zero."""
    torn = tmp_path / "torn.xml"
    torn.write_text("<testsuites><testsuite tests='1'>", encoding="utf-8")
    assert counts.main([str(tmp_path / "gone.xml"), str(torn)]) == 1
    said = capsys.readouterr().err
    assert "gone.xml is not there" in said
    assert "torn.xml is not XML" in said
