"""The slice of a server's log that belongs to one test."""

from __future__ import annotations

from pathlib import Path

from testinfra.names import Names
from testinfra.servers.logs import position, since

NAMES = Names(service="svc", worker="gw0")
MINE, OTHER = NAMES.next(), NAMES.next()


def test_a_slice_holds_this_tests_lines_and_those_of_nobody(tmp_path: Path) -> None:
    """Another test's lines, with their continuations, are left out; so is what was there before."""
    log = tmp_path / "log"
    log.write_text(f"t [1] app={MINE} db=d before\n")
    start = position(log)
    with log.open("a") as file:
        file.write(f"t [1] app={MINE} db=d ERROR: mine\n\tgoes on\n")
        file.write(f"t [2] app={OTHER} db=d ERROR: not mine\n\tgoes on elsewhere\n")
        file.write(f"t [2] app={NAMES.owner}:maker db=d maker\n")
        file.write("t [3] app= db= LOG: server process was terminated by signal 9\n")
        file.write("t [4] app=psql db=d somebody's own name\n")
    assert since(log, start, MINE).splitlines() == [
        f"t [1] app={MINE} db=d ERROR: mine",
        "\tgoes on",
        "t [2] app=" + NAMES.owner + ":maker db=d maker",
        "t [3] app= db= LOG: server process was terminated by signal 9",
        "t [4] app=psql db=d somebody's own name",
    ]


def test_a_long_slice_keeps_its_end_and_says_so(tmp_path: Path) -> None:
    """The cause is near the end."""
    log = tmp_path / "log"
    log.write_text("".join(f"line {number}\n" for number in range(500)))
    lines = since(log, 0).splitlines()
    assert lines[0] == "(440 lines before)"
    assert lines[-1] == "line 499"


def test_a_log_that_is_gone_is_said_to_be(tmp_path: Path) -> None:
    """No second failure on top of the first."""
    assert "cannot be read" in since(tmp_path / "none", 0)
    assert position(tmp_path / "none") == 0
