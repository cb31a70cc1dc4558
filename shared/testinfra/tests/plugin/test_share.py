"""Leases: one server for all who ask for the same, gone with the last of them."""

from __future__ import annotations

import dataclasses
import os
import signal
import subprocess
import sys
import threading

import psutil
import pytest
import redis

from shared.testinfra.tests.sandbox import Sandbox
from testinfra.endpoints import Redis
from testinfra.errors import NotReady
from testinfra.servers.backend import Spec, Terms
from testinfra.servers.places import UP_SCOPE, Place, take_flock
from testinfra.servers.ready import wait_until
from testinfra.servers.share import Lease, forget_failures, lease, sweep

CACHE = Spec(kind="redis", backend="embedded", settings={"databases": 4})
SOON = Terms(linger=0)


def take(box: Sandbox, scope: str = "one", spec: Spec = CACHE, terms: Terms = SOON, **more: bool) -> Lease:
    return lease(spec, root=box.state, scope=scope, terms=terms, **more)


def keeper(held: Lease) -> psutil.Process:
    return psutil.Process(int(held.place.read()["keeper"]))


def test_the_same_spec_in_the_same_scope_is_the_same_server(sandbox: Sandbox) -> None:
    """Whatever the terms."""
    first, second = take(sandbox), take(sandbox, terms=Terms(linger=5))
    assert first.endpoint == second.endpoint
    first.release()
    assert redis.Redis.from_url(Redis(**second.endpoint).url).ping()
    second.release()


def test_another_scope_or_an_exclusive_token_is_another_server(sandbox: Sandbox) -> None:
    """Two runs never meet; a test that breaks its server breaks no other's."""
    held = [take(sandbox), take(sandbox, "two"), take(sandbox, spec=dataclasses.replace(CACHE, exclusive="x"))]
    assert len({each.endpoint["port"] for each in held}) == 3
    for each in held:
        each.release()


def test_eight_threads_at_once_start_one_server(sandbox: Sandbox) -> None:
    """The lock lets one start it and the others find it."""
    held: list[Lease] = []
    threads = [threading.Thread(target=lambda: held.append(take(sandbox))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({each.endpoint["port"] for each in held}) == 1
    assert len(held) == 8
    for each in held:
        each.release()


def test_a_released_server_is_started_anew_when_asked_for_again(sandbox: Sandbox) -> None:
    """However close the new lease comes behind the last release."""
    for _ in range(5):
        held = take(sandbox)
        assert redis.Redis.from_url(Redis(**held.endpoint).url).ping()
        held.release()


def test_a_child_forked_by_a_test_does_not_hold_the_lease(sandbox: Sandbox) -> None:
    """It lives on, and the server ends all the same."""
    held = take(sandbox)
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        os.read(reader, 1)
        os._exit(0)
    held.release()
    wait_until(sandbox.is_empty, what="the server is gone", timeout=5)
    os.write(writer, b"x")
    os.waitpid(child, 0)
    os.close(reader)
    os.close(writer)


def test_a_warm_server_is_taken_before_one_is_started(sandbox: Sandbox) -> None:
    """Unless an exclusive one is wanted, or warm ones are not."""
    warm = take(sandbox, UP_SCOPE, terms=Terms(linger=60))
    found, own = take(sandbox, use_warm=True), take(sandbox)
    lone = take(sandbox, spec=dataclasses.replace(CACHE, exclusive="x"), use_warm=True)
    assert found.endpoint == warm.endpoint
    assert found.warm
    assert len({each.endpoint["port"] for each in (warm, own, lone)}) == 3
    keeper(warm).send_signal(signal.SIGTERM)
    for each in (found, own, lone, warm):
        each.release()


def test_interrupts_of_the_terminal_do_not_reach_server_or_keeper(sandbox: Sandbox) -> None:
    """Ctrl-C goes to our session; theirs is another."""
    held = take(sandbox)
    pids = [keeper(held).pid, *(child.pid for child in keeper(held).children())]
    assert len(pids) == 2
    assert os.getsid(0) not in {os.getsid(pid) for pid in pids}
    held.release()


def test_a_server_that_dies_in_use_is_told_with_its_log_to_who_comes_later(sandbox: Sandbox) -> None:
    """And its place is removed when the last of its users has gone."""
    held = take(sandbox)
    server = keeper(held).children()[0]
    server.kill()
    wait_until(lambda: held.place.read().get("state") == "died", what="the keeper noticed", timeout=5)
    with pytest.raises(NotReady, match="was ended by SIGKILL while it was in use") as caught:
        take(sandbox)
    assert "Ready to accept connections" in str(caught.value)
    held.release()
    forget_failures()


def test_a_keeper_that_dies_takes_its_server_with_it_and_the_next_start_sweeps(sandbox: Sandbox) -> None:
    """Nothing of the old one is left once a new one runs."""
    held = take(sandbox)
    server = keeper(held).children()[0]
    keeper(held).kill()
    assert psutil.wait_procs([server], timeout=2)[0]
    assert held.place.directory.exists()
    held._forget()  # as if we had died as well
    other = take(sandbox, "two")
    assert not held.place.directory.exists()
    other.release()


def test_a_lease_on_a_dead_keepers_place_starts_a_new_server(sandbox: Sandbox) -> None:
    """In the same scope, too, once nobody holds the old one."""
    held = take(sandbox)
    keeper(held).kill()
    wait_until(lambda: not held.place.keeper_lives(), what="the keeper is dead", timeout=2)
    held._forget()
    again = take(sandbox)
    assert again.endpoint["port"] != held.endpoint["port"] or again.endpoint != held.endpoint
    assert redis.Redis.from_url(Redis(**again.endpoint).url).ping()
    again.release()


def test_a_sweep_leaves_what_is_used(sandbox: Sandbox) -> None:
    """Only what no keeper owns and nobody leases goes."""
    held = take(sandbox)
    assert sweep(sandbox.state) == []
    assert redis.Redis.from_url(Redis(**held.endpoint).url).ping()
    held.release()
    wait_until(sandbox.is_empty, what="it ended", timeout=5)
    stale = Place(sandbox.state / "old" / "redis-0")
    stale.prepare()
    stale.lock_path.touch()
    assert sweep(sandbox.state) == ["old/redis-0"]


def test_a_failed_start_is_raised_alike_by_all_who_ask(sandbox: Sandbox) -> None:
    """The record is written once; the second asker does not try again."""
    broken = dataclasses.replace(CACHE, settings={"databases": "many"})
    said = []
    for _ in range(2):
        with pytest.raises(NotReady) as caught:
            take(sandbox, spec=broken)
        said.append(str(caught.value))
    assert said[0] == said[1]
    assert "databases" in said[0]
    forget_failures()


def test_a_keeper_whose_starter_was_killed_before_starts_nothing(sandbox: Sandbox) -> None:
    """No lease is held when it comes to life, so it leaves, however long its server would linger."""
    place = Place(sandbox.state / "scope" / CACHE.key)
    place.prepare()
    place.write({"spec": dataclasses.asdict(CACHE), "terms": dataclasses.asdict(Terms(linger=3600))}, "spec.json")
    lock, (reader, writer) = take_flock(place.keeper_lock), os.pipe()
    command = [sys.executable, "-P", "-m", "testinfra.servers.keeper", str(place.directory), str(lock), str(writer)]
    subprocess.run(command, cwd="/", pass_fds=(lock, writer), check=True)
    for fd in (lock, writer):
        os.close(fd)
    with os.fdopen(reader) as told:
        assert told.read() == ""  # until the keeper has closed it
    wait_until(sandbox.is_empty, what="keeper, server and place are gone", timeout=20)
