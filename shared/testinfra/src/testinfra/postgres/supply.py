"""Things made ahead of need: a thread keeps a few ready, so that taking one does not wait for its making."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from typing import Generic, TypeVar

T = TypeVar("T")


class Supply(Generic[T]):
    """Keeps up to `depth` results of `make` ready. What `make` raises is raised by the `take` that meets it."""

    def __init__(self, make: Callable[[], T], *, depth: int, name: str) -> None:
        """Start making at once."""
        self._make = make
        self._ready: queue.Queue[T | Exception] = queue.Queue()
        self._wanted = threading.Semaphore(depth)
        self._closed = False
        self._thread = threading.Thread(target=self._run, name=f"testinfra-{name}", daemon=True)
        self._thread.start()

    def _run(self) -> None:
        while True:
            self._wanted.acquire()
            if self._closed:
                return
            try:
                self._ready.put(self._make())
            except Exception as exc:  # noqa: BLE001 - it belongs to whoever takes next
                self._ready.put(exc)

    def take(self, timeout: float = 60.0) -> T:
        """Give the next one; raises `queue.Empty` when none was made within `timeout` seconds."""
        found = self._ready.get(timeout=timeout)
        self._wanted.release()
        if isinstance(found, Exception):
            raise found
        return found

    def close(self) -> list[T]:
        """Stop making, and give what was made and not taken; waits for what is being made, whose tools then rest."""
        self._closed = True
        self._wanted.release()
        self._thread.join()
        left: list[T] = []
        while not self._ready.empty():
            found = self._ready.get_nowait()
            if not isinstance(found, Exception):
                left.append(found)
        return left
