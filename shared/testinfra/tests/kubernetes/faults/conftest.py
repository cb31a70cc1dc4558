"""Faults of the Kubernetes API are told of every rung that is the stand's own: its name is in the test's id."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

import pytest

from testinfra.endpoints import Cluster
from testinfra.faults.interceptor import Interceptor
from testinfra.faults.kubernetes_fixtures import Intercept
from testinfra.kubernetes.rest import Rest
from testinfra.plugin import STAND
from testinfra.stand import Stand


@pytest.fixture(scope="session", params=["apiserver", "fake"])
def testinfra_stand(request: pytest.FixtureRequest) -> Iterator[Stand]:
    """The stand of this process, standing on one rung; all else is as the run was asked for."""
    outer = request.config.stash[STAND]
    options = dataclasses.replace(outer.options, kubernetes=request.param)
    stand = Stand(options, scope=outer.scope, worker=outer.worker, workers=outer.workers)
    yield stand
    stand.close()


@pytest.fixture
def api(intercept: Intercept, namespace: Cluster) -> Interceptor:
    """A proxy before the test's namespace, as the administrator."""
    return intercept(namespace)


@pytest.fixture
def through(api: Interceptor) -> Iterator[Rest]:
    """A client that goes through the proxy."""
    with Rest(api.endpoint) as rest:
        yield rest


@pytest.fixture
def maps(namespace: Cluster) -> str:
    """The path of the namespace's ConfigMaps."""
    return f"/api/v1/namespaces/{namespace.namespace}/configmaps"
