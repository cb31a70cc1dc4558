"""The face of the stand in pytest: its options, hooks and fixtures, and nothing else.

Rule 1: a backend that was asked for and is missing fails the test that wants it; nothing is ever skipped.
Rule 2: why a server did not start is told once in a run, by the first test that wanted it.
"""

from __future__ import annotations

import importlib.metadata
import os
import secrets
from collections.abc import Generator, Iterator
from typing import TYPE_CHECKING, Any, Literal

import pytest

from testinfra import failures, specs
from testinfra.endpoints import Postgres, Redis
from testinfra.errors import Misconfigured
from testinfra.options import ISOLATION, SETTINGS, resolve
from testinfra.servers.process import die_with_parent
from testinfra.stand import Stand, project_of

if TYPE_CHECKING:
    import psycopg

    from testinfra.postgres.migrations import Migrations

pytest_plugins = ["testinfra.faults.fixtures", "testinfra.kubernetes_fixtures", "testinfra.faults.kubernetes_fixtures"]

STAND = pytest.StashKey[Stand]()
_VERSIONS = pytest.StashKey[dict[str, str]]()
_LEAKS = pytest.StashKey[list[str]]()
_STUCK = pytest.StashKey[list[str]]()
_MARKER = "postgres(isolation): keep this test apart by 'schema', 'database' or 'rollback' in `postgres_isolated`"


def pytest_addoption(parser: pytest.Parser) -> None:
    """Offer every setting as an option and as an ini key."""
    group = parser.getgroup("testinfra", "real servers for tests (each also as TESTINFRA_... and testinfra_...)")
    for setting in SETTINGS:
        shown = f"{setting.help} [{setting.variable}; default: {setting.default or 'none'}]".replace("%", "%%")
        group.addoption(setting.flag, dest=f"testinfra_{setting.name}", default=None, help=shown, metavar="VALUE")
        kind: Literal["linelist", "string"] = "linelist" if isinstance(setting.default, tuple) else "string"
        parser.addini(setting.ini, setting.help, type=kind, default=None)


def pytest_configure(config: pytest.Config) -> None:
    """Read the options and say who we are in the run."""
    _refuse_namesake()
    config.addinivalue_line("markers", _MARKER)
    worker_input: dict[str, Any] = getattr(config, "workerinput", {})
    try:
        options = resolve(
            {setting.name: config.getoption(f"testinfra_{setting.name}") for setting in SETTINGS},
            {setting.name: config.getini(setting.ini) for setting in SETTINGS},
        )
    except Misconfigured as exc:
        raise pytest.UsageError(str(exc)) from exc
    scope = worker_input.get("testinfra_scope") or options.run or secrets.token_hex(4)
    config.stash[STAND] = stand = Stand(
        options,
        scope=str(scope),
        worker=str(worker_input.get("workerid", "main")),
        workers=int(worker_input.get("workercount", 1)),
    )
    if capture := config.pluginmanager.getplugin("capturemanager"):
        stand.uncaptured = capture.global_and_fixture_disabled
    config.stash[_VERSIONS], config.stash[_LEAKS], config.stash[_STUCK] = {}, [], []
    if worker_input:
        die_with_parent(os.getppid())  # a killed run would leave its workers busy for many seconds


def _refuse_namesake() -> None:
    try:
        importlib.metadata.distribution("pytest-testinfra")
    except importlib.metadata.PackageNotFoundError:
        return
    raise pytest.UsageError(
        "pytest-testinfra is installed beside testinfra-stand, and both are imported as `testinfra`: one would load"
        " the other's modules. Type: pip uninstall pytest-testinfra, or use an environment of its own for each."
    )


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    """Tell an xdist worker which scope it shares (a hook of pytest-xdist)."""
    node.workerinput["testinfra_scope"] = node.config.stash[STAND].scope


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any, error: object) -> None:
    """Take what a worker says of the servers it used (a hook of pytest-xdist)."""
    del error
    said: dict[str, Any] = getattr(node, "workeroutput", {})
    node.config.stash[_VERSIONS].update(said.get("testinfra_versions", {}))
    node.config.stash[_LEAKS].extend(said.get("testinfra_leaks", []))
    node.config.stash[_STUCK].extend(said.get("testinfra_stuck", []))


