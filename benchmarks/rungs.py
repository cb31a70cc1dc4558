"""The fake against the local API server: when it answers, and what a namespace costs a test on each."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence

from benchmarks.result import Result
from benchmarks.sandbox import ROOT, BenchError

NAMES = ("fake_ready", "fresh_namespace")
_TESTS = 200
_TIMEOUT = 120.0


def _run(rung: str) -> tuple[float, float]:
    """Run one process; gives the seconds until the rung answers, and the milliseconds of a namespace."""
    command = [sys.executable, "-m", "benchmarks.rung", rung, str(_TESTS)]
    try:
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=_TIMEOUT, check=True)
    except subprocess.CalledProcessError as exc:
        raise BenchError(f"{' '.join(command)} ended with code {exc.returncode}:\n{exc.stdout}{exc.stderr}") from exc
    except subprocess.TimeoutExpired as exc:
        raise BenchError(f"{' '.join(command)}: {exc}") from exc
    ready, each = map(float, done.stdout.split())
    return ready, each


def measure(names: Sequence[str], runs: int) -> list[Result]:
    """Measure what is named, `runs` runs of each rung in turns, after one that does not count."""
    sides: dict[str, list[tuple[float, float]]] = {"fake": [], "apiserver": []}
    for counted in [False, *[True] * runs]:
        for rung, samples in sides.items():
            sample = _run(rung)
            if counted:
                samples.append(sample)
    peer = "our rung apiserver"
    ready, each = zip(*sides["fake"], strict=True)
    their_ready, their_each = zip(*sides["apiserver"], strict=True)
    results = [
        Result(name="fake_ready", unit="s", peer=peer, ours=ready, theirs=their_ready),
        Result(name="fresh_namespace", unit="ms", peer=peer, ours=each, theirs=their_each),
    ]
    return [result for result in results if result.name in names]
