"""`python -m testinfra.kubernetes.fake`: one fake API server as a process of its own, until it is told to end.

Rule 1: the file `endpoint.json` in its directory says where it is, and is there once it answers.
Rule 2: SIGTERM and SIGINT end it. SIGUSR1 and SIGUSR2 are its faults stop and kill, SIGHUP heals them: the objects are
        in this process, so it has to live through its outages.
"""

from __future__ import annotations

import argparse
import json
import shutil
import signal
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from testinfra.errors import StandError
from testinfra.kubernetes.fake.server import FakeServer
from testinfra.kubernetes.fake.store import HISTORY

ENDPOINT = "endpoint.json"
STOP, KILL, HEAL = signal.SIGUSR1, signal.SIGUSR2, signal.SIGHUP
_ENDS = (signal.SIGTERM, signal.SIGINT)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one to its end; gives the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m testinfra.kubernetes.fake",
        description="A fake Kubernetes API server over HTTPS on 127.0.0.1: no nodes, no images, objects in memory.",
    )
    parser.add_argument("--port", type=int, default=0, help="port to listen on (default: any free one)")
    parser.add_argument("--kubeconfig", type=Path, help="file to write the administrator's kubeconfig to")
    parser.add_argument(
        "--directory",
        type=Path,
        help="existing folder for certificates, audit log and endpoint.json (default: a new one)",
    )
    parser.add_argument(
        "--history",
        type=int,
        default=HISTORY,
        help="changes of each resource that a watch can resume from (%(default)s)",
    )
    given = parser.parse_args(arguments)
    if given.directory and not given.directory.is_dir():
        parser.error(f"there is no folder {given.directory}")
    awaited = {*_ENDS, STOP, KILL, HEAL}
    signal.pthread_sigmask(signal.SIG_BLOCK, awaited)  # before there are threads: they are to have them blocked as well
    try:
        with _home(given.directory) as directory:
            server = FakeServer(directory, port=given.port, history=given.history)
            endpoint = server.start()
            if given.kubeconfig:
                shutil.copy(endpoint["kubeconfig"], given.kubeconfig)
            draft = directory / f"{ENDPOINT}.draft"
            draft.write_text(json.dumps(endpoint))
            draft.replace(directory / ENDPOINT)
            print(f"{endpoint['server']}  KUBECONFIG={given.kubeconfig or endpoint['kubeconfig']}", flush=True)  # noqa: T201 - its output
            _obey(server, awaited)
    except StandError as exc:
        print(exc, file=sys.stderr)  # noqa: T201 - its output
        return 1
    return 0


@contextmanager
def _home(given: Path | None) -> Iterator[Path]:
    if given:
        yield given
        return
    with tempfile.TemporaryDirectory(prefix="testinfra-fake-") as made:
        yield Path(made)


def _obey(server: FakeServer, awaited: set[signal.Signals]) -> None:
    """Do what signals say, until one says to end."""
    while (said := signal.sigwait(awaited)) not in _ENDS:
        if said == HEAL:
            server.heal()
        elif not server.fault_now:
            server.fault("stop" if said == STOP else "kill")
    server.stop()


if __name__ == "__main__":
    sys.exit(main())