def pytest_report_header(config: pytest.Config) -> list[str]:
    """Name the backends and their versions."""
    return [f"{kind}: {words}" for kind, words in specs.describe(config.stash[STAND].options).items()]


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Put what the servers said during a failed test into its report."""
    report = yield
    failures.complete(item, call, report)
    return report


@pytest.hookimpl(tryfirst=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """Give the servers up and pass on what was learnt of them; before the JUnit file is written."""
    config = session.config
    stand = config.stash[STAND]
    config.stash[_VERSIONS].update(stand.versions())
    stand.close()
    config.stash[_LEAKS].extend(stand.leaks())
    config.stash[_STUCK].extend(stand.stuck())
    worker_output: dict[str, Any] | None = getattr(config, "workeroutput", None)
    if worker_output is not None:
        worker_output["testinfra_versions"] = config.stash[_VERSIONS]
        worker_output["testinfra_leaks"] = config.stash[_LEAKS]
        worker_output["testinfra_stuck"] = config.stash[_STUCK]
        return
    failures.write_suite_properties(config, config.stash[_VERSIONS])
    if config.stash[_STUCK] and session.exitstatus == pytest.ExitCode.OK:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    """Name what tests left behind: what was taken away after all, and what could not be, for which the run fails."""
    for title, found in (("left behind by tests", _LEAKS), ("left behind by tests, and still there", _STUCK)):
        if config.stash[found]:
            terminalreporter.section(title)
            for leak in config.stash[found]:
                terminalreporter.write_line(leak)


@pytest.fixture(scope="session")
def testinfra_stand(pytestconfig: pytest.Config) -> Stand:
    """The stand of this process: options, leases, names."""
    return pytestconfig.stash[STAND]


@pytest.fixture(scope="session")
def postgres(testinfra_stand: Stand) -> Postgres:
    """The shared Postgres, as its administrator; tests that only need room of their own take `postgres_schema`."""
    return testinfra_stand.postgres()


@pytest.fixture(scope="session")
def postgres_migrations() -> Migrations:
    """What fills a fresh schema or database; override it with an object of `digest()` and `apply(connection)`."""
    from testinfra.postgres.migrations import NoMigrations  # noqa: PLC0415 - imports psycopg

    return NoMigrations()


def _fresh(request: pytest.FixtureRequest, stand: Stand, migrations: Migrations, mode: str) -> Iterator[Postgres]:
    isolation = stand.isolation(project_of(request.path.parent), migrations)
    endpoint = isolation.take(mode)
    failures.note(request.node, stand.lease(specs.postgres(stand.options)), endpoint)
    yield endpoint
    isolation.give_back(mode, endpoint, keep=failures.has_failed(request.node))


@pytest.fixture
def postgres_schema(
    request: pytest.FixtureRequest, testinfra_stand: Stand, postgres: Postgres, postgres_migrations: Migrations
) -> Iterator[Postgres]:
    """A fresh, migrated schema of the test's own; the DSN's search_path is that schema and public."""
    del postgres  # a server that does not start fails here, once
    yield from _fresh(request, testinfra_stand, postgres_migrations, "schema")


@pytest.fixture
def postgres_database(
    request: pytest.FixtureRequest, testinfra_stand: Stand, postgres: Postgres, postgres_migrations: Migrations
) -> Iterator[Postgres]:
    """A fresh, migrated database of the test's own, cloned from a sealed template."""
    del postgres  # a server that does not start fails here, once
    yield from _fresh(request, testinfra_stand, postgres_migrations, "database")


def _mode(request: pytest.FixtureRequest, stand: Stand) -> str:
    marker = request.node.get_closest_marker("postgres")
    mode = str(marker.kwargs.get("isolation", "")) if marker else stand.options.postgres_isolation
    if mode not in ISOLATION or (marker and (marker.args or len(marker.kwargs) != 1)):
        raise pytest.UsageError(
            f"{request.node.nodeid}: write @pytest.mark.postgres(isolation=...) with one of {ISOLATION}"
        )
    return mode


@pytest.fixture
def postgres_isolated(
    request: pytest.FixtureRequest, testinfra_stand: Stand, postgres: Postgres, postgres_migrations: Migrations
) -> Iterator[Postgres]:
    """Room of the test's own, in the mode of its marker or of --postgres-isolation; read-only in `rollback`."""
    del postgres  # a server that does not start fails here, once
    yield from _fresh(request, testinfra_stand, postgres_migrations, _mode(request, testinfra_stand))


@pytest.fixture
def postgres_connection(
    request: pytest.FixtureRequest,
    testinfra_stand: Stand,
    postgres_isolated: Postgres,
    postgres_migrations: Migrations,
) -> Iterator[psycopg.Connection[Any]]:
    """A psycopg connection to `postgres_isolated`; in `rollback` all it does is undone, and `commit()` is refused."""
    import psycopg  # noqa: PLC0415 - not before a test asks for it

    if _mode(request, testinfra_stand) == "rollback":
        isolation = testinfra_stand.isolation(project_of(request.path.parent), postgres_migrations)
        with isolation.rolled_back() as connection:
            yield connection
        return
    with psycopg.connect(postgres_isolated.dsn) as connection:
        yield connection


@pytest.fixture(scope="session")
def redis(testinfra_stand: Stand) -> Redis:
    """The shared Redis, logical database 0; tests that only need room of their own take `redis_db`."""
    return testinfra_stand.redis()


@pytest.fixture
def redis_db(request: pytest.FixtureRequest, testinfra_stand: Stand, redis: Redis) -> Iterator[Redis]:
    """An empty Redis database of the test's own; on an external server a login with a key prefix."""
    del redis  # a server that does not start fails here, once
    databases = testinfra_stand.redis_databases(project_of(request.path.parent))
    taken = databases.take()
    failures.note(request.node, testinfra_stand.lease(specs.redis(testinfra_stand.options)), taken)
    yield taken
    databases.give_back(taken)
