"""`python -m benchmarks.control_plane`: print how many seconds a local control plane takes to be ready, and to be gone.

The interpreter and its imports are there before the clock starts, and the programs are found, as in a test run. Gone
means that no process runs and no file of it is left.
"""

from __future__ import annotations

import time

import testinfra.servers.share  # noqa: F401 - the stand imports it when it needs it: here, before the clock starts
from testinfra import specs
from testinfra.options import resolve
from testinfra.servers.ready import wait_until
from testinfra.stand import Stand


def main() -> None:
    """Lease one in a scope of its own, and give it back."""
    stand = Stand(resolve({"linger": 0, "kubernetes": "apiserver"}), scope="bench")
    spec = specs.kubernetes(stand.options)
    begun = time.perf_counter()
    place = stand.lease(spec).place
    ready = time.perf_counter()
    stand.close()
    wait_until(lambda: not place.directory.exists(), what="the control plane is gone", timeout=30)
    print(ready - begun, time.perf_counter() - ready)


if __name__ == "__main__":
    main()
