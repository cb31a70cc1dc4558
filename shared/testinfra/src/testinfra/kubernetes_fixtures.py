"""Fixtures of Kubernetes: the API server, a namespace of the test's own, identities, definitions.

Rule: a test that takes `exclusive_kubernetes` (or a fault of it) has its namespace, accounts and definitions there, and
the shared server is not even started for it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from testinfra import failures
from testinfra.endpoints import Cluster
from testinfra.stand import Stand, project_of

if TYPE_CHECKING:
    from testinfra.clusters import Plane
    from testinfra.kubernetes.clients import Kubernetes

ServiceAccounts = Callable[..., Cluster]
InstallCrds = Callable[[str | Path], list[str]]


@pytest.fixture(scope="session")
def kubernetes(testinfra_stand: Stand) -> Kubernetes:
    """The shared API server, as its administrator; tests that only need room of their own take `namespace`."""
    return testinfra_stand.clusters().shared().kubernetes


@pytest.fixture
def testinfra_lone_plane(testinfra_stand: Stand) -> Iterator[Plane]:
    """The API server that only this test has, with what it takes to break it."""
    plane = testinfra_stand.clusters().take_lone()
    yield plane
    testinfra_stand.clusters().give_back_lone(plane)


@pytest.fixture
def exclusive_kubernetes(testinfra_lone_plane: Plane) -> Kubernetes:
    """An API server that only this test has, on the rung the others use; on `external`: a local one."""
    return testinfra_lone_plane.kubernetes


@pytest.fixture
def testinfra_plane(request: pytest.FixtureRequest, testinfra_stand: Stand) -> Plane:
    """The API server of this test: its own where it takes `exclusive_kubernetes`, else the shared one."""
    if "testinfra_lone_plane" in request.fixturenames:
        lone: Plane = request.getfixturevalue("testinfra_lone_plane")
        return lone
    request.getfixturevalue("kubernetes")  # a server that does not start fails here, once
    return testinfra_stand.clusters().shared()


@pytest.fixture
def namespace(request: pytest.FixtureRequest, testinfra_stand: Stand, testinfra_plane: Plane) -> Iterator[Cluster]:
    """A namespace of the test's own, as an administrator's endpoint: give the same object to the service."""
    namespaces = testinfra_stand.clusters().namespaces(testinfra_plane, project_of(request.path.parent))
    given = namespaces.take()
    failures.note(request.node, testinfra_plane.lease, given)
    yield given
    namespaces.give_back(given)
    testinfra_plane.kubernetes.forget(given.namespace)


@pytest.fixture
def service_account(testinfra_plane: Plane, namespace: Cluster) -> Iterator[ServiceAccounts]:
    """Makes an identity with just the rights named: `service_account(rules, cluster_rules=...)` gives its endpoint."""
    from testinfra.kubernetes.accounts import Accounts  # noqa: PLC0415 - not before a test asks for it

    accounts = Accounts(testinfra_plane.kubernetes.rest(), namespace, testinfra_plane.workplace)
    yield accounts.make
    accounts.close()


@pytest.fixture
def install_crds(testinfra_plane: Plane) -> InstallCrds:
    """Installs the definitions of a YAML file or of a folder, and returns when the server serves them."""
    return testinfra_plane.kubernetes.install_crds
