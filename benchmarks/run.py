"""Measure the stand side by side with its peers; writes reports/bench.json and prints a table.

README.md beside this file says what each number means.
"""

from __future__ import annotations

import argparse
import signal
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))  # a script's own folder is there, and the package `benchmarks` is one above
from benchmarks import context, control_planes, result, rungs, signal_rates, signals, toolset_discovery  # noqa: E402 - after the line above
from benchmarks.compare import NAMES as IN_SANDBOX  # noqa: E402
from benchmarks.compare import measure  # noqa: E402
from benchmarks.recall import recall  # noqa: E402
from benchmarks.sandbox import BenchError, sandbox  # noqa: E402
from benchmarks.writes import writes  # noqa: E402
from testinfra.errors import StandError  # noqa: E402

SERVICES: dict[str, Callable[[int], list[result.Result]]] = {
    "datastorage_writes": writes,
    "hnsw_recall": lambda _: recall(),
    "gateway_duplicates": signals.duplicates,
    "gateway_new": signals.new,
    "gateway_sustained": signal_rates.sustained,
    "gateway_burst": signal_rates.burst,
    "gateway_memory": lambda _: signals.memory(),
    "contextapi_hit": context.hits,
    "contextapi_miss": context.misses,
    "contextapi_hit_rate": lambda _: context.hit_rate(),
    "toolset_discovery": toolset_discovery.discovery,
}
NAMES = (*IN_SANDBOX, *SERVICES, *control_planes.NAMES, *rungs.NAMES)


def positive(text: str) -> int:
    """Read a number of runs; argparse names this function to whoever gives another."""
    number = int(text)
    if number < 1:
        raise ValueError(text)
    return number


def measured(names: Sequence[str], runs: int) -> list[result.Result]:
    """Measure what is named."""
    results: list[result.Result] = []
    if set(names) & set(IN_SANDBOX):
        with sandbox() as box:
            results += measure(box, names, runs)
    for name, measure_service in SERVICES.items():
        if name in names:
            results += measure_service(runs)
    for module in (control_planes, rungs):
        if asked := [name for name in module.NAMES if name in names]:
            results += module.measure(asked, runs)
    return results


def main() -> int:
    """Measure what the command line names; 0 when all of it was measured, whatever the numbers are."""
    parser = argparse.ArgumentParser(prog="benchmarks/run.py", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"what to measure (default: all): {', '.join(NAMES)}")
    parser.add_argument("--runs", type=positive, default=5, metavar="N", help="runs of each side (default: 5)")
    asked = parser.parse_args()
    if unknown := sorted(set(asked.names) - set(NAMES)):
        parser.error(f"there is no {', '.join(unknown)}; there are {', '.join(NAMES)}")
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # it cleans up too, as after Ctrl-C
    report = ROOT / "reports" / "bench.json"
    try:
        results = measured(asked.names or NAMES, asked.runs)
    except (BenchError, StandError) as exc:
        print(f"nothing was measured: {exc}", file=sys.stderr)
        return 1
    result.write(results, report)
    result.show(results)
    print(f"report: {report.relative_to(ROOT)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
