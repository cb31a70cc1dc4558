"""An initialised data directory: made once per build of Postgres, kept in the cache, copied for every server.

Facts, measured on two cores with PostgreSQL 18.6: initdb 0.43 s, an extension by single-user mode 0.04 s, copying the
result (39 MB) 0.04 s. Rule 1: a directory in the cache is complete, for it gets its name last. Rule 2: nobody waits for
the cache: the first server of all initialises its own directory, and the cache is filled when it runs.
"""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Sequence
from pathlib import Path

from testinfra.errors import NotAvailable
from testinfra.postgres.binaries import Binaries
from testinfra.servers.process import User, run

_FORMAT = "3"
GROUP = "testinfra"
"""The role that every test process's own login is a member of; it owns what several processes share."""
DATABASE = "postgres"
SUPERUSER = "postgres"

_HBA = """\
# The socket's folder has mode 0700; over TCP a password is asked for.
local all all trust
host all all 127.0.0.1/32 scram-sha-256
host all all ::1/128 scram-sha-256
"""


def cached(binaries: Binaries, user: User | None, extensions: Sequence[str], cache: Path) -> Path:
    """Give the folder where a data directory of this build with these extensions is, or is to be, cached."""
    _require_extensions(binaries, extensions)
    owner = user.uid if user else os.getuid()
    name = f"{_FORMAT} {binaries.digest()} {owner} {' '.join(sorted(extensions))}"
    return cache / "clusters" / hashlib.sha256(name.encode()).hexdigest()[:12]


def fill(binaries: Binaries, user: User | None, extensions: Sequence[str], home: Path) -> None:
    """Make the cached directory `home`, unless another process did."""
    from filelock import FileLock  # noqa: PLC0415 - a start pays for every import

    home.parent.mkdir(mode=0o755, exist_ok=True)
    with FileLock(home.with_suffix(".lock"), poll_interval=0.02):
        if not home.exists():
            draft = home.with_suffix(".draft")
            shutil.rmtree(draft, ignore_errors=True)
            draft.mkdir(mode=0o700)
            if user:
                os.chown(draft, user.uid, user.gid)
            initialise(binaries, user, extensions, draft)
            draft.rename(home)


def _require_extensions(binaries: Binaries, extensions: Sequence[str]) -> None:
    share = binaries.bindir.parent / "share"
    debian = Path("/usr/share/postgresql", binaries.bindir.parent.name)  # that of /usr/lib/postgresql/17/bin
    looked_at = [folder / "extension" for folder in (share, share / "postgresql", debian)]
    missing = [name for name in extensions if not any((folder / f"{name}.control").is_file() for folder in looked_at)]
    if missing:
        raise NotAvailable(
            f"Postgres {binaries.version} ({binaries.source}) has no extension {', '.join(missing)}",
            looked_at=[str(folder / f"{missing[0]}.control") for folder in looked_at],
            next_step="leave --postgres-bindir out for binaries that bring pgvector and contrib, install the extension"
            " (Debian: apt-get install postgresql-<version>-pgvector), or --postgres-extensions=<those you need>",
        )


def initialise(binaries: Binaries, user: User | None, extensions: Sequence[str], directory: Path) -> None:
    """Make a data directory in the empty folder `directory`."""
    run(
        [
            binaries.program("initdb"),
            f"--pgdata={directory}",
            f"--username={SUPERUSER}",
            "--no-sync",
            "--encoding=UTF8",
            "--locale=C.UTF-8",
            "--auth=trust",
            "--no-instructions",
        ],
        what="initdb",
        user=user,
    )
    (directory / "pg_hba.conf").write_text(_HBA)
    # In single-user mode: 0.04 s, where starting and stopping a server would take 0.3 s. The database is made again of
    # template1, so that both have the extensions.
    statements = [
        *(f'CREATE EXTENSION IF NOT EXISTS "{name}" CASCADE' for name in extensions),
        f"CREATE ROLE {GROUP} NOLOGIN CREATEDB CREATEROLE",
        f"GRANT pg_monitor, pg_signal_backend TO {GROUP}",
        f"DROP DATABASE {DATABASE}",
        f"CREATE DATABASE {DATABASE} STRATEGY FILE_COPY",
        f"GRANT CREATE, TEMPORARY ON DATABASE {DATABASE} TO {GROUP}",
    ]
    command = [binaries.program("postgres"), "--single", "-j", "-D", str(directory), "-c", "fsync=off", "template1"]
    said = run(command, what="preparing the data directory", user=user, stdin=";\n\n".join([*statements, ""]))
    if "ERROR" in said or "FATAL" in said:
        raise NotAvailable("the data directory cannot be prepared", looked_at=statements, log=said)


def copy(source: Path, target: Path) -> None:
    """Copy a data directory into the folder `target`, owner and modes kept; cloned where the file system can."""
    clone = ["--reflink=auto"] if shutil.which("cp") and os.uname().sysname == "Linux" else []
    run(["cp", "-a", *clone, f"{source}/.", str(target)], what=f"copying the data directory to {target}")
