"""Leases: a server is started once for all who ask for the same spec in one scope, and ends with the last lease.

Rule 1: a lease is an flock'ed file in the server's place. The kernel drops it when its holder dies, however it dies.
Rule 2: starting, leasing and giving up a server happen under the place's lock, so no lease is given on a server that
        is about to end, and no server is started twice.
Rule 3: a failed start is written down once and raised, as written, by all who wait for it or come later in the scope.
Rule 4: a sweep removes only places that no keeper owns and nobody leases.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import select
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from testinfra.errors import NotReady, StandError, from_record
from testinfra.servers.backend import Spec, Terms, create
from testinfra.servers.places import UP_SCOPE, Place, make_folder, scope_name, take_flock
from testinfra.servers.process import explain, tail
from testinfra.servers.ready import wait_until

_LOCK_POLL = 0.01
_STATES_WITH_ERROR = ("failed", "died")


class Lease:
    """A hold on one server; `endpoint` is what its backend gave. Release it, or die: both end it."""

    def __init__(self, place: Place) -> None:
        """Take a lease in `place`; call under the place's lock."""
        name = f"{os.getpid()}-{secrets.token_hex(4)}"
        draft = place.leases / f"{name}.draft"  # the keeper looks at *.lease only: it never sees one not yet locked
        self._fd = take_flock(draft)
        self._path = draft.rename(place.leases / f"{name}.lease")
        self.place = place
        self.endpoint: dict[str, Any] = {}
        self.warm = False
        self.exclusive = False
        os.register_at_fork(after_in_child=self._forget)

    def __repr__(self) -> str:
        return f"<Lease on {self.place.directory.name}, {'held' if self._fd >= 0 else 'released'}>"

    def _forget(self) -> None:
        """In a forked child: close its copy of the descriptor, or the child would hold the lease too."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def release(self) -> None:
        """Give the server up. Harmless when done twice."""
        if self._fd >= 0:
            self._path.unlink(missing_ok=True)
            os.close(self._fd)
            self._fd = -1
            if not self.place.keeper_lives():
                _sweep_place(self.place)


def lease(spec: Spec, *, root: Path, scope: str, terms: Terms, use_warm: bool = False) -> Lease:
    """Lease the server of `spec`, starting it if nobody has; raises the StandError that its start ended with.

    With `use_warm`, a matching server that `testinfra up` keeps is taken first.
    """
    if use_warm and not spec.exclusive and (warm := find_warm(spec, root)):
        return warm
    place = Place(root / scope_name(scope) / spec.key)
    with _locked(place, terms.start_timeout + 10):
        if place.keeper_lives():
            _await_start(place, terms)
            return _hold(place)
        found = place.read()
        if any(place.live_leases()) and (found.get("state") in _STATES_WITH_ERROR or not found.get("kept", True)):
            return _hold(place)
        _clear(place)
        sweep(root, but=place)
        try:
            place.prepare()
            held = Lease(place)
            _start(place, spec, terms)
        except OSError as exc:
            raise NotReady(
                f"{spec.kind} ({spec.backend}) cannot be started: {exc}", looked_at=[str(root)], **explain(str(exc))
            ) from exc
        held.exclusive = bool(spec.exclusive)
        return _filled(held)


def _await_start(place: Place, terms: Terms) -> None:
    """Wait for a keeper whose starter was killed before the server was ready."""
    wait_until(
        lambda: place.read().get("state", "starting") != "starting" or not place.keeper_lives(),
        what=f"{place.directory.name} is being started",
        timeout=terms.start_timeout,
    )


def _hold(place: Place) -> Lease:
    return _filled(Lease(place))


def _filled(held: Lease) -> Lease:
    """Give the lease its endpoint, or raise the error on record; the lease then stays, so that the record does."""
    found = held.place.read()
    if found.get("state") != "ready":
        error = from_record(found.get("error", {}))
        error.told_in = str(held.place.directory / "told")
        _STANDING_BY.append(held)
        raise error
    held.endpoint = found["endpoint"]
    return held


_STANDING_BY: list[Lease] = []
"""Leases on failed places: they keep the error record alive until this process ends."""


def forget_failures() -> None:
    """Let go of the failed places this process stands by."""
    while _STANDING_BY:
        _STANDING_BY.pop().release()


def find_warm(spec: Spec, root: Path) -> Lease | None:
    """Lease the server of `spec` that `testinfra up` keeps; None where it keeps none."""
    place = Place(root / UP_SCOPE / spec.key)
    if not place.directory.is_dir():
        return None
    with _locked(place, 10):
        if place.read().get("state") != "ready" or not place.keeper_lives():
            return None
        held = _hold(place)
        held.warm = True
        return held


@contextlib.contextmanager
def _locked(place: Place, timeout: float) -> Iterator[None]:
    """Hold the place's lock; a leaving keeper may remove the scope's folder, so it is made as often as needed."""
    deadline = time.monotonic() + timeout
    while True:
        make_folder(place.directory.parent)
        lock = FileLock(place.lock_path, mode=0o600, poll_interval=_LOCK_POLL)
        try:
            lock.acquire(timeout=max(0.0, deadline - time.monotonic()))
        except FileNotFoundError:
            continue
        except Timeout as exc:
            raise NotReady(
                f"{place.directory.name}: another process has been starting or ending it for {timeout:.0f} s",
                looked_at=[str(place.lock_path)],
                next_step="testinfra status, and see who holds the lock: fuser -v " + str(place.lock_path),
            ) from exc
        break
    try:
        yield
    finally:
        lock.release()


def _start(place: Place, spec: Spec, terms: Terms) -> None:
    """Start the server of `spec`; how that went is in the place's record afterwards."""
    if create(spec).kept:
        _spawn_keeper(place, spec, terms)
        return
    try:
        endpoint = create(spec).start(place, terms)
    except StandError as exc:
        place.write({"state": "failed", "kept": False, "error": exc.to_record()})
    else:
        place.write({"state": "ready", "kept": False, "endpoint": endpoint, "spec": asdict(spec)})


