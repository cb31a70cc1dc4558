"""What a failed test's report says of its servers: where they are, the schema, and the log of just this test."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from _pytest._code.code import ReprEntryNative, ReprExceptionInfo, ReprFileLocation, ReprTraceback

from testinfra.endpoints import Cluster, Postgres, Redis
from testinfra.errors import StandError
from testinfra.servers import logs

if TYPE_CHECKING:
    from testinfra.servers.share import Lease
    from testinfra.serving import Service


@dataclass(frozen=True)
class _Used:
    """One server that a test was given, its log (None: not ours to read), and where that stood then."""

    log: Path | None
    endpoint: Postgres | Redis | Cluster
    log_start: int


_KINDS: dict[type[Postgres | Redis | Cluster], str] = {Postgres: "postgres", Redis: "redis", Cluster: "kubernetes"}
_SERVICES = pytest.StashKey[list["Service"]]()
_USED = pytest.StashKey[list[_Used]]()
_FAILED = pytest.StashKey[bool]()


def note(item: pytest.Item, lease: Lease | None, endpoint: Postgres | Redis | Cluster) -> None:
    """Remember that `item` was given `endpoint` now; without a lease it is a server in this process."""
    log = lease.place.log if lease else None
    if isinstance(endpoint, Cluster):
        log = Path(endpoint.audit_log) if endpoint.audit_log else None
    item.stash.setdefault(_USED, []).append(_Used(log, endpoint, logs.position(log) if log else 0))


def note_service(item: pytest.Item, service: Service) -> None:
    """Remember that `item` runs `service`."""
    item.stash.setdefault(_SERVICES, []).append(service)


def has_failed(item: pytest.Item) -> bool:
    """Tell whether the setup or the body of `item` has failed."""
    return item.stash.get(_FAILED, False)


def complete(item: pytest.Item, call: pytest.CallInfo[None], report: pytest.TestReport) -> None:
    """Add the servers' part to the report of a failed phase, and tell a failed start in full only once."""
    if not report.failed:
        return
    item.stash[_FAILED] = True
    if call.excinfo and isinstance(call.excinfo.value, StandError):
        report.longrepr = _shown(item, call.excinfo.value)
    for used in item.stash.get(_USED, []):
        title = f"{_KINDS[type(used.endpoint)]} of this test"
        text = _describe(used)
        report.sections.append((title, text))
        item.user_properties.append((title.replace(" ", "_"), text))
    for service in item.stash.get(_SERVICES, []):
        report.sections.append(("service of this test", service.describe()))


def _shown(item: pytest.Item, error: StandError) -> ReprExceptionInfo:
    """Give the error as pytest shows it: the story where the report is, its first line in the summary."""
    line = f"{type(error).__name__}: {error.happened}"
    path, number, _ = item.reportinfo()
    place = ReprFileLocation(str(path), (number or 0) + 1, line)
    return ReprExceptionInfo(ReprTraceback([ReprEntryNative([_told(error)])], None, "native"), place)


def _told(error: StandError) -> str:
    if error.told_in:
        try:
            os.close(os.open(error.told_in, os.O_CREAT | os.O_EXCL, 0o600))
        except FileExistsError:
            return f"{error.happened} (told in full once in this run, with the first test that wanted it)"
        except OSError:
            pass  # the place is gone: better told twice than never
    return f"{type(error).__name__}: {error}"


def _describe(used: _Used) -> str:
    endpoint = used.endpoint
    external = endpoint.backend == "external"
    lines = [f"{endpoint.backend} {endpoint.version}"]
    if isinstance(endpoint, Postgres):
        lines.append(f"dsn: {endpoint.safe_dsn if external else endpoint.dsn}")
        lines.append(f"schema: {endpoint.schema}" if endpoint.schema else f"database: {endpoint.database}")
    elif isinstance(endpoint, Redis):
        lines.append(f"url: {endpoint.safe_url if external else endpoint.url}")
    else:
        lines.extend([f"server: {endpoint.server}", f"namespace: {endpoint.namespace}"])
    if external or not used.log:
        lines.append("log: an external server's log is not ours to read")
    else:
        found = _log(used.log, used)
        lines.extend(["log during this test:", found] if found else ["log during this test: nothing"])
    return "\n".join(lines)


def _log(path: Path, used: _Used) -> str:
    endpoint = used.endpoint
    if isinstance(endpoint, Cluster):
        return logs.requests(path, used.log_start, endpoint.namespace)
    return logs.since(path, used.log_start, endpoint.application_name if isinstance(endpoint, Postgres) else "")


def write_suite_properties(config: pytest.Config, versions: dict[str, str]) -> None:
    """Put backend and version of every kind used into the JUnit file, if one is written."""
    from _pytest.junitxml import xml_key  # noqa: PLC0415 - the only door: `record_testsuite_property` is for tests

    junit = config.stash.get(xml_key, None)
    if junit is not None:
        for kind, version in sorted(versions.items()):
            junit.add_global_property(kind, version)
