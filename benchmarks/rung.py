"""`python -m benchmarks.rung RUNG TESTS`: print how many seconds a rung takes to answer, and milliseconds a namespace.

pytest and the plugin are imported before the clock starts, and nothing else is, as in a test run. A namespace is
what a test waits for: it is made, and at the end given back.
"""

from __future__ import annotations

import sys
import time

import pytest  # noqa: F401 - a test run has it before the first test

import testinfra.plugin  # noqa: F401 - likewise
from testinfra.options import resolve
from testinfra.stand import Stand


def main(rung: str, tests: int) -> None:
    """Start the rung, and take that many namespaces."""
    stand = Stand(resolve({"linger": 0, "kubernetes": rung}), scope="bench")
    begun = time.perf_counter()
    plane = stand.clusters().shared()
    plane.kubernetes.rest().get("/readyz")
    ready = time.perf_counter() - begun
    namespaces = stand.clusters().namespaces(plane, "bench")
    begun = time.perf_counter()
    for _ in range(tests):
        namespaces.give_back(namespaces.take())
    each = (time.perf_counter() - begun) / tests
    stand.close()
    print(ready, each * 1000)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
