"""Count what ran, from JUnit files: one line a session, and one for all.

Rule 1: a file that is missing, unreadable or holds no test is an error, not a zero.
Rule 2: a skipped test is an error: what was asked for and is missing fails.
Rule 3: the last line is `N passed, N failed, N skipped` for all files together.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree as ET  # the files are our own pytest's, made a moment ago


@dataclass(frozen=True, kw_only=True)
class Counts:
    """What became of a number of tests; a test that broke outside its call (an error) counts as failed."""

    passed: int = 0
    failed: int = 0
    skipped: int = 0
    seconds: float = 0.0

    def __add__(self, other: Counts) -> Counts:
        return Counts(
            passed=self.passed + other.passed,
            failed=self.failed + other.failed,
            skipped=self.skipped + other.skipped,
            seconds=self.seconds + other.seconds,
        )

    def __str__(self) -> str:
        return f"{self.passed} passed, {self.failed} failed, {self.skipped} skipped"


def read(report: Path) -> Counts:
    """The counts of one JUnit file.

    Raises ValueError when it is missing, is no JUnit file or counts no test.
    """
    if not report.is_file():
        raise ValueError(f"{report} is not there: its session ended before pytest could write it; see its output above")
    try:
        suites = list(ET.parse(report).getroot().iter("testsuite"))  # noqa: S314 - our own file, see above
    except ET.ParseError as exc:
        raise ValueError(f"{report} is not XML ({exc}): pytest was ended while it wrote; run it again") from exc
    total = Counts()
    for suite in suites:
        tests, skipped = int(suite.get("tests", "0")), int(suite.get("skipped", "0"))
        failed = int(suite.get("failures", "0")) + int(suite.get("errors", "0"))
        total += Counts(
            passed=max(0, tests - failed - skipped),
            failed=failed,
            skipped=skipped,
            seconds=float(suite.get("time", "0")),
        )
    if total.passed + total.failed + total.skipped == 0:
        raise ValueError(f"{report} counts no test: nothing was selected; look at -k, -m and paths after `--`")
    return total


def main(reports: list[str]) -> int:
    """Print the counts of these files; 1 when a test failed or was skipped, or a file is wrong, else 0."""
    total, problems = Counts(), list[str]()
    for report in map(Path, reports):
        try:
            counts = read(report)
        except ValueError as exc:
            problems.append(str(exc))
            continue
        print(f"{report.stem}: {counts} in {counts.seconds:.2f} s; report: {report}")
        total += counts
    if total.skipped:
        problems.append(f"{total.skipped} skipped: here a test passes or fails; see `-rs` for the reasons")
    for problem in problems:
        print(f"error: {problem}", file=sys.stderr)
    if len(reports) != 1:
        print(total)
    return 1 if problems or total.failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
