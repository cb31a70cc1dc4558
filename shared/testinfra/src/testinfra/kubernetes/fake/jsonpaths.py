"""JSONPath as Kubernetes writes it in CRDs: `.status.conditions[?(@.type=="Ready")].status`, `.spec.ports[*].port`.

Rule 1: what a path does not find is nothing, never an error; a path that cannot be read is ValueError.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from functools import lru_cache
from typing import Any, NamedTuple

_STEP = re.compile(
    r"""\.(?P<name>(?:[^.\[\]\\]|\\.)+)
    | \[ (?P<index>-?[0-9]+) \]
    | \[ (?P<all>\*) \]
    | \[ '(?P<quoted>(?:[^'\\]|\\.)*)' \]
    | \[\? \( \s* @(?P<path>[^=!<>\s]*) \s* (?:(?P<operator>==|!=) \s* (?P<value>"[^"]*"|'[^']*'|[^)\s]+))? \s* \) \]
    """,
    re.VERBOSE,
)


class _Filter(NamedTuple):
    path: str
    operator: str
    value: Any


@lru_cache(maxsize=512)
def _steps(path: str) -> tuple[str | int | _Filter | None, ...]:
    """Read a path: a name, an index, a filter, or None for all parts."""
    text = path.strip().removeprefix("{").removesuffix("}").removeprefix("$")
    steps: list[str | int | _Filter | None] = []
    at = 0
    while at < len(text):
        found = _STEP.match(text, at)
        if not found:
            raise ValueError(f"no JSONPath: {path!r}, from {text[at:]!r}")
        at = found.end()
        name = found["name"] or found["quoted"]
        if found["all"] or name == "*":
            steps.append(None)
        elif name is not None:
            steps.append(re.sub(r"\\(.)", r"\1", name))
        elif found["index"]:
            steps.append(int(found["index"]))
        else:
            steps.append(_Filter(found["path"], found["operator"] or "", _literal(found["value"] or "")))
    return tuple(steps)


def _literal(text: str) -> Any:
    if text[:1] in {"'", '"'}:
        return text[1:-1]
    try:
        return json.loads(text)
    except ValueError:
        return text


def find(path: str, value: Any) -> list[Any]:
    """Give all that a path finds in a value. Raises ValueError for a path that cannot be read."""
    found = [value]
    for step in _steps(path):
        found = [part for one in found for part in _parts(step, one)]
    return found


def _parts(step: str | int | _Filter | None, value: Any) -> Sequence[Any]:
    if step is None:
        return list(value.values()) if isinstance(value, dict) else value if isinstance(value, list) else []
    if isinstance(step, _Filter):
        return [one for one in value if _passes(step, one)] if isinstance(value, list) else []
    if isinstance(step, int):
        return [value[step]] if isinstance(value, list) and -len(value) <= step < len(value) else []
    return [value[step]] if isinstance(value, dict) and step in value else []


def _passes(step: _Filter, value: Any) -> bool:
    found = find(step.path, value) if step.path else [value]
    if not step.operator:
        return bool(found)
    same = bool(found) and found[0] == step.value
    return same if step.operator == "==" else bool(found) and not same
