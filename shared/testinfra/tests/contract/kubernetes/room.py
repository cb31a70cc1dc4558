"""What the facts about a Kubernetes API are written with: a namespace of the test's own, over bare HTTP.

Rule: a helper adds `apiVersion` and `kind` and knows paths; it never retries, waits or hides what the server said.
"""

from __future__ import annotations

import contextlib
import itertools
import threading
from collections.abc import Callable, Generator, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import pytest

from testinfra.kubernetes.rest import MERGE_PATCH, NOT_FOUND, Answer, ApiError, Rest
from testinfra.servers.ready import wait_until

GROUP = "contract.example.com"
"""The API group of the custom resources of these tests."""
LOWEST = "v1alpha1"
"""A version of that group that no client prefers: what one test adds to the group, another does not mind."""
JSON_PATCH = "application/json-patch+json"
STRATEGIC_PATCH = "application/strategic-merge-patch+json"
APPLY_PATCH = "application/apply-patch+yaml"

KINDS = {
    "configmaps": ("v1", "ConfigMap"),
    "events": ("v1", "Event"),
    "persistentvolumeclaims": ("v1", "PersistentVolumeClaim"),
    "pods": ("v1", "Pod"),
    "secrets": ("v1", "Secret"),
    "serviceaccounts": ("v1", "ServiceAccount"),
    "services": ("v1", "Service"),
    "leases": ("coordination.k8s.io/v1", "Lease"),
    "roles": ("rbac.authorization.k8s.io/v1", "Role"),
    "rolebindings": ("rbac.authorization.k8s.io/v1", "RoleBinding"),
    "widgets": (f"{GROUP}/v1", "Widget"),
}
"""Resource -> its group and version, and its kind."""

Object = dict[str, Any]


def named(name: str, *, labels: Mapping[str, str] | None = None, **fields: Any) -> Object:
    """An object of that name; the rest of its metadata is the caller's to add."""
    return {"metadata": {"name": name, **({"labels": dict(labels)} if labels else {})}, **fields}


def widget(name: str, *, labels: Mapping[str, str] | None = None, **spec: Any) -> Object:
    """A custom object; its one required field is there."""
    return named(name, labels=labels, spec={"size": 1, **spec})


def names_of(listed: Mapping[str, Any]) -> list[str]:
    """The names in a list, in its order."""
    return [str(item["metadata"]["name"]) for item in listed["items"]]


@contextlib.contextmanager
def refused(status: int, reason: str) -> Iterator[pytest.ExceptionInfo[ApiError]]:
    """What is asked in the block is refused with this HTTP status and this reason."""
    with pytest.raises(ApiError) as caught:
        yield caught
    assert (caught.value.status, caught.value.reason) == (status, reason), caught.value


def causes(error: ApiError) -> list[tuple[str, str]]:
    """The field and the reason of each cause that a refusal names."""
    return [(cause.get("field", ""), cause.get("reason", "")) for cause in error.details.get("causes", [])]


@dataclass(frozen=True)
class Room:
    """A namespace, and how its objects are asked for."""

    rest: Rest
    name: str

    @classmethod
    def made(cls, rest: Rest, name: str) -> Room:
        """Make the namespace."""
        rest.post("/api/v1/namespaces", {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})
        return cls(rest, name)

    def path(self, resource: str, name: str = "", sub: str = "") -> str:
        """The path of a collection, an object or a subresource."""
        version = KINDS[resource][0]
        prefix = f"/apis/{version}" if "/" in version else f"/api/{version}"
        return "/".join(filter(None, (prefix, "namespaces", self.name, resource, name, sub)))

    def body(self, resource: str, given: Mapping[str, Any]) -> Object:
        """The object with its type."""
        version, kind = KINDS[resource]
        return {"apiVersion": version, "kind": kind, **given}

    def create(self, resource: str, given: Mapping[str, Any], **query: Any) -> Object:
        """POST to the collection."""
        return self.rest.post(self.path(resource), self.body(resource, given), **query)

    def get(self, resource: str, name: str) -> Object:
        """GET the object."""
        return self.rest.get(self.path(resource, name))

    def listed(self, resource: str, **query: Any) -> Object:
        """GET the collection."""
        return self.rest.get(self.path(resource), **query)

    def put(self, resource: str, given: Mapping[str, Any], *, sub: str = "", **query: Any) -> Object:
        """PUT the object where its name says."""
        path = self.path(resource, given["metadata"]["name"], sub)
        return self.rest.put(path, self.body(resource, given), **query)

    def patch(
        self,
        resource: str,
        name: str,
        body: Mapping[str, Any] | list[Any],
        *,
        content_type: str = MERGE_PATCH,
        sub: str = "",
        **query: Any,
    ) -> Object:
        """PATCH the object."""
        return self.rest.patch(self.path(resource, name, sub), body, content_type=content_type, **query)

    def delete(self, resource: str, name: str = "", body: Mapping[str, Any] | None = None, **query: Any) -> Object:
        """DELETE the object, or the collection."""
        return self.rest.delete(self.path(resource, name), body, **query)

    def answer(self, method: str, resource: str, name: str = "", **how: Any) -> Answer:
        """Ask, and give status and headers as well; `how` goes to `Rest.request`."""
        return self.rest.request(method, self.path(resource, name), **how)

    def gone(self, resource: str, name: str) -> bool:
        """Whether the object is not there any more."""
        try:
            self.get(resource, name)
        except ApiError as exc:
            if exc.status != NOT_FOUND:
                raise
            return True
        return False

    def await_gone(self, resource: str, name: str, *, within: float = 60) -> None:
        """Wait until the object is gone: the garbage collector looks for new kinds only every 30 s."""
        wait_until(lambda: self.gone(resource, name), what=f"{resource}/{name} is gone", timeout=within)

    def watch(self, resource: str, *, within: float = 20, **query: Any) -> Iterator[Object]:
        """Watch the collection."""
        return self.rest.watch(self.path(resource), within=within, **query)

    def next_events(self, count: int, resource: str, **query: Any) -> list[tuple[str, str]]:
        """Give type and object name of the next `count` events, bookmarks left out."""
        with closed_after(self.watch(resource, **query)) as stream:
            told = (each for each in stream if each["type"] != "BOOKMARK")
            return [(each["type"], each["object"]["metadata"]["name"]) for each in itertools.islice(told, count)]


@contextlib.contextmanager
def closed_after(stream: Iterator[Object]) -> Iterator[Iterator[Object]]:
    """Close the connection of a watch after the block: its iterator is a generator, which `Rest` does not say."""
    assert isinstance(stream, Generator)
    with contextlib.closing(stream):
        yield stream


def at_once(count: int, work: Callable[[int], Any]) -> list[Any]:
    """Call `work(number)` in `count` threads that start together; gives what each gave, or its exception."""
    found: list[Any] = [None] * count
    barrier = threading.Barrier(count)

    def run(number: int) -> None:
        barrier.wait()
        try:
            found[number] = work(number)
        except Exception as exc:  # noqa: BLE001 - the caller looks at it
            found[number] = exc

    threads = [threading.Thread(target=run, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    return found
