"""The local control plane: etcd, kube-apiserver and kube-controller-manager, with certificates of their own.

Facts, measured on two cores with version 1.36.3: the three take 180, 18 and 20 MB of memory of their own; 170 MB of
program more are shared by all control planes of a machine. One second of every start is a pause that kube-apiserver
makes before it looks at its roles (`wait.Poll` in its `storage_rbac.go`).

Rule 1: it listens on loopback only; it knows the holders of certificates of its own authority and of its service
        accounts' tokens, and RBAC decides what they may do. Anybody else sees its health and its version.
Rule 2: ready means that /readyz, all of its checks, answers yes to the administrator (so RBAC's own roles are made),
        and that the namespace `default` is there; after a restart also that custom resources are served: for some
        tenths of a second more the server answers 429 for those, "storage is (re)initializing".
Rule 3: keys, certificates, the kubeconfig, the audit log and etcd's data are in the place, for our eyes only.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import signal
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from testinfra.endpoints import Cluster
from testinfra.errors import NotAvailable, NotReady
from testinfra.kubernetes import bootstrapped, certs, controllers, kubeconfig
from testinfra.kubernetes.etcd import Etcd
from testinfra.servers.backend import Terms
from testinfra.servers.owned import OwnedServer
from testinfra.servers.places import Place
from testinfra.servers.ports import LOOPBACK, Reservation
from testinfra.servers.process import Process
from testinfra.servers.ready import wait_until

ADMINISTRATORS = "system:masters"
_ISSUER = "https://kubernetes.default.svc.cluster.local"
_SERVICES = "10.0.0.0/16"
_HOSTS = (LOOPBACK, "localhost", "10.0.0.1", "kubernetes", "kubernetes.default", "kubernetes.default.svc")
_SNAPSHOT = "snapshot"
_AUDIT_POLICY = {
    "apiVersion": "audit.k8s.io/v1",
    "kind": "Policy",
    "omitStages": ["ResponseStarted"],
    "rules": [
        # The control plane's talk with itself: hundreds of requests before the first test asks anything.
        {"level": "None", "users": ["system:apiserver", controllers.USER]},
        {"level": "Metadata"},
    ],
}


class ControlPlane(OwnedServer):
    """One control plane; faults concern its kube-apiserver."""

    gentle_timeout = 2.5
    """An end in order takes 1.2 s, 100 watching clients included."""

    def __init__(self, settings: Mapping[str, Any]) -> None:
        """Take the settings of the spec: binaries (name -> path), controllers, args, plane (only to differ)."""
        super().__init__()
        self._binaries: Mapping[str, str] = settings["binaries"]
        self._manager: Process | None = None
        self._with_controllers = bool(settings.get("controllers", True))
        self._args = [str(argument) for argument in settings.get("args", ())]

    def start(self, place: Place, terms: Terms) -> dict[str, Any]:
        """See `Backend.start`."""
        for program in self._binaries.values():
            _require(program)
        with contextlib.ExitStack() as undo:
            self._port = Reservation(terms.port, option="--kubernetes-port")
            undo.callback(self.stop)
            home = place.outside(None)
            self._cache = self._cached(terms)
            if self._cache and self._cache.exists():
                bootstrapped.copy(self._cache, home / "data")
            self._etcd = Etcd(self._binaries["etcd"], home, place.directory / "etcd.log")
            self.accompany(place, self._etcd.process)
            self._prepare(home)
            self._etcd.await_ready(terms.start_timeout)
            version = self.begin(place, terms)
            if self._cache and not self._cache.exists():
                bootstrapped.snapshot(self._etcd, home / _SNAPSHOT)
            undo.pop_all()
        self._place = place
        return dataclasses.asdict(dataclasses.replace(self._cluster, version=version))

    def afterwards(self) -> None:
        """Start the controllers, and fill the cache for the next start if this was the first: nobody waits for it."""
        self._start_controllers(self._place)
        self._etcd.give_back()
        snapshot = self._etcd.data.with_name(_SNAPSHOT)
        if self._cache and snapshot.exists():
            bootstrapped.fill(self._binaries["etcd"], snapshot, self._cache)

    def heal(self, place: Place, terms: Terms) -> None:
        """See `OwnedServer.heal`. New controllers come with a new server: the old ones would sleep up to half a minute.

        Their pauses between attempts grow with every one in vain; 26 s were measured after an outage of 6 s.
        """
        restarted = self._fault in ("kill", "stop")
        super().heal(place, terms)
        if restarted:
            self._start_controllers(place)

    def _start_controllers(self, place: Place) -> None:
        if not self._with_controllers:
            return
        if self._manager:
            self.dismiss(self._manager)
        program = self._binaries["kube-controller-manager"]
        self._manager = controllers.launch(program, self._controllers_kubeconfig, place.directory / "controllers.log")
        self.accompany(place, self._manager)

    def _cached(self, terms: Terms) -> Path | None:
        """Give the folder of data that another server began with; flags of one's own may ask for other data."""
        programs = [self._binaries[name] for name in ("etcd", "kube-apiserver")]
        return None if self._args else bootstrapped.cached(programs, terms.cache_dir)

    def _prepare(self, home: Path) -> None:
        """Make all files that the processes and the administrator need."""
        authority = certs.Authority.create()
        server = f"https://{LOOPBACK}:{self.port}"
        ca_file = str(certs.save(home / "ca.crt", authority.pem))
        server_cert, server_key = authority.server(_HOSTS).save(home, "server")
        public, private = certs.service_account_pair().save(home, "service-accounts")
        policy = certs.save(home / "audit-policy.json", json.dumps(_AUDIT_POLICY).encode())
        cert, key = authority.client("testinfra", [ADMINISTRATORS]).save(home, "admin")
        admin = kubeconfig.write(home / "kubeconfig", server=server, ca_file=ca_file, cert_file=cert, key_file=key)
        audit_log = str(home / "audit.log")
        self._cluster = Cluster(
            server=server, kubeconfig=admin, ca_file=ca_file, cert_file=cert, key_file=key, audit_log=audit_log
        )
        cert, key = authority.client(controllers.USER, [ADMINISTRATORS]).save(home, "controllers")
        self._controllers_kubeconfig = kubeconfig.write(
            home / "controllers.kubeconfig", server=server, ca_file=ca_file, cert_file=cert, key_file=key
        )
        self._flags = {
            "etcd-servers": self._etcd.url,
            "bind-address": LOOPBACK,
            "secure-port": str(self.port),
            "permit-address-sharing": "true",  # SO_REUSEADDR: the port is held by the keeper
            "tls-cert-file": server_cert,
            "tls-private-key-file": server_key,
            "client-ca-file": ca_file,
            "service-account-issuer": _ISSUER,
            "service-account-key-file": public,
            "service-account-signing-key-file": private,
            "authorization-mode": "RBAC",
            "disable-admission-plugins": "ServiceAccount",  # pods need no token here, as none runs
            "service-cluster-ip-range": _SERVICES,
            "allow-privileged": "true",
            # Without it, an end in order waits up to a minute for clients that watch.
            "shutdown-watch-termination-grace-period": "1s",
            "audit-policy-file": str(policy),
            "audit-log-path": audit_log,
            "audit-log-mode": "blocking",  # an answered request is in the log
            "audit-log-maxsize": "256",  # MB
            "audit-log-maxbackup": "1",
        }

    def launch(self, place: Place) -> Process:
        """See `OwnedServer.launch`: the kube-apiserver; etcd runs already."""
        flags = [f"--{name}={value}" for name, value in self._flags.items()]
        command = [self._binaries["kube-apiserver"], *flags, *self._args]
        return Process(command, log=place.log, stop_signal=signal.SIGKILL)  # in order it would take 1.1 s

    def await_ready(self, terms: Terms) -> str:
        """See `OwnedServer.await_ready`."""
        # Imported here, while kube-apiserver starts: 0.08 s that it need not wait for.
        from urllib3.exceptions import HTTPError  # noqa: PLC0415 - see above

        from testinfra.kubernetes import crds  # noqa: PLC0415 - see above
        from testinfra.kubernetes.rest import ApiError, Rest  # noqa: PLC0415 - see above

        with Rest(self._cluster, timeout=5.0) as rest:

            def answers() -> str:
                try:
                    rest.get("/readyz")
                    rest.get("/api/v1/namespaces/default")
                    crds.check_served(rest)
                    return str(rest.get("/version")["gitVersion"])
                except (ApiError, HTTPError) as exc:
                    raise ConnectionError(str(exc)) from exc

            try:
                found = wait_until(
                    answers,
                    what="the API server is ready",
                    timeout=terms.start_timeout,
                    process=self._process,
                    others=[self._etcd.process],
                )
            except NotReady as exc:
                if self._args and not exc.next_step:
                    exc.next_step = f"leave out --kubernetes-args={' '.join(self._args)}, or see kube-apiserver --help"
                raise
        return found.removeprefix("v")


def _require(program: str) -> None:
    if not os.access(program, os.X_OK):
        raise NotAvailable(
            f"{program} is not there, or is not a program",
            looked_at=[program],
            next_step="testinfra binaries shows which are found, and fetches those that are missing",
        )


def create(settings: Mapping[str, Any]) -> ControlPlane:
    """Make the backend; see `testinfra.servers.backend`."""
    return ControlPlane(settings)
