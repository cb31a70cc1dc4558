"""Control planes for tests of the apiserver rung: real ones, in a state directory of the test's own."""

from __future__ import annotations

import contextlib
import socket
import ssl
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import psutil

from testinfra import specs
from testinfra.endpoints import Cluster
from testinfra.kubernetes.rest import ApiError, Rest
from testinfra.options import Options
from testinfra.servers.backend import Spec, Terms
from testinfra.servers.share import Lease, lease

MAPS = "/api/v1/namespaces/default/configmaps"


def wanted(*args: str, controllers: bool = True, plane: int = 0) -> Spec:
    """A spec of a control plane; `args` are more flags of kube-apiserver."""
    return specs.kubernetes(
        Options(kubernetes="apiserver", kubernetes_args=args, kubernetes_controllers=controllers), plane=plane
    )


@contextlib.contextmanager
def running(root: Path, spec: Spec | None = None, *, cache: Path | None = None) -> Iterator[tuple[Lease, Rest]]:
    """A leased control plane, and a client of it as the administrator."""
    terms = Terms(linger=0, cache_dir=str(cache or ""))
    held = lease(spec or wanted(), root=root, scope="planes", terms=terms)
    try:
        with Rest(Cluster(**held.endpoint)) as rest:
            yield held, rest
    finally:
        held.release()


def server_of(held: Lease, name: str) -> psutil.Process:
    """The process of the server that runs the program `name`."""
    found = [psutil.Process(pid) for pid, _, _ in held.place.read()["processes"]]
    return next(process for process in found if Path(process.cmdline()[0]).name == name)


def configmap(name: str, *, owner: str = "", uid: str = "", finalizers: tuple[str, ...] = ()) -> dict[str, object]:
    """A ConfigMap; `owner` and its `uid` name another one that it is to go with."""
    metadata: dict[str, object] = {"name": name, "finalizers": list(finalizers)}
    if owner:
        metadata["ownerReferences"] = [{"apiVersion": "v1", "kind": "ConfigMap", "name": owner, "uid": uid}]
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata}


@contextlib.contextmanager
def watching(cluster: Cluster, number: int) -> Iterator[None]:
    """Open that many watches, each on a connection of its own, and hold them."""
    context = ssl.create_default_context(cafile=cluster.ca_file)
    context.load_cert_chain(cluster.cert_file, cluster.key_file)
    address = urlsplit(cluster.server)
    question = f"GET {MAPS}?watch=true HTTP/1.1\r\nHost: {address.netloc}\r\n\r\n".encode()
    with contextlib.ExitStack() as stack:
        for _ in range(number):
            plain = socket.create_connection((address.hostname, address.port), timeout=10)
            watch = stack.enter_context(context.wrap_socket(plain, server_hostname=address.hostname))
            watch.sendall(question)
            assert watch.recv(12) == b"HTTP/1.1 200"
        yield


def is_gone(rest: Rest, path: str) -> bool:
    """Whether the server says that there is no such object."""
    try:
        rest.get(path)
    except ApiError as exc:
        if exc.status == 404:
            return True
        raise
    return False
