"""What these tests make, and kubectl."""

from __future__ import annotations

import os
import subprocess

from testinfra.endpoints import Cluster


def a_map(name: str, **data: str) -> dict[str, object]:
    """A ConfigMap."""
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": data}


def kubectl(endpoint: Cluster, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run kubectl against `endpoint`."""
    environment = {**os.environ, **endpoint.env()}
    return subprocess.run(
        ["kubectl", *arguments], env=environment, capture_output=True, text=True, check=False, timeout=60
    )
