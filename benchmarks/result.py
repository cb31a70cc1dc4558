"""One line of reports/bench.json: a number of ours beside its peer's."""

from __future__ import annotations

import json
import statistics
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table


@dataclass(frozen=True, kw_only=True)
class Result:
    """What was measured, all samples of both sides in `unit`."""

    name: str
    unit: str
    peer: str
    ours: Sequence[float]
    theirs: Sequence[float]

    def record(self) -> dict[str, Any]:
        """Give the medians as one entry of the report; `ratio` above 1 means that ours is faster."""
        value, peer_value = statistics.median(self.ours), statistics.median(self.theirs)
        return {
            "name": self.name,
            "value": round(value, 3),
            "unit": self.unit,
            "peer": self.peer,
            "peer_value": round(peer_value, 3),
            "ratio": round(peer_value / value, 2),
            "runs": len(self.ours),
        }


def write(results: Sequence[Result], path: Path) -> None:
    """Write the report: what this run measured, and nothing of an earlier one."""
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps([result.record() for result in results], indent=2) + "\n")


def show(results: Sequence[Result]) -> None:
    """Print the table; the fastest sample of a side is the one that other work on the machine disturbed least."""
    table = Table(title="medians (and the fastest); a ratio above 1 means that ours is faster")
    for column in ("name", "unit", "ours", "peer's", "ratio", "samples", "peer"):
        table.add_column(column, justify="right" if column in ("ours", "peer's", "ratio", "samples") else "left")
    for result in results:
        entry = result.record()
        table.add_row(
            result.name,
            result.unit,
            f"{entry['value']:.2f} ({min(result.ours):.2f})",
            f"{entry['peer_value']:.2f} ({min(result.theirs):.2f})",
            f"{entry['ratio']:.1f}",
            str(entry["runs"]),
            result.peer,
        )
    Console(width=None if sys.stdout.isatty() else 120).print(table)
