"""The three rungs side by side in one process, each through the stand's own doors."""

from __future__ import annotations

import dataclasses
from pathlib import Path

from testinfra.endpoints import Cluster
from testinfra.kubernetes import kubeconfig
from testinfra.kubernetes.accounts import await_right
from testinfra.kubernetes.clients import Kubernetes
from testinfra.kubernetes.rest import Rest
from testinfra.stand import Stand

RUNGS = ("fake", "apiserver", "external")
_RBAC = "rbac.authorization.k8s.io"


class Rungs:
    """A stand for each rung, made when its first fact is asked for, and kept until the last."""

    def __init__(self, stand: Stand, folder: Path) -> None:
        """Share the scope of `stand`: with several workers there is one control plane all the same."""
        self._given = stand
        self._folder = folder
        self._stands: dict[str, Stand] = {}

    def kubernetes(self, rung: str) -> Kubernetes:
        """Give the API server of `rung`, as its administrator."""
        if rung not in self._stands:
            options = dataclasses.replace(
                self._given.options,
                kubernetes=rung,
                kubernetes_kubeconfig=self._somebodys() if rung == "external" else "",
                warm=False,  # custom resources stay behind, and go with a server of the run's own
            )
            given = self._given
            self._stands[rung] = Stand(options, scope=given.scope, worker=given.worker, workers=given.workers)
        return self._stands[rung].clusters().shared().kubernetes

    def _somebodys(self) -> str:
        """Write a kubeconfig of the control plane as others hand one out: a cluster administrator's token."""
        local = self.kubernetes("apiserver")
        name = self._given.names("external").next_label()
        rest, account = local.rest(), {"metadata": {"name": name, "namespace": "kube-system"}}
        path = "/api/v1/namespaces/kube-system/serviceaccounts"
        rest.post(path, account)
        binding = {
            "metadata": {"name": name},
            "roleRef": {"apiGroup": _RBAC, "kind": "ClusterRole", "name": "cluster-admin"},
            "subjects": [{"kind": "ServiceAccount", **account["metadata"]}],
        }
        rest.post(f"/apis/{_RBAC}/v1/clusterrolebindings", binding)
        token = rest.post(f"{path}/{name}/token", {"spec": {"expirationSeconds": 7200}})["status"]["token"]
        with Rest(dataclasses.replace(local.endpoint, token=str(token), cert_file="", key_file="")) as somebody:
            await_right(somebody, {"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]})
        return _written(self._folder / "somebodys.kubeconfig", local.endpoint, str(token))

    def close(self) -> None:
        """Give all of them up, those that stand on another first."""
        for rung in reversed(RUNGS):
            if rung in self._stands:
                self._stands.pop(rung).close()


def _written(path: Path, endpoint: Cluster, token: str) -> str:
    return kubeconfig.write(path, server=endpoint.server, ca_file=endpoint.ca_file, token=token)
