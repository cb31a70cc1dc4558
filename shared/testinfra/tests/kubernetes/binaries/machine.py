"""Other processes that ask for programs, for what one process cannot show: kills, full disks, four at once."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence

from testinfra.servers.binaries import Sources

_PROGRAM = """
import json, sys
from testinfra.errors import StandError
from testinfra.servers.binaries import Sources, locate_all, parse
names, sources, catalogue = json.loads(sys.argv[1])
try:
    found = locate_all(names, Sources(**sources), catalogue=parse(catalogue) if catalogue else None)
except StandError as exc:
    sys.exit(str(exc))
for binary in found.values():
    print(binary.path)
"""


def asking(names: Sequence[str], sources: Sources, *, catalogue: str = "", wrapper: Sequence[str] = ()) -> list[str]:
    """The command of a process that prints the paths of these programs, or ends with the message."""
    return [*wrapper, sys.executable, "-c", _PROGRAM, json.dumps([list(names), vars(sources), catalogue])]


def start(names: Sequence[str], sources: Sources, *, catalogue: str = "") -> subprocess.Popen[str]:
    """Start one and do not wait."""
    return subprocess.Popen(
        asking(names, sources, catalogue=catalogue), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
