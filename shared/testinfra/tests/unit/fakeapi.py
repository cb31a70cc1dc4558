"""The fake API server without its sockets: requests are handed to what answers them."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterable
from typing import Any

from testinfra.kubernetes.fake import bootstrap
from testinfra.kubernetes.fake.app import App
from testinfra.kubernetes.fake.documents import Documents
from testinfra.kubernetes.fake.http import Request, Response
from testinfra.kubernetes.fake.store import HISTORY
from testinfra.kubernetes.fake.watch import Watch
from testinfra.kubernetes.fake.world import World

Object = dict[str, Any]
MERGE_PATCH = "application/merge-patch+json"
CRDS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
_ADMINISTRATOR = {"subject": ((("organizationName", "system:masters"),), (("commonName", "admin"),))}


class Api:
    """One fake cluster, asked as its administrator."""

    def __init__(self, history: int = HISTORY) -> None:
        self.world = World(history=history)
        bootstrap.fill(self.world)
        self._app = App(self.world, Documents(self.world.kinds, "127.0.0.1:1"), None)

    def ask(
        self,
        method: str,
        target: str,
        body: Object | None = None,
        *,
        form: str = "application/json",
        accept: str = "",
        known: str = "",
    ) -> Response | Watch:
        """Ask; gives the answer as it is. `known` is the ETag of an answer that is there."""
        data = b"" if body is None else json.dumps(body).encode()
        headers = {"content-type": form, "accept": accept, "if-none-match": known}
        return self._app(Request(method, target, headers, data, _ADMINISTRATOR))

    def said(self, method: str, target: str, body: Object | None = None, *, form: str = "application/json") -> Object:
        """Ask, and give the object (or Status) that is answered, with the HTTP code as `http`."""
        answer = self.ask(method, target, body, form=form)
        assert isinstance(answer, Response)
        return {**json.loads(answer.body), "http": answer.code}

    def make(self, name: str, *, kind: str = "configmaps", namespace: str = "default", **metadata: Any) -> Object:
        """Create a small object."""
        made = self.said("POST", path(kind, namespace=namespace), {"metadata": {"name": name, **metadata}})
        assert made["http"] == 201, made
        return made

    def gone(self, name: str, *, kind: str = "configmaps", namespace: str = "default") -> bool:
        """Tell whether there is no such object."""
        return bool(self.said("GET", path(kind, name, namespace=namespace))["http"] == 404)

    def patch(self, name: str, body: Object, *, kind: str = "configmaps", namespace: str = "default") -> Object:
        """Merge a patch into an object."""
        return self.said("PATCH", path(kind, name, namespace=namespace), body, form=MERGE_PATCH)

    def watch(self, target: str, *, accept: str = "") -> Heard:
        """Open a watch, in a running event loop."""
        stream = self.ask("GET", target, accept=accept)
        assert isinstance(stream, Watch)
        return Heard(stream)


class Heard:
    """What one watch has told."""

    def __init__(self, stream: Watch) -> None:
        self._stream = stream
        self.events: list[Object] = []
        self.ended = False
        self._told = asyncio.Event()
        stream.opened(self._write, self._end)

    def _write(self, parts: Iterable[bytes]) -> None:
        self.events += [json.loads(line) for line in b"".join(parts).splitlines()]
        self._told.set()

    def _end(self) -> None:
        self.ended = True
        self._stream.closed()

    async def until(self, count: int, *, within: float = 5) -> None:
        """Wait until it has told `count` events."""
        async with asyncio.timeout(within):
            while len(self.events) < count:
                self._told.clear()
                await self._told.wait()

    def close(self) -> None:
        """Hang up."""
        self._stream.closed()

    @property
    def short(self) -> list[tuple[str, str]]:
        """Type and name of each event."""
        return [(event["type"], event["object"]["metadata"].get("name", "")) for event in self.events]


def path(kind: str, name: str = "", *, namespace: str = "default") -> str:
    """The path of core objects."""
    scope = f"/namespaces/{namespace}" if namespace else ""
    return f"/api/v1{scope}/{kind}" + (f"/{name}" if name else "")


def owner(of: Object, *, blocks: bool = False) -> Object:
    """A reference to an object of the core group."""
    metadata = of["metadata"]
    reference = {"apiVersion": "v1", "kind": of["kind"], "name": metadata["name"], "uid": metadata["uid"]}
    return reference | ({"blockOwnerDeletion": True} if blocks else {})


def definition(plural: str = "things", kind: str = "Thing") -> Object:
    """A CustomResourceDefinition without any schema to speak of."""
    schema = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    version = {"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": schema}}
    names = {"plural": plural, "kind": kind}
    spec = {"group": "example.com", "scope": "Namespaced", "names": names, "versions": [version]}
    crd = {"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition", "spec": spec}
    return {**crd, "metadata": {"name": f"{plural}.example.com"}}
