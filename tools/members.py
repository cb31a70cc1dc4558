"""Which members a session needs: those it tests, and, by their own pyproject files, those that they stand on.

Rule: a session installs nothing else, so an import that no pyproject file names fails, and a first run is short.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from packaging.requirements import Requirement

ROOT = Path(__file__).resolve().parent.parent
FOLDERS = tuple(re.findall(r"^-e \./([\w/]+)", (ROOT / "members.txt").read_text(encoding="utf-8"), re.MULTILINE))
"""The folder of every member, out of members.txt."""


def needed(folders: Iterable[str]) -> dict[str, set[str]]:
    """Give the members to install for the tests of `folders`, each with its extras: folder -> extras."""
    projects = {folder: _project(folder) for folder in FOLDERS}
    by_name = {project["name"]: folder for folder, project in projects.items()}
    found: dict[str, set[str]] = {}
    waiting = [(folder, {"test"}) for folder in folders]
    while waiting:
        folder, extras = waiting.pop()
        if folder in found and extras <= found[folder]:
            continue
        found.setdefault(folder, set()).update(extras)
        optional: dict[str, list[str]] = projects[folder].get("optional-dependencies", {})
        lines = [*projects[folder].get("dependencies", []), *(line for extra in extras for line in optional[extra])]
        named = [requirement for requirement in map(Requirement, lines) if requirement.name in by_name]
        waiting.extend((by_name[requirement.name], set(requirement.extras)) for requirement in named)
    return found


def installable(folders: Iterable[str]) -> list[str]:
    """Give what an installer takes: `./services/datastorage[test]`."""
    wanted = sorted(needed(folders).items())
    return [f"./{folder}" + (f"[{','.join(sorted(extras))}]" if extras else "") for folder, extras in wanted]


def _project(folder: str) -> dict[str, Any]:
    project: dict[str, Any] = tomllib.loads((ROOT / folder / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    return project
