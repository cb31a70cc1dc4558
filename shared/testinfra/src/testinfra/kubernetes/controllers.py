"""kube-controller-manager with the few controllers that make an API server behave as a cluster does.

Rule 1: namespaces are emptied and go, what is owned goes with its owner, each namespace has its `default` service
        account, the roles `admin`, `edit` and `view` are put together, and a claim that no pod uses goes when it is
        deleted. Nothing is scheduled and no pod runs.
Rule 2: it is not waited for: what it does is done some time later in any cluster.
"""

from __future__ import annotations

import signal
from pathlib import Path

from testinfra.servers.process import Process

CONTROLLERS = (
    "namespace-controller",
    "garbage-collector-controller",
    "serviceaccount-controller",
    "clusterrole-aggregation-controller",
    "persistentvolumeclaim-protection-controller",
)
USER = "system:kube-controller-manager"


def launch(program: str, kubeconfig: str, log: Path) -> Process:
    """Start it; it logs in by `kubeconfig`."""
    flags = {
        "kubeconfig": kubeconfig,
        "controllers": ",".join(CONTROLLERS),
        "leader-elect": "false",
        "secure-port": "0",
        # Its own brake (20 requests a second) would make hundreds of namespaces of tests wait for each other.
        "kube-api-qps": "500",
        "kube-api-burst": "1000",
    }
    command = [program, *(f"--{name}={value}" for name, value in flags.items())]
    return Process(command, log=log, stop_signal=signal.SIGKILL)
