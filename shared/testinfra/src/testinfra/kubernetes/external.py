"""Somebody's cluster, by kubeconfig: looked at, used, never stopped; only namespaces of ours are ever removed.

Rule 1: the login is read once, by the official client's own loader (inline data, files, token files, plugins that are
        run), and kept in files of our own. A plugin's token is as it was at the start: one that is valid for less than
        the run takes is refused by the server some time in it.
Rule 2: who we are and what we may do is asked of the server before any test, and what is missing is named.
"""

from __future__ import annotations

import contextlib
import logging
import ssl
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import certifi
import urllib3
from kubernetes.client import Configuration
from kubernetes.config import ConfigException, load_kube_config
from yaml import YAMLError

from testinfra.endpoints import Cluster
from testinfra.errors import Misconfigured, NotAvailable, NotReady
from testinfra.kubernetes import certs, kubeconfig
from testinfra.kubernetes.rest import ApiError, Rest
from testinfra.servers.backend import Terms
from testinfra.servers.places import Place

_NEEDED = ("create", "delete", "get", "list")
"""What we do with namespaces."""
UNAUTHORIZED, FORBIDDEN = 401, 403
_BEARER = "Bearer "
_SERVICE_ACCOUNT = "system:serviceaccount:"


class External:
    """One external cluster."""

    kept = False

    def __init__(self, settings: Mapping[str, Any]) -> None:
        """Take the settings of the spec: kubeconfig (one path, or several as KUBECONFIG has them), context."""
        self._kubeconfig = str(settings.get("kubeconfig", ""))
        self._context = str(settings.get("context", ""))

    def start(self, place: Place, terms: Terms) -> dict[str, Any]:
        """Look at the cluster; see `Backend.start`."""
        if not self._kubeconfig:
            raise Misconfigured(
                "an external cluster was asked for, and no kubeconfig was named: none is ever guessed",
                looked_at=["--kubernetes-kubeconfig", "TESTINFRA_KUBERNETES_KUBECONFIG"],
                next_step="--kubernetes-kubeconfig=<path>",
            )
        cluster = self._read(place)
        try:
            with Rest(cluster, timeout=max(2.0, min(10.0, terms.start_timeout))) as rest:
                user = self._identity(rest)
                self._require_rights(rest, user)
                version = str(rest.get("/version").get("gitVersion", "")).removeprefix("v")
        except (ApiError, urllib3.exceptions.HTTPError) as exc:
            raise NotReady(
                f"the external cluster at {cluster.server} cannot be used: {exc}",
                cause="it is not running, cannot be reached from here, or shows another certificate than expected",
                looked_at=[*self._looked_at(), cluster.server],
                next_step=f"{self._kubectl()} version to try it by hand, or leave it out for a server of our own",
            ) from exc
        return asdict(replace(cluster, version=version))

    def _read(self, place: Place) -> Cluster:
        """Read the kubeconfig, and write what of it is used into the place."""
        with tempfile.TemporaryDirectory(dir=place.directory) as loose:
            found = self._loaded(loose)
            given = {"cert_file": "", "key_file": "", "ca_file": ""}
            if found.verify_ssl:
                authorities = Path(found.ssl_ca_cert or _system_authorities())
                given["ca_file"] = str(certs.save(place.directory / "ca.crt", authorities.read_bytes()))
            if found.cert_file and found.key_file:
                pair = certs.Pair(Path(found.cert_file).read_bytes(), Path(found.key_file).read_bytes())
                given["cert_file"], given["key_file"] = pair.save(place.directory, "client")
        server, token = str(found.host), str(found.api_key.get("BearerToken", "")).removeprefix(_BEARER)
        path = kubeconfig.write(place.directory / "kubeconfig", server=server, token=token, **given)
        return Cluster(server=server, kubeconfig=path, token=token, backend="external", **given)

    def _loaded(self, loose: str) -> Configuration:
        """Have the official client read it; inline data is written into the folder `loose`."""
        found = Configuration(proxy="")  # not the environment's
        try:
            with _said_by_the_loader() as said:
                load_kube_config(  # type: ignore[no-untyped-call]  # its own gap
                    config_file=self._kubeconfig,
                    context=self._context or None,
                    client_configuration=found,
                    persist_config=False,
                    temp_file_path=loose,
                )
        except (ConfigException, YAMLError, OSError, ValueError, TypeError, KeyError, AttributeError) as exc:
            raise Misconfigured(
                f"the kubeconfig of the external cluster cannot be used: {exc}",
                looked_at=self._looked_at(),
                next_step=f"kubectl --kubeconfig={self._kubeconfig} config get-contexts, --kubernetes-context=<one>",
            ) from exc
        token = str(found.api_key.get("BearerToken", ""))
        if not token and not found.cert_file:
            raise NotAvailable(
                "the kubeconfig of the external cluster gives no login" + (f": {said[-1]}" if said else ""),
                cause="its user has neither token nor certificate, or its plugin failed",
                looked_at=self._looked_at(),
                next_step=f"{self._kubectl()} auth whoami",
            )
        wants = {"proxy-url": found.proxy, "tls-server-name": found.tls_server_name}
        unknown = [name for name, value in wants.items() if value]
        if token and not token.startswith(_BEARER):
            unknown.append("a password")
        if unknown:
            raise Misconfigured(
                f"the kubeconfig of the external cluster uses {unknown[0]}, which not every client here can",
                looked_at=self._looked_at(),
                next_step="a context that reaches the server directly, by a name of its certificate, with token or"
                " certificate",
            )
        return found

    def _identity(self, rest: Rest) -> str:
        """Ask the server who we are."""
        try:
            review = {"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview"}
            said = rest.post("/apis/authentication.k8s.io/v1/selfsubjectreviews", review)
        except ApiError as exc:
            if exc.status not in (UNAUTHORIZED, FORBIDDEN):
                raise
            raise NotAvailable(
                f"the external cluster refuses the login of the kubeconfig: {exc.message}",
                cause="its token or certificate has run out, or is for another cluster",
                looked_at=self._looked_at(),
                next_step=f"{self._kubectl()} auth whoami, or log in anew",
            ) from exc
        return str(said["status"]["userInfo"]["username"])

    def _require_rights(self, rest: Rest, user: str) -> None:
        """Ask the server whether we may do what we do with namespaces."""
        missing = [verb for verb in _NEEDED if not _may(rest, verb)]
        if not missing:
            return
        if user.startswith(_SERVICE_ACCOUNT):
            subject = f"--serviceaccount={user.removeprefix(_SERVICE_ACCOUNT)}"
        else:
            subject = f"--user={user}"
        verbs = ",".join(_NEEDED)
        raise NotAvailable(
            f"the user {user} may not {', '.join(missing)} namespaces in the external cluster",
            cause="every test gets a namespace of its own there, which is deleted after it",
            looked_at=[*self._looked_at(), "SelfSubjectAccessReview"],
            next_step=f"kubectl create clusterrole testinfra --verb={verbs} --resource=namespaces &&"
            f" kubectl create clusterrolebinding testinfra --clusterrole=testinfra {subject}",
        )

    def _looked_at(self) -> list[str]:
        context = f"context {self._context}" if self._context else "its current context"
        return ["--kubernetes-kubeconfig", "TESTINFRA_KUBERNETES_KUBECONFIG", f"{self._kubeconfig}, {context}"]

    def _kubectl(self) -> str:
        context = f" --context={self._context}" if self._context else ""
        return f"kubectl --kubeconfig={self._kubeconfig}{context}"

    def afterwards(self) -> None:
        """Do nothing more."""

    def stop(self) -> None:
        """Do nothing: it is not ours."""

    def death(self) -> str:
        """Say nothing: it is not ours to watch."""
        return ""

    def fault(self, how: str) -> None:
        """Refuse: it is not ours to break."""
        raise NotAvailable(f"an external cluster cannot be broken ({how}): it is not ours")

    def heal(self, place: Place, terms: Terms) -> None:
        """Do nothing: it was not broken."""


def _may(rest: Rest, verb: str) -> bool:
    asked = {
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SelfSubjectAccessReview",
        "spec": {"resourceAttributes": {"verb": verb, "resource": "namespaces"}},
    }
    return bool(rest.post("/apis/authorization.k8s.io/v1/selfsubjectaccessreviews", asked)["status"]["allowed"])


def _system_authorities() -> str:
    """Give the file of the authorities that this machine trusts, for a server whose kubeconfig names none."""
    found = ssl.get_default_verify_paths().cafile
    return found if found and Path(found).is_file() else certifi.where()


@contextlib.contextmanager
def _said_by_the_loader() -> Iterator[list[str]]:
    """Collect what is logged meanwhile: a plugin's failure is logged by the client's loader, and not raised."""
    said: list[str] = []
    handler = logging.Handler(logging.ERROR)
    handler.emit = lambda record: said.append(record.getMessage())  # type: ignore[method-assign]  # one line, no class
    logging.getLogger().addHandler(handler)
    try:
        yield said
    finally:
        logging.getLogger().removeHandler(handler)


def create(settings: Mapping[str, Any]) -> External:
    """Make the backend; see `testinfra.servers.backend`."""
    return External(settings)
