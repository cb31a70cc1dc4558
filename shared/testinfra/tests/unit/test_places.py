"""The state directory, and who may hold what in it."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from testinfra.errors import NotAvailable
from testinfra.servers.places import Place, is_held, make_folder, scope_name, state_root, take_flock

HOLDER = "import sys; from pathlib import Path; from testinfra.servers.places import take_flock;"
HOLDER += "take_flock(Path(sys.argv[1])); print('held', flush=True); sys.stdin.read()"


def test_the_state_directory_is_made_for_us_alone(tmp_path: Path) -> None:
    """Mode 0700, whatever the umask."""
    root = state_root(str(tmp_path / "a" / "b"))
    assert root.stat().st_mode & 0o777 == 0o700


def test_a_folder_is_made_while_others_remove_it(tmp_path: Path) -> None:
    """Whoever leaves last removes it; who comes at that moment makes it again, or its parents."""
    folder = tmp_path / "scope" / "clients"

    def come_and_go() -> None:
        for _ in range(1_000):
            make_folder(folder)
            for gone in (folder, folder.parent):
                with contextlib.suppress(OSError):
                    gone.rmdir()

    with ThreadPoolExecutor(4) as pool:
        for done in [pool.submit(come_and_go) for _ in range(4)]:
            done.result()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("kind", ["file", "link to nowhere"])
def test_a_folder_is_not_made_over_something_else(tmp_path: Path, kind: str) -> None:
    """Neither waited for nor removed."""
    path = tmp_path / "clients"
    if kind == "file":
        path.touch()
    else:
        path.symlink_to(tmp_path / "nowhere")
    with pytest.raises(FileExistsError, match="clients"):
        make_folder(path)


@pytest.mark.parametrize("mode", [0o755, 0o770, 0o701])
def test_a_state_directory_that_others_can_enter_is_refused(tmp_path: Path, mode: int) -> None:
    """With the command that would mend it."""
    root = tmp_path / "open"
    root.mkdir()
    root.chmod(mode)
    with pytest.raises(NotAvailable, match=f"has mode {mode:04o}") as caught:
        state_root(str(root))
    assert f"chmod 700 {root}" in str(caught.value)


def test_a_state_directory_that_is_a_link_is_refused(tmp_path: Path) -> None:
    """It could be pointed elsewhere between two looks."""
    (tmp_path / "real").mkdir(mode=0o700)
    (tmp_path / "link").symlink_to(tmp_path / "real")
    with pytest.raises(NotAvailable, match="not a directory"):
        state_root(str(tmp_path / "link"))


def test_a_state_directory_that_is_a_file_is_refused(tmp_path: Path) -> None:
    """And so is one below a file."""
    (tmp_path / "file").touch()
    for path in (tmp_path / "file", tmp_path / "file" / "below"):
        with pytest.raises(NotAvailable, match="cannot be made"):
            state_root(str(path))


def test_a_held_file_is_free_the_moment_its_holder_is_killed(tmp_path: Path) -> None:
    """The kernel says so, no pid is asked."""
    path = tmp_path / "x.lease"
    with subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        assert is_held(path)
        with pytest.raises(BlockingIOError):
            take_flock(path)
        holder.kill()
        holder.wait()
        assert not is_held(path)


def test_leases_of_the_dead_are_cleared_away(tmp_path: Path) -> None:
    """Those of the living stay."""
    place = Place(tmp_path / "server")
    place.prepare()
    held = take_flock(place.leases / "living.lease")
    os.close(take_flock(place.leases / "dead.lease"))
    assert [path.name for path in place.live_leases()] == ["living.lease"]
    assert not (place.leases / "dead.lease").exists()
    os.close(held)


def test_scopes_have_short_names() -> None:
    """A socket's path may have 107 bytes."""
    assert scope_name("1f3a") == "1f3a"
    assert len(scope_name("a very long name of a run / with anything in it")) == 8
