"""The server's own 429s: one identity has no room left in priority and fairness, and everybody else has.

Problem: a level of priority and fairness can not be made to refuse everything. With no shares at all it still works on
one request at a time (seen with Kubernetes 1.36).
Solution: a FlowSchema takes the identity to a level of its own with that one seat, and a request of the same identity
takes the seat and waits in an admission webhook of the stand. All others are refused by the server itself: 429 and
Retry-After.
Cost: the server waits for a webhook for 30 s at most, so it lasts that long at most; and three objects of the whole
cluster. They belong to the test's namespace: they go when it goes, should a killed test not have removed them.
"""

from __future__ import annotations

import contextlib
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from testinfra.endpoints import Cluster
from testinfra.errors import Misconfigured, NotAvailable, NotReady
from testinfra.faults.rights import who
from testinfra.faults.webhook import LONGEST, Waiter
from testinfra.kubernetes.rest import NOT_FOUND, ApiError, Rest
from testinfra.servers.ready import wait_until

_FLOW = "/apis/flowcontrol.apiserver.k8s.io/v1"
_SCHEMAS = f"{_FLOW}/flowschemas"
_LEVELS = f"{_FLOW}/prioritylevelconfigurations"
_WEBHOOKS = "/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations"
_REVIEWS = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"
_UID = "X-Kubernetes-PF-FlowSchema-UID"
_TOO_MANY = 429
_FIRST = 2
"""`matchingPrecedence`: the smaller is asked first, and 1 is the server's own (`exempt`)."""
_WITHIN = 15.0
"""Seconds for the server to take notice of what was made or removed."""


class Throttle:
    """Refuses one identity from the moment this is made, until the block ends or `release`."""

    def __init__(self, admin: Rest, identity: Cluster, *, name: str, folder: Path) -> None:
        """Throttle `identity` through `admin`; the cluster's objects get `name`, certificates go into `folder`."""
        if identity.backend != "apiserver":
            raise NotAvailable(
                f"throttle(...) needs a server of our own with priority and fairness, and this is {identity.backend}",
                cause="it changes the whole cluster, so not on external; and the fake has no such thing",
                next_step="--kubernetes=apiserver, or intercept(...).answer(429, times=None) on any rung",
            )
        self._admin = admin
        self._identity = identity
        self.name = name
        self._folder = folder
        self._seat: Future[None] | None = None
        with contextlib.ExitStack() as undo:
            self._asking = undo.enter_context(Rest(identity, timeout=LONGEST + 10))
            self._begin(undo)
            self._undo = undo.pop_all()

    def __repr__(self) -> str:
        return f"<Throttle {self.name}, {'in force' if self._seat else 'not in force'}>"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None) -> None:
        self.release()

    def _begin(self, undo: contextlib.ExitStack) -> None:
        metadata = self._metadata()
        schema = _schema(metadata, self._who())
        undo.callback(self._await_end)
        self._make(undo, _LEVELS, _level(metadata))
        self._schema_uid = self._make(undo, _SCHEMAS, schema)["metadata"]["uid"]
        wait_until(self._is_ours, what=f"the server takes notice of FlowSchema {self.name}", timeout=_WITHIN)
        self._take_seat(undo, metadata)
        wait_until(self._is_refused, what=f"{self.name} is refused with 429", timeout=_WITHIN)

    def release(self) -> None:
        """Give the identity its room back; returns when the server works for it again. Harmless when done twice.

        Raises `NotReady` where the throttling had ended before, on its own.
        """
        seat, self._seat = self._seat, None
        try:
            lost = seat is not None and (seat.done() or not self._is_refused())
        finally:
            self._undo.close()
        if lost:
            raise NotReady(
                f"the throttling of {self.name} ended before it was to",
                cause=f"the server waits for a webhook for {LONGEST} s at most",
                next_step="a shorter block, or several",
            )

    def _who(self) -> dict[str, Any]:
        """Give the identity as a subject of priority and fairness."""
        said = who(self._asking)
        if "system:masters" in said.get("groups", ()):
            raise Misconfigured(
                f"{said['username']} is in system:masters, which no server throttles",
                next_step="throttle(service_account([...])): an account with just the rights it needs",
            )
        return {"kind": "User", "user": {"name": said["username"]}}

    def _metadata(self) -> dict[str, Any]:
        found = self._admin.get(f"/api/v1/namespaces/{self._identity.namespace}")["metadata"]
        owner = {"apiVersion": "v1", "kind": "Namespace", "name": found["name"], "uid": found["uid"]}
        return {"name": self.name, "ownerReferences": [owner]}

    def _make(self, undo: contextlib.ExitStack, path: str, wanted: dict[str, Any]) -> dict[str, Any]:
        undo.callback(self._remove, f"{path}/{self.name}")
        return self._admin.post(path, wanted)

    def _remove(self, path: str) -> None:
        try:
            self._admin.delete(path)
        except ApiError as exc:
            if exc.status != NOT_FOUND:
                raise

    def _take_seat(self, undo: contextlib.ExitStack, metadata: dict[str, Any]) -> None:
        """Have the one seat taken by a request that waits; again as long as the server knows no webhook yet."""
        waiter = Waiter(self._folder)
        undo.callback(waiter.close)
        pool = undo.enter_context(ThreadPoolExecutor(1, thread_name_prefix="testinfra-seat"))
        undo.callback(waiter.release)
        self._make(undo, _WEBHOOKS, waiter.configuration(metadata, marker=self.name))

        def is_held() -> bool:
            self._seat = seat = pool.submit(self._ask_and_wait)
            wait_until(lambda: waiter.held.is_set() or seat.done(), what="an answer to the request", timeout=_WITHIN)
            return waiter.held.is_set()

        wait_until(is_held, what=f"a request of {self.name} waits in the webhook", timeout=_WITHIN)

    def _ask_and_wait(self) -> None:
        attributes = {"verb": "get", "resource": "pods", "name": self.name}
        with contextlib.suppress(ApiError):  # 429: a request of the service under test had the seat
            self._asking.post(_REVIEWS, {"spec": {"resourceAttributes": attributes}})

    def _is_ours(self) -> bool:
        """Tell whether the server counts the identity's requests under our FlowSchema."""
        try:
            answer = self._asking.request("GET", "/version")
        except ApiError as exc:
            return exc.status == _TOO_MANY
        return bool(answer.headers.get(_UID) == self._schema_uid)

    def _is_refused(self) -> bool:
        try:
            self._asking.request("GET", "/version")
        except ApiError as exc:
            return exc.status == _TOO_MANY
        return False

    def _await_end(self) -> None:
        wait_until(lambda: not self._is_ours(), what=f"{self.name} is no longer throttled", timeout=_WITHIN)


def _level(metadata: dict[str, Any]) -> dict[str, Any]:
    limited = {"nominalConcurrencyShares": 0, "lendablePercent": 0, "borrowingLimitPercent": 0}
    return {
        "metadata": metadata,
        "spec": {"type": "Limited", "limited": {**limited, "limitResponse": {"type": "Reject"}}},
    }


def _schema(metadata: dict[str, Any], subject: dict[str, Any]) -> dict[str, Any]:
    everything = {"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"], "clusterScope": True, "namespaces": ["*"]}
    return {
        "metadata": metadata,
        "spec": {
            "matchingPrecedence": _FIRST,
            "priorityLevelConfiguration": {"name": metadata["name"]},
            "rules": [
                {
                    "subjects": [subject],
                    "resourceRules": [everything],
                    "nonResourceRules": [{"verbs": ["*"], "nonResourceURLs": ["*"]}],
                }
            ],
        },
    }
