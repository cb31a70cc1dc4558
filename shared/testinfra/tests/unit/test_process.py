"""Child processes: they stop, and they die with their parent."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import psutil
import pytest

from testinfra.errors import NotReady
from testinfra.servers.process import Process, explain, run, tail
from testinfra.servers.ready import wait_until

STUBBORN = """
import signal, sys
signal.signal(signal.SIGTERM, signal.SIG_IGN)
print("deaf", flush=True)
signal.pause()
"""
PARENT = """
import signal, sys
from pathlib import Path
from testinfra.servers.process import Process
child = Process(["sleep", "60"], log=Path(sys.argv[1]))
print(child.pid, flush=True)
signal.pause()
"""


def test_a_child_dies_with_its_parent_however_that_dies(tmp_path: Path) -> None:
    """KILL gives the parent no chance to clean up; the kernel does it."""
    with subprocess.Popen(
        [sys.executable, "-c", PARENT, str(tmp_path / "log")], stdout=subprocess.PIPE, text=True
    ) as parent:
        assert parent.stdout is not None
        child = psutil.Process(int(parent.stdout.readline()))
        assert child.is_running()
        parent.kill()
        gone, alive = psutil.wait_procs([child], timeout=2)
    assert gone
    assert not alive


def test_a_child_started_by_a_thread_outlives_that_thread(tmp_path: Path) -> None:
    """The kernel's wish for its death is bound to the thread that made it; a lasting one does."""
    started: list[Process] = []
    thread = threading.Thread(target=lambda: started.append(Process(["sleep", "60"], log=tmp_path / "log")))
    thread.start()
    thread.join()
    with pytest.raises(psutil.TimeoutExpired):
        psutil.Process(started[0].pid).wait(0.2)
    started[0].stop()


def test_a_child_deaf_to_the_stop_signal_is_killed(tmp_path: Path) -> None:
    """Stopping is bounded."""
    child = Process([sys.executable, "-c", STUBBORN], log=tmp_path / "log")
    wait_until(lambda: tail(child.log) == "deaf", what="it is deaf", timeout=10, process=child)
    started = time.monotonic()
    child.stop(timeout=0.2)
    assert child.exit_code() == -signal.SIGKILL
    assert time.monotonic() - started < 2
    assert child.death() == "was ended by SIGKILL"


def test_a_child_has_a_group_of_its_own_and_takes_it_along(tmp_path: Path) -> None:
    """What it started ends with it."""
    child = Process(["sh", "-c", "sleep 61 & echo $!; wait"], log=tmp_path / "log")
    wait_until(lambda: tail(child.log).isdigit(), what="its child runs", timeout=10, process=child)
    grandchild = psutil.Process(int(tail(child.log)))
    assert os.getpgid(grandchild.pid) == child.pid != os.getpgid(0)
    child.stop()
    assert psutil.wait_procs([grandchild], timeout=2)[0]


def test_waiting_ends_at_once_when_the_process_is_dead_and_shows_its_log(tmp_path: Path) -> None:
    """The deadline of a minute is not waited for."""
    child = Process(["sh", "-c", "echo out of cheese; exit 3"], log=tmp_path / "log")
    started = time.monotonic()
    with pytest.raises(NotReady, match="exited with code 3") as caught:
        wait_until(lambda: False, what="cheese", timeout=60, process=child)
    assert time.monotonic() - started < 2
    assert "| out of cheese" in str(caught.value)


def test_waiting_ends_when_a_process_that_the_first_stands_on_is_dead(tmp_path: Path) -> None:
    """And shows that one's log."""
    server = Process(["sleep", "60"], log=tmp_path / "server")
    store = Process(["sh", "-c", "echo no room; exit 2"], log=tmp_path / "store")
    with pytest.raises(NotReady, match="exited with code 2") as caught:
        wait_until(lambda: False, what="it answers", timeout=60, process=server, others=[store])
    assert "| no room" in str(caught.value)
    server.stop()


@pytest.mark.parametrize(
    ("log", "cause"),
    [
        ("write /data/wal: no space left on device", "the disk is full"),  # Go's words
        ("FATAL: could not write: No space left on device", "the disk is full"),  # C's
        ("listen tcp 127.0.0.1:2379: bind: address already in use", "another server has its port"),
    ],
)
def test_a_log_that_tells_a_known_cause_is_understood(log: str, cause: str) -> None:
    """Whatever language the server is written in."""
    assert explain(log)["cause"] == cause
    assert explain(log)["next_step"]


def test_waiting_that_is_in_vain_says_what_the_last_attempt_said() -> None:
    """The probe's own words are the likely cause."""

    def probe() -> bool:
        raise ConnectionRefusedError("nobody home")

    with pytest.raises(NotReady, match=r"not so after 0\.1 s") as caught:
        wait_until(probe, what="somebody answers", timeout=0.1)
    assert "nobody home" in str(caught.value)


def test_a_probe_that_is_wrong_is_not_waited_for() -> None:
    """Only OSError means: not yet."""
    with pytest.raises(ZeroDivisionError):
        wait_until(lambda: 1 // 0, what="never", timeout=60)


@pytest.mark.parametrize(
    ("argv", "says"), [(["sh", "-c", "echo why; exit 4"], "code 4"), (["/no/such/program"], "could not be run")]
)
def test_a_program_that_fails_is_told_with_what_it_printed(argv: list[str], says: str) -> None:
    """And with the command."""
    with pytest.raises(NotReady, match=says) as caught:
        run(argv, what="the step")
    assert argv[0] in str(caught.value)
