"""The matrix: every cell that is run, as data. Standard library only.

Rule 1: what runs where is said here once; the noxfile makes its sessions from it and CI makes its jobs from those.
Rule 2: a cell is listed when it has tests. A test (tests/test_matrix.py) fails when a service has none.
Rule 3: what a cell does not say is the default, so rows stay short and CI's rows stay sparse.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import dataclass
from pathlib import Path

STAND = "testinfra"
"""The member whose cells are the stand's own tests."""

DEFAULT_RUNNER = "ubuntu-24.04"
DEFAULT_TIMEOUT = 10


@dataclass(frozen=True, kw_only=True)
class Cell:
    """One service, one storey of its tests, and the kinds of backend that they stand on."""

    service: str
    """The member's name: a service's, `testinfra` for the stand, `root` for this repository itself."""
    storey: str
    """`unit` (no network), `integration` (real backends), `e2e` (whole processes, some of them killed), `plugin` (the
    stand under real pytest runs) or `contract` (the same facts of every backend of a kind)."""
    paths: tuple[str, ...]
    """The folders of its tests, relative to the root."""
    part: str = ""
    """Where a storey of a service has several cells: the name of this one, "" for its main job."""
    backends: tuple[str, ...] = ()
    """The kinds of server it needs; which rung of each is the command line's choice."""
    kubernetes: str = ""
    """The rung that its tests need, "" where any will do: the command line's choice still wins."""
    tags: tuple[str, ...] = ()
    """Further nox tags, for `nox -t TAG`."""
    timeout: int = DEFAULT_TIMEOUT
    """Minutes after which CI ends its job."""
    runner: str = DEFAULT_RUNNER
    """The label of the CI machine."""

    @property
    def session(self) -> str:
        """The nox session that runs this cell; the unit storeys of all members share one, and so do the stand's own."""
        if self.service == STAND:
            return "-".join(filter(None, ("contract" if self.storey == "contract" else "stand", self.part)))
        if self.storey == "unit":
            return "unit"
        return "-".join(filter(None, (self.storey, self.service, self.part)))


CELLS = (
    Cell(service="root", storey="unit", paths=("tests",)),
    Cell(service="schema", storey="unit", paths=("schema/tests/unit",)),
    Cell(service="servicekit", storey="unit", paths=("shared/servicekit/tests/unit",)),
    Cell(service="datastorage", storey="unit", paths=("services/datastorage/tests/unit",)),
    Cell(
        service="datastorage",
        storey="integration",
        paths=("services/datastorage/tests/integration/scenarios",),
        backends=("postgres", "redis"),
    ),
    Cell(
        service="datastorage",
        storey="integration",
        part="calls",
        paths=("services/datastorage/tests/integration/calls",),
        backends=("postgres", "redis"),
    ),
    Cell(
        service="datastorage",
        storey="e2e",
        paths=("services/datastorage/tests/e2e",),
        backends=("postgres", "redis"),
        timeout=15,
    ),
    Cell(service="contextapi", storey="unit", paths=("services/contextapi/tests/unit",)),
    Cell(
        service="contextapi",
        storey="integration",
        paths=("services/contextapi/tests/integration",),
        backends=("postgres", "redis"),
        timeout=15,
    ),
    Cell(
        service="contextapi",
        storey="e2e",
        paths=("services/contextapi/tests/e2e",),
        backends=("postgres", "redis"),
    ),
    Cell(service="gateway", storey="unit", paths=("services/gateway/tests/unit",)),
    Cell(
        service="gateway",
        storey="integration",
        paths=("services/gateway/tests/integration",),
        backends=("kubernetes", "postgres", "redis"),
        kubernetes="apiserver",
        timeout=20,
    ),
    Cell(
        service="gateway",
        storey="integration",
        part="fake",
        paths=("services/gateway/tests/integration/signals",),
        backends=("kubernetes", "postgres", "redis"),
        kubernetes="fake",
    ),
    Cell(
        service="gateway",
        storey="e2e",
        paths=("services/gateway/tests/e2e",),
        backends=("kubernetes",),
        kubernetes="apiserver",
    ),
    Cell(service="toolset", storey="unit", paths=("services/toolset/tests/unit",)),
    Cell(
        service="toolset",
        storey="integration",
        paths=("services/toolset/tests/integration",),
        backends=("kubernetes",),
        kubernetes="apiserver",
        timeout=20,
    ),
    Cell(
        service="toolset",
        storey="integration",
        part="fake",
        paths=("services/toolset/tests/integration/discovery",),
        backends=("kubernetes",),
        kubernetes="fake",
    ),
    Cell(
        service="toolset",
        storey="e2e",
        paths=("services/toolset/tests/e2e",),
        backends=("kubernetes",),
        kubernetes="apiserver",
    ),
    Cell(service="schema", storey="integration", paths=("schema/tests/integration",), backends=("postgres",)),
    Cell(service=STAND, storey="unit", paths=("shared/testinfra/tests/unit",)),
    Cell(
        service=STAND,
        storey="plugin",
        paths=("shared/testinfra/tests/plugin",),
        backends=("postgres", "redis"),
        timeout=20,
    ),
    Cell(
        service=STAND,
        storey="plugin",
        part="kubernetes",
        paths=("shared/testinfra/tests/kubernetes",),
        backends=("kubernetes",),
        timeout=20,
    ),
    *(
        Cell(
            service=STAND,
            storey="contract",
            part=kind,
            paths=(f"shared/testinfra/tests/contract/{kind}",),
            backends=(kind,),
            timeout=20,
        )
        for kind in ("postgres", "redis", "kubernetes")
    ),
)


def by_session() -> dict[str, tuple[Cell, ...]]:
    """Every session with its cells, in the matrix's order."""
    sessions: dict[str, tuple[Cell, ...]] = {}
    for cell in CELLS:
        sessions[cell.session] = (*sessions.get(cell.session, ()), cell)
    return sessions


def paths(cells: tuple[Cell, ...]) -> tuple[str, ...]:
    """The test folders of these cells."""
    return tuple(path for cell in cells for path in cell.paths)


def tags(cells: tuple[Cell, ...]) -> list[str]:
    """The nox tags of a session: `cell`, its storeys, services and backends, and the tags that its cells add."""
    named = ("cell", *(tag for cell in cells for tag in (cell.storey, cell.service, *cell.backends, *cell.tags)))
    return list(dict.fromkeys(named))


def ci_rows(listing: str) -> list[dict[str, str | int]]:
    """CI's rows from what `nox --list --json` printed: the listed sessions of the matrix, each only with what differs.

    Raises ValueError when the listing names no session of the matrix: a plan without jobs would pass without a test.
    """
    listed = {row["session"] for row in json.loads(listing)}
    rows: list[dict[str, str | int]] = []
    for session, cells in by_session().items():
        if session not in listed:
            continue
        row: dict[str, str | int] = {"session": session}
        if (timeout := max(cell.timeout for cell in cells)) != DEFAULT_TIMEOUT:
            row["timeout"] = timeout
        if (runner := cells[0].runner) != DEFAULT_RUNNER:
            row["runner"] = runner
        rows.append(row)
    if not rows:
        raise ValueError(f"no session of the matrix is in the listing; it names {sorted(listed) or 'nothing'}")
    return rows


def main() -> None:
    """Print CI's rows as one line of JSON."""
    parser = argparse.ArgumentParser(description="Turn what `nox --list --json` printed into the rows of CI's jobs.")
    parser.add_argument("listing", type=Path, help="the file that holds it")
    print(json.dumps(ci_rows(parser.parse_args().listing.read_text(encoding="utf-8"))))


if __name__ == "__main__":
    main()
