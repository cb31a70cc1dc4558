"""What is told while something lasts."""

from __future__ import annotations

from testinfra.servers.binaries.progress import Lines


def test_lines_are_told_at_intervals() -> None:
    """What begins or ends is told at once; what lasts, when the interval is over, and a line begins a new one."""
    told: list[str] = []
    eager, patient = Lines(told.append, interval=0), Lines(told.append, interval=3600)
    for lines in (eager, patient):
        lines.say("downloading it")
        lines.progress("it", 12_000_000, 92_000_000)
        lines.progress("it", 1_000, 92_000)
        lines.progress("building it", 0, 0, "1 min 10 s")
        lines.close()
    of_the_eager = ["downloading it", "it: 12 MB of 92 MB", "it: 1 kB of 92 kB", "building it: 1 min 10 s"]
    assert told == [*of_the_eager, "downloading it"]
