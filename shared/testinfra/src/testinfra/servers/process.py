"""One child process: started in a group of its own, logged to a file, stopped by handle, dead when its parent is.

Rule 1: a child dies with the process that started it, however that one dies (Linux: PR_SET_PDEATHSIG; elsewhere the
        next sweep ends it by pid and start time). The kernel clears that wish when credentials change, so it is set
        after the change of user. It fires when the parent *thread* ends, so a thread that may end starts no child: one
        that lasts as long as the process does it for it. And Python code between fork and exec can hang for ever where
        other threads run (a lock that one of them held stays locked in the child): there a small program asks instead.
Rule 2: stop means: the gentle signal, a bounded wait, then KILL for the whole group. Nothing is ever stopped by name.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from testinfra.errors import NotReady

if TYPE_CHECKING:
    from concurrent.futures import ThreadPoolExecutor

    import psutil

ResultT = TypeVar("ResultT")

_PR_SET_PDEATHSIG = 1
_LIBC = ctypes.CDLL(None, use_errno=True) if sys.platform == "linux" else None


@dataclass(frozen=True)
class User:
    """Who a child runs as when we are root."""

    name: str
    uid: int
    gid: int


def die_with_parent(parent: int, sig: signal.Signals = signal.SIGKILL) -> None:
    """Ask the kernel to send `sig` to this process when `parent` (its pid) dies; at once if it is dead already."""
    if _LIBC is None:
        return
    _LIBC.prctl(_PR_SET_PDEATHSIG, int(sig), 0, 0, 0)
    if os.getppid() != parent:
        os.kill(os.getpid(), sig)


def _before_exec(sig: signal.Signals) -> Callable[[], None]:
    parent = os.getpid()

    def prepare() -> None:
        for ignored in (signal.SIGINT, signal.SIGHUP):  # the keeper ignores them, and exec would pass that on
            signal.signal(ignored, signal.SIG_DFL)
        die_with_parent(parent, sig)

    return prepare


_ASK = f"""
import ctypes, os, sys
parent, signal, *argv = sys.argv[1:]
if sys.platform == "linux":
    ctypes.CDLL(None).prctl({_PR_SET_PDEATHSIG}, int(signal), 0, 0, 0)
    if os.getppid() != int(parent):
        sys.exit("the parent is dead")
os.execvp(argv[0], argv)
"""
_ASKER = (sys.executable, "-I", "-S", "-c", _ASK)
"""A program that asks the kernel for its death with its parent, and then becomes another."""


def _in_a_lasting_thread(function: Callable[..., ResultT], *arguments: Any, **named: Any) -> ResultT:
    """Call `function` here if this is the main thread, else in a thread that ends with the process."""
    global _spawner  # noqa: PLW0603 - one for the process, and only where it is needed
    if threading.current_thread() is threading.main_thread():
        return function(*arguments, **named)
    from concurrent.futures import ThreadPoolExecutor  # noqa: PLC0415 - 10 ms that a start need not wait for

    with _spawner_lock:
        if _spawner is None or _spawner[0] != os.getpid():
            _spawner = (os.getpid(), ThreadPoolExecutor(1, thread_name_prefix="testinfra-spawner"))
    return _spawner[1].submit(function, *arguments, **named).result()


_spawner: tuple[int, ThreadPoolExecutor] | None = None
_spawner_lock = threading.Lock()


def tail(path: Path, lines: int = 20) -> str:
    """Give the last lines of a file, "" if there is none; reads at most 64 KiB."""
    try:
        with path.open("rb") as file:
            file.seek(max(0, path.stat().st_size - 65536))
            return "\n".join(file.read().decode(errors="replace").splitlines()[-lines:])
    except OSError:
        return ""


def explain(log: str) -> dict[str, str]:
    """Give `cause` and `next_step` for what a log tells in the system's own words; {} if it tells nothing known."""
    said = log.lower()  # Go's own words for these errors begin with a small letter
    if os.strerror(errno.ENOSPC).lower() in said:
        step = "df -h, free some space, or TESTINFRA_STATE_DIR=<a directory on another disk>"
        return {"cause": "the disk is full", "next_step": step}
    if os.strerror(errno.EADDRINUSE).lower() in said:
        step = "choose another port, or none for a free one; ss -ltnp shows who has it"
        return {"cause": "another server has its port", "next_step": step}
    return {}


