"""The small detached process that owns one server while leases on it exist.

Rule 1: it starts the server as its child, which dies with it; it has a session of its own, so Ctrl-C does not reach it.
Rule 2: it ends when no lease has been held for `linger` seconds, on SIGTERM, or when the server died and no lease is
        left; it then stops the server and removes the place, under the place's lock.
Rule 3: whoever wanted the server may be dead before it is started: then it is not.
Rule 4: it tells its starter by a pipe when the record says `ready` or `failed`; a closed pipe without a record means
        that it died.

Started as `python -m testinfra.servers.keeper <place> <fd of the keeper's lock> <fd of the pipe>`.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import sys
import time
import traceback
from pathlib import Path

from testinfra.errors import NotReady, StandError
from testinfra.servers import control
from testinfra.servers.backend import Backend, Spec, Terms, create
from testinfra.servers.places import Place
from testinfra.servers.process import explain, tail

_TICK = 0.1


class _Wish:
    """Whether SIGTERM came; waiting for it is what the keeper does between looks at its leases."""

    def __init__(self) -> None:
        self.to_stop = False
        self._reader, writer = os.pipe()
        for fd in (self._reader, writer):
            os.set_blocking(fd, False)
        signal.set_wakeup_fd(writer)
        signal.signal(signal.SIGTERM, self._note)
        signal.signal(signal.SIGUSR1, lambda *_: None)  # only to end a wait: there is a question
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(signal.SIGHUP, signal.SIG_IGN)

    def _note(self, *_: object) -> None:
        self.to_stop = True

    def wait(self, seconds: float) -> None:
        """Wait, but not past a signal."""
        if select.select([self._reader], [], [], seconds)[0]:
            with contextlib.suppress(BlockingIOError):
                os.read(self._reader, 64)


def _start(place: Place, spec: Spec, terms: Terms) -> Backend | None:
    """Start the server and write down how that went; gives the backend if it runs."""
    error: StandError
    try:
        backend = create(spec)
        endpoint = backend.start(place, terms)
    except StandError as exc:
        error = exc
    except OSError as exc:
        happened = f"{spec.kind} ({spec.backend}) cannot be started: {exc}"
        error = NotReady(happened, looked_at=[str(exc.filename or place.directory)], **explain(str(exc)))
    except Exception as exc:  # noqa: BLE001 - whatever it was, every waiting process has to be told
        error = NotReady(f"the keeper failed: {exc!r}", looked_at=[str(place.keeper_log)], log=traceback.format_exc())
    else:
        place.update(state="ready", endpoint=endpoint, ready_at=time.time())
        return backend
    place.remove(keep_record=True)  # first: on a full disk it makes room for the record
    place.update(state="failed", error=error.to_record())
    return None


def _note_death(place: Place, death: str) -> None:
    log = tail(place.log)
    known = {"cause": "a test, another program or the kernel (out of memory) ended it"} | explain(log)
    happened = f"{place.directory.name}: the server {death} while it was in use"
    error = NotReady(happened, looked_at=[str(place.log)], log=log, **known)
    try:
        place.update(state="died", error=error.to_record())
    except OSError:  # a full disk, of which it may have died: its data makes room for the record
        place.remove(keep_record=True)
        place.update(state="died", error=error.to_record())


def _end(place: Place, backend: Backend | None, wish: _Wish) -> bool:
    """End the server and remove its place, unless somebody holds a lease or is just taking one; gives whether."""
    from filelock import FileLock, Timeout  # noqa: PLC0415 - 40 ms that a start need not wait for

    with contextlib.suppress(Timeout), FileLock(place.lock_path, timeout=0):
        if wish.to_stop or not any(place.live_leases()):
            place.update(state="ending")
            if backend:
                backend.stop()
            place.remove()
            with contextlib.suppress(OSError):
                place.lock_path.unlink()
                place.directory.parent.rmdir()
            return True
    return False


def _keep(place: Place, backend: Backend, terms: Terms, wish: _Wish) -> None:
    """Watch the leases until the server is to end, then end it and remove its place."""
    last_held = time.monotonic()
    died = False
    while True:
        control.obey(place, backend, terms)
        if not died and (death := backend.death()):
            died = True
            _note_death(place, death)
        if any(place.live_leases()):
            last_held = time.monotonic()
        idle = time.monotonic() - last_held > (0 if died else terms.linger)
        if (wish.to_stop or idle) and _end(place, backend, wish):
            return
        wish.wait(_TICK)


def main(argv: list[str]) -> int:
    """Run one keeper to its end."""
    if os.fork():
        os._exit(0)  # the starter's child ends here, so that the starter has no child to wait for
    place, lock, pipe = Place(Path(argv[0])), int(argv[1]), int(argv[2])
    os.set_inheritable(lock, False)
    os.set_inheritable(pipe, False)
    wish = _Wish()
    asked = place.read("spec.json")
    terms = Terms(**asked["terms"])
    place.write({"state": "starting", "keeper": os.getpid(), "spec": asked["spec"], "started": time.time()})
    if not any(place.live_leases()) and _end(place, None, wish):
        return 0
    backend = _start(place, Spec(**asked["spec"]), terms)
    if backend is None:
        os.close(lock)  # before the pipe: who reads of the failure may clear the place at once
    os.close(pipe)
    if backend:
        with contextlib.suppress(StandError, OSError):  # the next start can do without
            backend.afterwards()
        _keep(place, backend, terms, wish)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
