"""Who posts, and may they: the bearer token is reviewed by Kubernetes (TokenReview, SubjectAccessReview).

Rule 1: a review is relied on for `auth_cache` seconds; it is kept under the token's hash, never the token itself.
Rule 2: of one token one review is on its way at a time. One that fails is not kept.
Rule 3: what may be done is said by RBAC: the verb `post` on the path as a nonResourceURL.
"""

from __future__ import annotations

import asyncio
import hashlib
import time
from dataclasses import dataclass
from functools import partial
from typing import Literal

from gateway.cluster import Cluster
from gateway.intake import Room
from gateway.live import Live
from gateway.metrics import GatewayMetrics
from gateway.retries import Retries

_MOST = 10_000
"""Reviews that are kept: more tokens than senders have."""
_SCHEME = "bearer "
_LONGEST = 16_384
"""Characters of a token at most; an API server refuses larger headers."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a review said: `user` is who it is, "" where the token is nobody's."""

    result: Literal["allowed", "denied", "unauthenticated"]
    user: str


NOBODY = Verdict("unauthenticated", "")


class Reviews:
    """Reviews tokens, and remembers what was said."""

    def __init__(self, cluster: Cluster, retries: Retries, live: Live, room: Room, metrics: GatewayMetrics) -> None:
        """Ask `cluster`."""
        self._cluster = cluster
        self._retries = retries
        self._live = live
        self._room = room
        self._metrics = metrics
        self._kept: dict[tuple[bytes, str], tuple[float, Verdict]] = {}
        self._asking: dict[tuple[bytes, str], asyncio.Task[Verdict]] = {}

    async def of(self, authorization: str, path: str) -> Verdict:
        """Return what is to be thought of a POST to `path` with this header; raise ClusterError where nobody says."""
        token = authorization[len(_SCHEME) :].strip()
        if authorization[: len(_SCHEME)].lower() != _SCHEME or not token or len(token) > _LONGEST:
            self._metrics.reviews.labels("malformed").inc()
            return NOBODY
        key = hashlib.sha256(token.encode()).digest(), path
        until, verdict = self._kept.get(key, (0.0, NOBODY))
        if time.monotonic() < until:
            self._metrics.reviews.labels("cached").inc()
            return verdict
        asking = self._asking.get(key)
        if asking is None:
            asking = self._asking[key] = asyncio.create_task(self._ask(key, token))
            asking.add_done_callback(lambda task: self._asked(key, task))
        return await asyncio.shield(asking)

    def _asked(self, key: tuple[bytes, str], task: asyncio.Task[Verdict]) -> None:
        del self._asking[key]
        if not task.cancelled():
            task.exception()  # whoever waits has it; nobody may wait any more

    async def _ask(self, key: tuple[bytes, str], token: str) -> Verdict:
        async with self._room.working():
            verdict = await self._review(token, key[1])
        self._metrics.reviews.labels(verdict.result).inc()
        self._kept.pop(key, None)
        self._kept[key] = time.monotonic() + self._live.settings.auth_cache, verdict
        if len(self._kept) > _MOST:
            del self._kept[next(iter(self._kept))]
        return verdict

    async def _review(self, token: str, path: str) -> Verdict:
        review = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenReview", "spec": {"token": token}}
        ask = partial(self._cluster.post, "/apis/authentication.k8s.io/v1/tokenreviews", review)
        status = (await self._retries("review token", ask)).get("status") or {}
        if not status.get("authenticated"):
            return NOBODY
        user = status.get("user") or {}
        name = str(user.get("username", ""))
        spec = {
            "user": name,
            "uid": user.get("uid", ""),
            "groups": user.get("groups") or [],
            "extra": user.get("extra") or {},
            "nonResourceAttributes": {"path": path, "verb": "post"},
        }
        question = {"apiVersion": "authorization.k8s.io/v1", "kind": "SubjectAccessReview", "spec": spec}
        ask = partial(self._cluster.post, "/apis/authorization.k8s.io/v1/subjectaccessreviews", question)
        allowed = ((await self._retries("review access", ask)).get("status") or {}).get("allowed")
        return Verdict("allowed" if allowed else "denied", name)
