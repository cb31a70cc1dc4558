"""Columns of tables: what they are made of, and the cells that several kinds share.

Rule 1: a cell never fails for what an object lacks.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from testinfra.kubernetes.fake import formats

_Object = Mapping[str, Any]
NONE, UNKNOWN = "<none>", "<unknown>"
_UNITS = ((365 * 86400, "y"), (86400, "d"), (3600, "h"), (60, "m"), (1, "s"))


@dataclass(frozen=True, kw_only=True)
class Column:
    """A column; `cell` gives an object's value in it, at a time."""

    name: str
    cell: Callable[[_Object, dt.datetime], Any]
    type: str = "string"
    format: str = ""
    priority: int = 0
    """0 is always shown, 1 only in wide output."""
    description: str = ""


def age(since: dt.datetime, now: dt.datetime) -> str:
    """Write a span as `k8s.io/apimachinery/pkg/util/duration.HumanDuration` does: `59s`, `5m3s`, `3h`, `2d5h`."""
    seconds = int((now - since).total_seconds())
    if seconds < -1:
        return "<invalid>"
    seconds = max(seconds, 0)
    # (up to, unit, and the smaller unit that is told with it)
    for limit, unit, more in (
        (120, 1, 0),
        (600, 60, 1),
        (3 * 3600, 60, 0),
        (8 * 3600, 3600, 60),
        (48 * 3600, 3600, 0),
        (8 * 86400, 86400, 3600),
        (2 * 365 * 86400, 86400, 0),
        (8 * 365 * 86400, 365 * 86400, 86400),
    ):
        if seconds < limit:
            names = dict(_UNITS)
            rest = seconds % unit // more if more else 0
            return f"{seconds // unit}{names[unit]}" + (f"{rest}{names[more]}" if rest else "")
    return f"{seconds // (365 * 86400)}y"


def at(one: Any, path: str, default: Any = "") -> Any:
    """Give what is at a path of names, `default` where nothing is."""
    for step in path.split("."):
        one = one.get(step) if isinstance(one, Mapping) else None
    return default if one is None else one


def since(path: str) -> Callable[[_Object, dt.datetime], str]:
    """Give the cell that tells how long ago the time at a path was."""

    def cell(one: _Object, now: dt.datetime) -> str:
        told = at(one, path)
        return age(formats.instant(told), now) if told else UNKNOWN

    return cell


NAME = Column(
    name="Name",
    format="name",
    cell=lambda one, _: at(one, "metadata.name"),
    description="Name must be unique within a namespace.",
)
AGE = Column(name="Age", cell=since("metadata.creationTimestamp"))
CREATED = Column(name="Created At", type="date", cell=lambda one, _: at(one, "metadata.creationTimestamp"))


def column(name: str, read: Callable[[_Object], Any], *, kind: str = "string", wide: bool = False) -> Column:
    """Give a column whose cells `read` gives; `wide`: only in wide output."""
    return Column(name=name, type=kind, priority=int(wide), cell=lambda one, _: read(one))


def field(name: str, path: str, default: Any = "", *, kind: str = "string", wide: bool = False) -> Column:
    """Give the column of what is at a path."""
    return column(name, lambda one: at(one, path, default), kind=kind, wide=wide)


def number(name: str, path: str) -> Column:
    """Give the column of the number at a path, 0 where there is none."""
    return field(name, path, 0, kind="integer")


def joined(texts: Iterable[Any], default: str = NONE) -> str:
    """Write texts with commas between, leaving the empty ones out."""
    return ",".join(str(text) for text in texts if text) or default


def labels(told: Mapping[str, str] | None) -> str:
    """Write labels: `a=1,b=2`."""
    return joined(f"{key}={value}" for key, value in sorted((told or {}).items()))


def selector(one: _Object) -> str:
    """Write what an object selects, by labels of its own or by `matchLabels`."""
    told = at(one, "spec.selector", {})
    return labels(told.get("matchLabels") if "matchLabels" in told else told)


def containers(path: str) -> tuple[Column, Column]:
    """Give the two columns of the containers at a path: their names, their images."""
    return (
        column("Containers", lambda one: joined(each.get("name") for each in at(one, path, [])), wide=True),
        column("Images", lambda one: joined(each.get("image") for each in at(one, path, [])), wide=True),
    )
