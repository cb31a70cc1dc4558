"""What is known of one request to an API server, and which requests are meant: `Attempt` and `Match`.

Rule 1: a request means here what it means to the server's authorizer: verb, resource, namespace and name are taken from
        method and path as Kubernetes' own RequestInfo does (`watch` is a verb; a `GET` of a collection is a `list`).
Rule 2: a resource is written as in RBAC: the plural, and for a subresource `deployments/status`; `*` means any.
"""

from __future__ import annotations

import dataclasses
import json
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from itertools import pairwise
from typing import TypedDict
from urllib.parse import parse_qs, unquote

_ONE = {"GET": "get", "PUT": "update", "PATCH": "patch", "DELETE": "delete", "POST": "create", "HEAD": "get"}
_MANY = {"GET": "list", "DELETE": "deletecollection", "POST": "create", "HEAD": "list"}
_TRUE = ("true", "1")
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
    parts = [unquote(part) for part in path.strip("/").split("/")]
    common = Attempt(at=at, verb=method.lower(), path=path, query=query, user_agent=user_agent, body=body)
    group, rest = _split(parts)
    if not rest:
        return common
    namespace = ""
    if rest[0] == "namespaces" and len(rest) > 1:
        namespace = rest[1]
        if len(rest) > 2 and rest[2] not in ("status", "finalize"):  # noqa: PLR2004 - namespaces/<name>/<resource>
            rest = rest[2:]
    resource, name, subresource = [*rest, "", ""][:3]
    verb = _verb(method, name, asked)
    if not name:
        name = _created(body) if verb == "create" else _selected(asked)
    return dataclasses.replace(
        common,
        verb=verb,
        group=group,
        resource=f"{resource}/{subresource}" if subresource else resource,
        namespace=namespace,
        name=name,
    )


def _split(parts: list[str]) -> tuple[str, list[str]]:
    """Give the group and what follows the version: `/api/v1/...` or `/apis/<group>/<version>/...`."""
    if parts[0] == "api":
        return "", parts[2:]
    if parts[0] == "apis":
        return (parts[1] if len(parts) > 1 else ""), parts[3:]
    return "", []


def _verb(method: str, name: str, asked: Mapping[str, str]) -> str:
    if method == "GET" and asked.get("watch", "").lower() in _TRUE:
        return "watch"
    return (_ONE if name else _MANY).get(method, method.lower())


def _selected(asked: Mapping[str, str]) -> str:
    """Give the name that a field selector asks for: `kubectl get -w pod/x` watches the collection with one."""
    key, _, value = asked.get("fieldSelector", "").partition("=")
    return value.lstrip("=") if key == "metadata.name" and "," not in value else ""


def _created(body: bytes) -> str:
    try:
        name = json.loads(body)["metadata"]["name"]
    except (ValueError, KeyError, TypeError):  # protobuf, a name to be generated, no object at all
        return ""
    return str(name)
