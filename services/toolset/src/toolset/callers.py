"""Who calls: every call of the API needs a bearer token that Kubernetes knows (TokenReview).

Rule 1: nobody's body is read who is not known.
Rule 2: where Kubernetes does not say who it is, the caller is told so within five seconds.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable, Coroutine
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from servicekit import JsonRoute, ProblemError
from servicekit.cluster import Cluster
from servicekit.cluster_errors import ClusterError
from servicekit.token_reviews import KeptReviews, bearer_token, unauthenticated, user_of

_REVIEW_HAS = 4.0
"""Seconds, so that with all that is around it the answer comes within five."""
_RETRY_AFTER = 1


class Callers:
    """Knows callers by their tokens."""

    def __init__(self, cluster: Cluster, *, kept_for: float) -> None:
        """Ask `cluster`, and rely on what it says for `kept_for` seconds."""
        self._cluster = cluster
        self._kept = KeptReviews(self._review, kept_for=lambda: kept_for)

    async def know(self, request: Request) -> None:
        """Return where the caller is known; raise ProblemError 401 or 503 where not."""
        token = bearer_token(request.headers.get("authorization", ""))
        if not token:
            raise unauthenticated()
        try:
            known, _ = await self._kept.of(token)
        except ClusterError as exc:
            raise unavailable(exc) from exc
        if not known:
            raise unauthenticated()

    async def _review(self, token: str, _: str) -> bool:
        try:
            async with asyncio.timeout(_REVIEW_HAS):
                return await user_of(self._cluster.post, token) is not None
        except TimeoutError as exc:
            raise ClusterError("timeout") from exc


def unavailable(failure: ClusterError) -> ProblemError:
    """Return the 503 that a failure of Kubernetes is to a caller, who is never at fault."""
    seconds = math.ceil(failure.retry_after or _RETRY_AFTER)
    kind = f"kubernetes-{failure.reason.replace('_', '-')}"
    return ProblemError(503, detail=str(failure), kind=kind, headers={"Retry-After": str(seconds)})


class ForKnown(JsonRoute):
    """A route that only those get to whom `app.state.callers` knows; where that is None, everybody does."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Return the handler, behind the question who calls."""
        handle = super().get_route_handler()

        async def ask_and_handle(request: Request) -> Response:
            callers: Callers | None = request.app.state.callers
            if callers is not None:
                await callers.know(request)
            return await handle(request)

        return ask_and_handle