class Process:
    """A running child. `stop_signal` is also what it gets when its parent dies."""

    def __init__(
        self,
        argv: Sequence[str],
        *,
        log: Path,
        user: User | None = None,
        env: Mapping[str, str] | None = None,
        stop_signal: signal.Signals = signal.SIGTERM,
        pass_fds: Sequence[int] = (),
    ) -> None:
        self.argv = list(argv)
        self.log = log
        self.stop_signal = stop_signal
        self.born = time.time()
        with log.open("ab") as out:
            # With a user the child must be ours to fork: that user may not be able to read this interpreter.
            forks = user is not None or threading.active_count() == 1
            self._child = _in_a_lasting_thread(
                subprocess.Popen,
                self.argv if forks else [*_ASKER, str(os.getpid()), str(int(stop_signal)), *self.argv],
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
                env=dict(env) if env is not None else None,
                cwd="/",
                process_group=0,
                pass_fds=tuple(pass_fds),
                preexec_fn=_before_exec(stop_signal) if forks else None,
                user=user.uid if user else None,
                group=user.gid if user else None,
                extra_groups=[] if user else None,
            )

    @property
    def pid(self) -> int:
        """Its process id, which is also its group's."""
        return self._child.pid

    def exit_code(self) -> int | None:
        """Give its exit code, negative for a signal, or None while it runs."""
        return self._child.poll()

    def death(self) -> str:
        """Say how it ended, "" while it runs."""
        code = self.exit_code()
        if code is None:
            return ""
        return f"was ended by {signal.Signals(-code).name}" if code < 0 else f"exited with code {code}"

    def stop(self, timeout: float = 5.0, *, gently: signal.Signals | None = None) -> None:
        """End it and its group: a signal (`stop_signal`, or `gently`), up to `timeout` seconds, then KILL.

        Harmless when it is dead.
        """
        if self._child.poll() is None:
            self._child.send_signal(gently or self.stop_signal)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._child.wait(timeout)
        with contextlib.suppress(ProcessLookupError, PermissionError):  # the second: only zombies are left (macOS)
            os.killpg(self.pid, signal.SIGKILL)
        self._child.wait()

    def kill(self) -> None:
        """End it and all its descendants at once, as a crash of the machine would: nothing gets to clean up."""
        family = self._family()
        for member in family:
            with contextlib.suppress(psutil_error()):
                member.kill()
        self._child.wait()
        for member in family[1:]:
            with contextlib.suppress(psutil_error()):
                member.wait(5)

    def pause(self) -> None:
        """Stop it and all its descendants where they are (SIGSTOP), the parent first, so that it forks no more."""
        self._child.send_signal(signal.SIGSTOP)
        for member in self._family()[1:]:
            with contextlib.suppress(psutil_error()):
                member.suspend()

    def unpause(self) -> None:
        """Let all of them go on."""
        for member in reversed(self._family()):
            with contextlib.suppress(psutil_error()):
                member.resume()

    def _family(self) -> list[psutil.Process]:
        import psutil  # noqa: PLC0415 - 20 ms that a start need not wait for

        try:
            process = psutil.Process(self.pid)
            return [process, *process.children(recursive=True)]
        except psutil.NoSuchProcess:
            return []


def psutil_error() -> type[Exception]:
    """Give psutil's base exception without importing psutil before it is needed."""
    import psutil  # noqa: PLC0415 - as above

    return psutil.Error


def run(argv: Sequence[str], *, what: str, user: User | None = None, stdin: str = "", timeout: float = 60.0) -> str:
    """Run a program to its end and give what it printed; raise `NotReady` with that text when it fails."""
    command = " ".join(argv)
    try:
        done = subprocess.run(
            list(argv),
            input=stdin,
            text=True,
            errors="replace",
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            cwd="/",
            timeout=timeout,
            check=False,
            preexec_fn=_before_exec(signal.SIGKILL),
            user=user.uid if user else None,
            group=user.gid if user else None,
            extra_groups=[] if user else None,
        )
    except subprocess.TimeoutExpired as exc:
        raise NotReady(f"{what} took over {timeout:.0f} s and was ended", looked_at=[command]) from exc
    except OSError as exc:
        raise NotReady(f"{what} could not be run: {exc}", looked_at=[command]) from exc
    if done.returncode:
        text = "\n".join(done.stdout.splitlines()[-20:])
        raise NotReady(f"{what} failed with code {done.returncode}", looked_at=[command], log=text, **explain(text))
    return done.stdout
