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
    more_is_better: bool = False
    mean: bool = False
    """Whether the mean stands for the samples, as for a recall, instead of the median."""

    def record(self) -> dict[str, Any]:
        """Give the medians as one entry of the report; `ratio` above 1 means that ours is better."""
        middle = statistics.fmean if self.mean else statistics.median
        value, peer_value = middle(self.ours), middle(self.theirs)
        return {
            "name": self.name,
            "value": round(value, 3),
            "unit": self.unit,
            "peer": self.peer,
            "peer_value": round(peer_value, 3),
            "ratio": round(value / peer_value if self.more_is_better else peer_value / value, 2),
            "runs": len(self.ours),
        }

    def best(self, samples: Sequence[float]) -> float:
        """Give the sample that other work on the machine disturbed least."""
        return max(samples) if self.more_is_better else min(samples)


def write(results: Sequence[Result], path: Path) -> None:
    """Write the report: what this run measured, and nothing of an earlier one."""
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps([result.record() for result in results], indent=2) + "\n")


def show(results: Sequence[Result]) -> None:
    """Print the table."""
    table = Table(title="medians (and the best); a ratio above 1 means that ours is better")
    for column in ("name", "unit", "ours", "peer's", "ratio", "samples", "peer"):
        table.add_column(column, justify="right" if column in ("ours", "peer's", "ratio", "samples") else "left")
    for result in results:
        entry = result.record()
        table.add_row(
            result.name,
            result.unit,
            f"{entry['value']:.2f} ({result.best(result.ours):.2f})",
            f"{entry['peer_value']:.2f} ({result.best(result.theirs):.2f})",
            f"{entry['ratio']:.2f}",
            str(entry["runs"]),
            result.peer,
        )
    Console(width=None if sys.stdout.isatty() else 120).print(table)
