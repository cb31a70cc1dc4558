"""One control plane for all who only look at it: every worker of the run leases the same."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

import pytest

from testinfra import specs
from testinfra.endpoints import Cluster
from testinfra.kubernetes.rest import Rest
from testinfra.stand import Stand


@pytest.fixture(scope="session")
def cluster(testinfra_stand: Stand) -> Cluster:
    """The shared control plane, as its administrator."""
    options = dataclasses.replace(testinfra_stand.options, kubernetes="apiserver")
    return Cluster(**testinfra_stand.lease(specs.kubernetes(options)).endpoint)


@pytest.fixture
def rest(cluster: Cluster) -> Iterator[Rest]:
    """A client of it."""
    with Rest(cluster) as made:
        yield made


@pytest.fixture
def own(rest: Rest, testinfra_stand: Stand) -> str:
    """The path of a namespace that no other test has; it is not waited for at the end."""
    name = testinfra_stand.names("apiserver").next_label()
    rest.post("/api/v1/namespaces", {"metadata": {"name": name}})
    return f"/api/v1/namespaces/{name}"
