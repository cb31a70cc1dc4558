"""The seam between the stand and a kind of server: `Spec` asks for one, a `Backend` starts and stops it.

Rule 1: a backend is a module in `MODULES` with a function `create(settings) -> Backend`.
Rule 2: an external server has a backend as well; its start only looks, its stop does nothing.
"""

from __future__ import annotations

import hashlib
import importlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Protocol

from testinfra.errors import Misconfigured, extra
from testinfra.servers.places import Place

MODULES: Mapping[str, Mapping[str, str]] = {
    "postgres": {"embedded": "testinfra.postgres.embedded", "external": "testinfra.postgres.external"},
    "redis": {"embedded": "testinfra.redis.embedded", "external": "testinfra.redis.external"},
    "kubernetes": {
        "fake": "testinfra.kubernetes.fakes",
        "apiserver": "testinfra.kubernetes.apiserver",
        "external": "testinfra.kubernetes.external",
    },
}


@dataclass(frozen=True, kw_only=True)
class Terms:
    """How a server is kept, as against what it is: leases with other terms still share the server."""

    linger: float = 1.0
    """Seconds it outlives its last lease."""
    start_timeout: float = 60.0
    """Seconds it may take to be ready."""
    port: int = 0
    """The fixed port it is to have; 0 for any free one."""
    cache_dir: str = ""
    """Where backends keep what is expensive to make; "" for the user's cache."""


@dataclass(frozen=True, kw_only=True)
class Spec:
    """What server is wanted. Equal specs in one scope mean the same server."""

    kind: str
    backend: str
    settings: Mapping[str, Any] = field(default_factory=dict)
    exclusive: str = ""
    """A token that no other lease has, for a test that breaks its server; "" to share."""

    @property
    def key(self) -> str:
        """Name of the server in its scope: the kind and a digest of everything else."""
        text = json.dumps(asdict(self), sort_keys=True)
        return f"{self.kind}-{hashlib.sha256(text.encode()).hexdigest()[:8]}"


class Backend(Protocol):
    """One server of one kind. `endpoint` is JSON-ready data: the keyword arguments of the kind's endpoint class."""

    kept: bool
    """Whether it is ours: a keeper owns its process, and it ends with the last lease."""

    def start(self, place: Place, terms: Terms) -> dict[str, Any]:
        """Start it and give the endpoint once a query is answered; on failure undo everything and raise StandError."""
        ...

    def afterwards(self) -> None:
        """Do what is worth doing once it is ready and nobody waits for it any more."""
        ...

    def stop(self) -> None:
        """End it."""
        ...

    def death(self) -> str:
        """Say how it ended on its own, "" while it lives."""
        ...

    def fault(self, how: str) -> None:
        """Break it in one of the ways of `owned.FAULTS`, its data and its address kept."""
        ...

    def heal(self, place: Place, terms: Terms) -> None:
        """Undo the fault; done when a query is answered at the same address."""
        ...


def create(spec: Spec) -> Backend:
    """Make the backend that `spec` names; an unknown name lists the known ones."""
    known = MODULES.get(spec.kind, {})
    if spec.backend not in known:
        raise Misconfigured(
            f"there is no backend {spec.backend!r} for {spec.kind!r}",
            looked_at=[f"{kind}: {', '.join(names)}" for kind, names in MODULES.items()],
        )
    with extra(spec.kind):
        module = importlib.import_module(known[spec.backend])
    backend: Backend = module.create(spec.settings)
    return backend
