"""Every fact here is told of every backend, by the stand's public fixtures: only the stand below them is another.

Rule: `external` is a server of the stand's own that all workers of the run share, seen only through a URL. There a test
has a login and a prefix instead of a database, so the facts put `key_prefix` before every key, as a service must.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

import pytest
import redis as redis_py

from testinfra import specs
from testinfra.endpoints import Redis
from testinfra.stand import Stand

BACKENDS = ("embedded", "external")


def somebodys(stand: Stand) -> str:
    """The URL of a second server, with a login that may do all but is not the default one."""
    options = dataclasses.replace(stand.options, redis="embedded", redis_databases=4)
    server = Redis(**stand.lease(specs.redis(options)).endpoint)
    with redis_py.Redis.from_url(server.url) as client:
        client.acl_setuser(
            "somebody", enabled=True, passwords=["+p@ss:w/rd"], keys=["*"], channels=["*"], categories=["+@all"]
        )
    return dataclasses.replace(server, username="somebody", password="p@ss:w/rd").url


@pytest.fixture(scope="session", params=BACKENDS)
def testinfra_stand(request: pytest.FixtureRequest, testinfra_stand: Stand) -> Iterator[Stand]:
    """The stand of the backend: what all public fixtures below stand on."""
    if request.param == "embedded":
        yield testinfra_stand
        return
    given = testinfra_stand
    options = dataclasses.replace(given.options, redis="external", redis_url=somebodys(given))
    stand = Stand(options, scope=given.scope, worker=given.worker, workers=given.workers)
    yield stand
    stand.close()


@pytest.fixture
def backend(testinfra_stand: Stand) -> str:
    """Its name."""
    return testinfra_stand.options.redis


@pytest.fixture
def client(redis_db: Redis) -> Iterator[redis_py.Redis]:
    """A client of the test's own Redis, that answers in text."""
    with redis_py.Redis.from_url(redis_db.url, decode_responses=True) as found:
        yield found


@pytest.fixture
def key(redis_db: Redis) -> str:
    """A key that the test may use; more of them begin with it."""
    return f"{redis_db.key_prefix}key"
