"""What one pytest process holds: the options it was given, its leases of servers, and the names it makes.

Rule: a server is leased once for a process, however many of its tests ask.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING

from testinfra import specs
from testinfra.names import Names
from testinfra.options import Options
from testinfra.servers.backend import Spec
from testinfra.servers.places import UP_SCOPE, state_root

if TYPE_CHECKING:
    from testinfra.servers.share import Lease


class Leases:
    """The leases of one process."""

    def __init__(self, options: Options, *, scope: str, worker: str = "main") -> None:
        """Take what was asked for; `scope` is what all processes of the run share."""
        self.options = options
        self.scope = scope
        self.worker = worker
        self.uncaptured: Callable[[], AbstractContextManager[None]] = contextlib.nullcontext
        """Around what may take minutes and says how far it is: lets its words through pytest's capture."""
        self.leases: dict[str, Lease] = {}
        self._names: dict[str, Names] = {}

    def names(self, service: str) -> Names:
        """Give the maker of names for `service` in this process."""
        service = self.options.service or service
        return self._names.setdefault(service, Names(service=service, worker=self.worker))

    def lease(self, spec: Spec) -> Lease:
        """Lease the server of `spec` once for this process."""
        from testinfra.servers.share import lease  # noqa: PLC0415 - not before a test asks for a server

        if spec.key not in self.leases:
            port = 0 if spec.exclusive else int(getattr(self.options, f"{spec.kind}_port"))
            self.leases[spec.key] = lease(
                spec,
                root=state_root(self.options.state_dir),
                scope=self.scope,
                terms=specs.terms(self.options, port=port),
                use_warm=self.options.warm,
            )
        return self.leases[spec.key]

    def warm(self, spec: Spec) -> Lease | None:
        """Lease the server of `spec` only if `testinfra up` keeps one."""
        root = state_root(self.options.state_dir)
        if not self.options.warm or not (root / UP_SCOPE / spec.key).is_dir():
            return None
        from testinfra.servers.share import find_warm  # noqa: PLC0415 - not where there is none

        if spec.key not in self.leases and (held := find_warm(spec, root)):
            self.leases[spec.key] = held
        return self.leases.get(spec.key)

    def release(self, held: Lease) -> None:
        """Give one server up before the run's end."""
        for key in [key for key, lease in self.leases.items() if lease is held]:
            del self.leases[key]
        held.release()
