"""The folders of processes that begin, sweep and leave at the same time."""

from __future__ import annotations

import itertools
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from testinfra.kubernetes.workplace import Workplace


def test_who_lives_is_never_taken_for_dead(tmp_path: Path) -> None:
    """Four begin and leave, again and again, and each sweeps; not one of them loses its claims or its folder."""
    numbers = itertools.count(1)
    begin = threading.Barrier(4)
    lost: list[str] = []

    def lives() -> None:
        begin.wait()
        for _ in range(150):
            owner = f"owner_{next(numbers)}"
            workplace = Workplace(tmp_path, owner)
            workplace.claim(f"{owner}_too")
            watcher = Workplace(tmp_path, f"{owner}_watcher")
            lost.extend(name for name in (owner, f"{owner}_too") if not watcher.is_alive(name))
            if not workplace.folder.is_dir():
                lost.append(f"the folder of {owner}")
            watcher.close()
            workplace.close()

    with ThreadPoolExecutor(4) as pool:
        for done in [pool.submit(lives) for _ in range(4)]:
            done.result()
    assert lost == []
    assert not any(tmp_path.rglob("*.*"))


@pytest.mark.parametrize("left", ["owner_1.lock", "owner_1.draft"])
def test_what_the_dead_left_is_removed_by_the_next(tmp_path: Path, left: str) -> None:
    """A folder and its lock, or a lock that had no name yet."""
    folder = tmp_path / "clients"
    (folder / "owner_1").mkdir(parents=True)
    (folder / left).touch()
    if left.endswith("draft"):
        (folder / "owner_1").rmdir()
    workplace = Workplace(tmp_path, "owner_2")
    assert {path.name for path in folder.iterdir()} == {"owner_2", "owner_2.lock"}
    workplace.close()
