"""The certificate in its Secret, which replicas share."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

import pytest

from servicekit.cluster import Cluster as Connection
from testinfra.endpoints import Cluster
from toolset.controller.certificates import Certificate, SharedCertificate

if TYPE_CHECKING:
    from testinfra.kubernetes.rest import Rest

Json = dict[str, Any]
Work = Callable[[SharedCertificate], Awaitable[Any]]
DAY = 86_400


@pytest.fixture
def within(namespace: Cluster, clock: Any) -> Callable[[Work], Any]:
    """Give a function that does something with the certificate of this test's namespace."""

    async def run(work: Work) -> Any:
        connection = Connection(namespace.kubeconfig, agent="test", timeout=lambda: 30.0, connections=10)
        shared = SharedCertificate(connection, clock, namespace=namespace.namespace, secret="own", hosts=["localhost"])
        try:
            return await work(shared)
        finally:
            await connection.close()

    return lambda work: asyncio.run(run(work))


@pytest.fixture
def spoil(rest: Rest, namespace: Cluster) -> Callable[[str], Json]:
    """Give a function that puts garbage into a file of the Secret."""
    own = f"/api/v1/namespaces/{namespace.namespace}/secrets/own"
    return lambda name: rest.patch(own, {"data": {name: base64.b64encode(b"garbage").decode()}})


async def _ten_at_once(shared: SharedCertificate) -> list[Certificate]:
    return await asyncio.gather(*(shared.get() for _ in range(10)))


def test_ten_that_make_it_at_once_have_one(within: Callable[[Work], Any]) -> None:
    """The first to store it is right."""
    assert len(set(within(_ten_at_once))) == 1


def test_ten_that_renew_it_at_once_have_one(within: Callable[[Work], Any], clock: Any) -> None:
    """By its resourceVersion; the authority stays."""
    (first,) = {within(lambda shared: shared.get())}
    clock.advance(61 * DAY)
    (renewed,) = set(within(_ten_at_once))
    assert renewed.chain != first.chain
    assert renewed.authorities == first.authorities


def test_one_that_is_good_is_not_written(
    within: Callable[[Work], Any], clock: Any, rest: Rest, namespace: Cluster
) -> None:
    """Read again and again, it is the same object of the same version."""
    own = f"/api/v1/namespaces/{namespace.namespace}/secrets/own"
    first = within(lambda shared: shared.get())
    version = rest.get(own)["metadata"]["resourceVersion"]
    clock.advance(59 * DAY)
    assert within(lambda shared: shared.get()) == first
    assert rest.get(own)["metadata"]["resourceVersion"] == version


@pytest.mark.parametrize("name", ["tls.crt", "tls.key", "ca.crt", "ca.key"])
def test_what_was_spoilt_is_made_anew(within: Callable[[Work], Any], spoil: Callable[[str], Json], name: str) -> None:
    """Whatever somebody wrote into it."""
    first = within(lambda shared: shared.get())
    spoil(name)
    assert within(lambda shared: shared.get()).chain != first.chain
