"""Every fact here is told of every rung: the name of the rung is in the test's id.

Rule 1: the servers come through the stand's own doors, one control plane for all workers of the run.
Rule 2: `external` is that control plane again, seen only through somebody's kubeconfig with a token.
Rule 3: a test has a namespace of its own; what it makes outside of one carries that namespace's name. All of it goes
        with the server, so no test waits for a deletion that is not its fact.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from shared.testinfra.tests.contract.kubernetes.room import Object, Room
from shared.testinfra.tests.contract.kubernetes.rungs import RUNGS, Rungs
from shared.testinfra.tests.contract.kubernetes.widgets import install, widgets
from testinfra.endpoints import Cluster
from testinfra.kubernetes.clients import Kubernetes
from testinfra.kubernetes.rest import Rest
from testinfra.stand import Stand


@pytest.fixture(scope="session")
def rungs(testinfra_stand: Stand, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rungs]:
    """All rungs, each started with its first test."""
    found = Rungs(testinfra_stand, tmp_path_factory.mktemp("rungs"))
    yield found
    found.close()


@pytest.fixture(scope="session", params=RUNGS)
def server(request: pytest.FixtureRequest, rungs: Rungs) -> Kubernetes:
    """The API server of one rung, as its administrator."""
    return rungs.kubernetes(request.param)


@pytest.fixture(scope="session")
def cluster(server: Kubernetes) -> Cluster:
    """Its endpoint."""
    return server.endpoint


@pytest.fixture(scope="session")
def rest(server: Kubernetes) -> Rest:
    """The stand's own client of it."""
    return server.rest()


@pytest.fixture
def room(rest: Rest, testinfra_stand: Stand) -> Room:
    """A namespace of the test's own."""
    return Room.made(rest, testinfra_stand.names("contract").next_label())


@pytest.fixture(scope="session")
def widget_crd(rest: Rest) -> Object:
    """The custom resource of these tests, served."""
    return install(rest, widgets())


@pytest.fixture
def custom(room: Room, widget_crd: Object) -> Room:
    """The test's namespace, on a server that serves widgets."""
    return room
