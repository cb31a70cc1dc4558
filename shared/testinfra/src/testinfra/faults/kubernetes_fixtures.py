"""Fixtures of tests that break the Kubernetes API: answers made up or lost, rights, throttling, outages.

Rule: each is undone with its block or with the test, whichever ends first, and is imported when a test asks for it.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import pytest

from testinfra.endpoints import Cluster
from testinfra.faults.outage import Outage
from testinfra.stand import Stand, project_of

if TYPE_CHECKING:
    from testinfra.clusters import Plane
    from testinfra.faults.audit import AuditLog
    from testinfra.faults.interceptor import Interceptor
    from testinfra.faults.rights import Revocation
    from testinfra.faults.throttle import Throttle
    from testinfra.kubernetes.accounts import Rule

Intercept = Callable[[Cluster], "Interceptor"]
Throttling = Callable[[Cluster], "Throttle"]
Revoke = Callable[..., "Revocation"]


@pytest.fixture
def intercept(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Intercept]:
    """Puts a proxy before an endpoint; gives an `Interceptor`, whose `endpoint` is for the service under test."""
    from testinfra.faults.interceptor import Interceptor  # noqa: PLC0415 - imports aiohttp

    with contextlib.ExitStack() as undo:

        def before(cluster: Cluster) -> Interceptor:
            return undo.enter_context(Interceptor(cluster, tmp_path_factory.mktemp("intercept")))

        yield before


@pytest.fixture
def attempts(namespace: Cluster) -> AuditLog:
    """The requests that the server got in the test's namespace, from its audit log."""
    from testinfra.faults.audit import AuditLog  # noqa: PLC0415 - not before a test asks for it

    return AuditLog(namespace)


@pytest.fixture
def revoke(testinfra_plane: Plane) -> Iterator[Revoke]:
    """Takes rights of its own from an account: those that the rules given cover; without a rule all of them."""
    from testinfra.faults.rights import Revocation  # noqa: PLC0415 - not before a test asks for it

    with contextlib.ExitStack() as undo:

        def take(account: Cluster, *rules: Rule) -> Revocation:
            return undo.enter_context(Revocation(testinfra_plane.kubernetes.rest(), account, rules))

        yield take


@pytest.fixture
def throttle(
    request: pytest.FixtureRequest,
    testinfra_stand: Stand,
    testinfra_plane: Plane,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Throttling]:
    """Has the server itself answer an account's requests with 429; on the rung apiserver only."""
    from testinfra.faults.throttle import Throttle  # noqa: PLC0415 - imports aiohttp

    names = testinfra_stand.names(project_of(request.path.parent))
    with contextlib.ExitStack() as undo:

        def begin(identity: Cluster) -> Throttle:
            folder, admin = tmp_path_factory.mktemp("throttle"), testinfra_plane.kubernetes.rest()
            return undo.enter_context(Throttle(admin, identity, name=names.next_label(), folder=folder))

        yield begin


@pytest.fixture
def apiserver_outage(testinfra_lone_plane: Plane) -> Iterator[Outage]:
    """Breaks `exclusive_kubernetes` for a block: stopped (the default), killed or paused; its data is kept."""
    yield from _outage(testinfra_lone_plane, "stop")


@pytest.fixture
def apiserver_pause(testinfra_lone_plane: Plane) -> Iterator[Outage]:
    """Pauses `exclusive_kubernetes` for a block: connections are accepted, and nobody is answered."""
    yield from _outage(testinfra_lone_plane, "pause")


def _outage(plane: Plane, default: str) -> Iterator[Outage]:
    server = plane.lease or plane.fake
    assert server, "a server of one's own is leased, or it is the fake of this process"
    outage = Outage(server, plane.kubernetes.endpoint, default=default)
    yield outage
    outage.end()