def _spawn_keeper(place: Place, spec: Spec, terms: Terms) -> None:
    place.write({"spec": asdict(spec), "terms": asdict(terms)}, "spec.json")
    keeper_lock = take_flock(place.keeper_lock)  # ours until the keeper has inherited it: never a moment without
    reader, writer = os.pipe()
    try:
        command = [sys.executable, "-P", "-m", "testinfra.servers.keeper"]
        with place.keeper_log.open("ab") as log:
            subprocess.run(
                [*command, str(place.directory), str(keeper_lock), str(writer)],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd="/",
                pass_fds=(keeper_lock, writer),
                start_new_session=True,
                check=False,
            )
    finally:
        os.close(writer)
        os.close(keeper_lock)
    # The pipe is closed by the keeper when the record is written, or by the kernel when the keeper dies.
    done = select.select([reader], [], [], terms.start_timeout + 5)[0]
    os.close(reader)
    state = place.read().get("state")
    if not done or state not in ("ready", "failed"):
        error = NotReady(
            f"{spec.kind} ({spec.backend}): its keeper " + ("died" if done else "gave no answer in time"),
            looked_at=[str(place.keeper_log), str(place.log)],
            log=tail(place.keeper_log) or tail(place.log),
        )
        place.remove(keep_record=True)
        place.update(state="failed", error=error.to_record())


def sweep(root: Path, but: Place | None = None) -> list[str]:
    """Remove what dead keepers left under `root`; gives the names of what was removed. Never waits for a lock."""
    removed = []
    for lock_path in sorted(root.glob("*/*.lock")):
        place = Place(lock_path.with_suffix(""))
        if place != but and _sweep_place(place):
            removed.append(f"{place.directory.parent.name}/{place.directory.name}")
    return removed


def _sweep_place(place: Place) -> bool:
    """Remove one place that nobody owns or leases; gives whether there was something to remove."""
    try:
        with FileLock(place.lock_path, mode=0o600, timeout=0):
            if place.keeper_lives() or any(place.live_leases()):
                return False
            existed = place.directory.exists()
            _clear(place)
            with contextlib.suppress(OSError):
                place.lock_path.unlink()
                place.directory.parent.rmdir()
            return existed
    except (Timeout, FileNotFoundError):
        return False


def _clear(place: Place) -> None:
    """End what a dead keeper's server may still run (only where the kernel did not), and remove the place."""
    for pid, born, stop_signal in place.read().get("processes", []):
        _end_orphan(int(pid), float(born), int(stop_signal))
    place.remove()


def _end_orphan(pid: int, born: float, stop_signal: int) -> None:
    """End a process, if it is still the one that was recorded: its own stop signal first, so that it leaves nothing."""
    import psutil  # noqa: PLC0415 - only needed after a crash

    with contextlib.suppress(psutil.Error):
        process = psutil.Process(pid)
        if abs(process.create_time() - born) < 1:
            family = [process, *process.children(recursive=True)]
            for member in family:
                member.resume()
            process.send_signal(stop_signal)
            _, alive = psutil.wait_procs(family, timeout=2)
            for member in alive:
                with contextlib.suppress(psutil.Error):
                    member.kill()
            psutil.wait_procs(family, timeout=5)
