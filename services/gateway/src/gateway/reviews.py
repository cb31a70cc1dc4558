"""Who posts, and may they: the bearer token is reviewed by Kubernetes (TokenReview, SubjectAccessReview).

Rule: what may be done is said by RBAC: the verb `post` on the path as a nonResourceURL.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal

from gateway.intake import Room
from gateway.live import Live
from gateway.metrics import GatewayMetrics
from gateway.retries import Retries
from servicekit.cluster import Cluster
from servicekit.token_reviews import KeptReviews, bearer_token, user_of


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
        self._room = room
        self._metrics = metrics
        self._kept = KeptReviews(self._review, kept_for=lambda: live.settings.auth_cache)

    async def of(self, authorization: str, path: str) -> Verdict:
        """Return what is to be thought of a POST to `path` with this header; raise ClusterError where nobody says."""
        token = bearer_token(authorization)
        if not token:
            self._metrics.reviews.labels("malformed").inc()
            return NOBODY
        verdict, remembered = await self._kept.of(token, path)
        if remembered:
            self._metrics.reviews.labels("cached").inc()
        return verdict

    async def _review(self, token: str, path: str) -> Verdict:
        async with self._room.working():
            user = await user_of(self._post, token)
            verdict = NOBODY if user is None else await self._access(user, path)
        self._metrics.reviews.labels(verdict.result).inc()
        return verdict

    async def _access(self, user: Mapping[str, Any], path: str) -> Verdict:
        name = str(user.get("username", ""))
        spec = {
            "user": name,
            "uid": user.get("uid", ""),
            "groups": user.get("groups") or [],
            "extra": user.get("extra") or {},
            "nonResourceAttributes": {"path": path, "verb": "post"},
        }
        question = {"apiVersion": "authorization.k8s.io/v1", "kind": "SubjectAccessReview", "spec": spec}
        answer = await self._post("/apis/authorization.k8s.io/v1/subjectaccessreviews", question)
        return Verdict("allowed" if (answer.get("status") or {}).get("allowed") else "denied", name)

    async def _post(self, path: str, body: Mapping[str, Any]) -> Any:
        return await self._retries("review", partial(self._cluster.post, path, body))
