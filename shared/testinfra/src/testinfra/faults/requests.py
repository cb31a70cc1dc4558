"""What is known of one request to an API server, and which requests are meant: `Attempt` and `Match`.

Rule 1: a request means here what it means to the server's authorizer: verb, resource, namespace and name are taken from
        method and path as Kubernetes' own RequestInfo does (`watch` is a verb; a `GET` of a collection is a `list`).
Rule 2: a resource is written as in RBAC: the plural, and for a subresource `deployments/status`; `*` means any.
"""

from __future__ import annotations

import dataclasses
import json
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from itertools import pairwise
from typing import TypedDict
from urllib.parse import parse_qs, unquote

from testinfra.kubernetes import paths

_SHOWN = 20


@dataclass(frozen=True, kw_only=True)
class Attempt:
    """One request that reached a server, or the stand's proxy before it."""

    at: float
    """When it was received, in seconds since 1970, as the one who received it tells the time."""
    verb: str
    """get, list, watch, create, update, patch, delete or deletecollection; elsewhere than on resources the method."""
    path: str
    """Its path, without the query."""
    query: str = ""
    group: str = ""
    """The API group; "" for the core group and for what is no resource."""
    resource: str = ""
    """The plural, with its subresource if there is one: `deployments`, `deployments/status`; "" for `/version`, ..."""
    namespace: str = ""
    name: str = ""
    user: str = ""
    """Who asked, as the server knows them; a proxy does not."""
    user_agent: str = ""
    code: int = 0
    """The answer's HTTP status; 0 while there is none, as for one that was lost."""
    fault: str = ""
    """What the stand did to it, "" for nothing."""
    body: bytes = field(default=b"", repr=False)
    """What it carried; known to the rules of `intercept` only."""

    def __str__(self) -> str:
        clock = time.strftime("%H:%M:%S", time.gmtime(self.at)) + f".{int(self.at % 1 * 1000):03d}"
        target = self.path + (f"?{self.query}" if self.query else "")
        words = [clock, self.verb, target, "->", str(self.code or "no answer")]
        words.extend([f"[{self.fault}]"] if self.fault else [])
        words.extend(f"({who})" for who in (self.user, self.user_agent) if who)
        return " ".join(words)


class Attempts(tuple[Attempt, ...]):
    """Requests in the order in which they came."""

    __slots__ = ()

    def spacing(self) -> list[float]:
        """Give the seconds between each one and the next."""
        return [later.at - earlier.at for earlier, later in pairwise(self)]

    def lines(self) -> list[str]:
        """Give the last of them in words, for an error message."""
        left_out = len(self) - _SHOWN
        return [*([f"({left_out} earlier ones)"] if left_out > 0 else []), *map(str, self[-_SHOWN:])]


def answered(attempt: Attempt) -> bool:
    """For `when`: only what has its answer. A server writes it into its log a moment after the client has it."""
    return attempt.code > 0


class Which(TypedDict, total=False):
    """The arguments that say which requests are meant; see `Match`."""

    verb: str
    group: str
    resource: str
    namespace: str
    name: str
    path: str
    user: str
    user_agent: str
    when: Callable[[Attempt], bool]


@dataclass(frozen=True, kw_only=True)
class Match:
    """Which requests are meant: every field given has to fit, as a pattern of the shell's kind (`*`, `?`, `[ab]`)."""

    verb: str = "*"
    group: str = "*"
    resource: str = "*"
    namespace: str = "*"
    name: str = "*"
    path: str = "*"
    user: str = "*"
    user_agent: str = "*"
    when: Callable[[Attempt], bool] | None = None
    """Asked last, with the attempt; true for those meant."""

    def __str__(self) -> str:
        fields = {spot.name: getattr(self, spot.name) for spot in dataclasses.fields(self)}
        return ", ".join(f"{name}={value!r}" for name, value in fields.items() if value not in ("*", None)) or "any"

    def fits(self, attempt: Attempt) -> bool:
        """Tell whether `attempt` is one of those meant."""
        for name in _PATTERNS:
            pattern = getattr(self, name)
            if pattern != "*" and not fnmatchcase(getattr(attempt, name), pattern):
                return False
        return self.when is None or bool(self.when(attempt))

    def among(self, attempts: Iterable[Attempt]) -> Attempts:
        """Give those of `attempts` that are meant."""
        return Attempts(attempt for attempt in attempts if self.fits(attempt))


_PATTERNS = tuple(spot.name for spot in dataclasses.fields(Match) if spot.name != "when")


def understand(method: str, path: str, query: str, *, at: float, user_agent: str = "", body: bytes = b"") -> Attempt:
    """Make an `Attempt` of what HTTP says; a created object's name is the one in its JSON body, if there is one."""
    asked = {key: values[-1] for key, values in parse_qs(query, keep_blank_values=True).items()}
    target = paths.read(method, unquote(path), asked)
    name = paths.selected_name(target, asked)
    return Attempt(
        at=at,
        verb=target.verb,
        path=path,
        query=query,
        group=target.group,
        resource=f"{target.resource}/{target.subresource}" if target.subresource else target.resource,
        namespace=target.namespace,
        name=_created(body) if target.verb == "create" and not name else name,
        user_agent=user_agent,
        body=body,
    )


def _created(body: bytes) -> str:
    try:
        name = json.loads(body)["metadata"]["name"]
    except (ValueError, KeyError, TypeError):  # protobuf, a name to be generated, no object at all
        return ""
    return str(name)
