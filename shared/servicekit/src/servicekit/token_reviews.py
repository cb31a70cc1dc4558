"""Who calls: the bearer token is reviewed by Kubernetes, and what was said is relied on for a while.

Rule 1: a review is kept under the token's hash, never the token itself.
Rule 2: of one token one review is on its way at a time. One that fails is not kept.
"""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Generic, TypeVar

from servicekit.problems import ProblemError

_MOST = 10_000
"""Reviews that are kept: more tokens than callers have."""
_SCHEME = "bearer "
_LONGEST = 16_384
"""Characters of a token at most; an API server refuses larger headers."""
_PATH = "/apis/authentication.k8s.io/v1/tokenreviews"

VerdictT = TypeVar("VerdictT")
Post = Callable[[str, Mapping[str, Any]], Awaitable[Any]]


def bearer_token(authorization: str) -> str:
    """Return the token of an Authorization header, "" where it has none that anybody could know."""
    token = authorization[len(_SCHEME) :].strip()
    well_formed = authorization[: len(_SCHEME)].lower() == _SCHEME and len(token) <= _LONGEST
    return token if well_formed else ""


async def user_of(post: Post, token: str) -> Mapping[str, Any] | None:
    """Return the user (`username`, `uid`, `groups`, `extra`) that a TokenReview finds, None where it finds none.

    `post` creates an object at a path of the API server, and raises what its caller is to see.
    """
    review = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenReview", "spec": {"token": token}}
    status = (await post(_PATH, review)).get("status") or {}
    return (status.get("user") or {}) if status.get("authenticated") else None


def unauthenticated() -> ProblemError:
    """Return the 401 for a caller that nobody knows."""
    detail = "a bearer token that Kubernetes knows has to be given in the header Authorization"
    return ProblemError(401, detail=detail, headers={"WWW-Authenticate": "Bearer"})


class KeptReviews(Generic[VerdictT]):
    """Has each pair of token and question reviewed once, and remembers what was said."""

    def __init__(self, review: Callable[[str, str], Awaitable[VerdictT]], *, kept_for: Callable[[], float]) -> None:
        """Ask `review(token, question)`; `kept_for` gives the seconds that its answer is relied on."""
        self._review = review
        self._kept_for = kept_for
        self._kept: dict[tuple[bytes, str], tuple[float, VerdictT]] = {}
        self._asking: dict[tuple[bytes, str], asyncio.Task[VerdictT]] = {}

    async def of(self, token: str, question: str = "") -> tuple[VerdictT, bool]:
        """Return what was said, and whether it was remembered; raise what the review raises."""
        key = hashlib.sha256(token.encode()).digest(), question
        if (kept := self._kept.get(key)) and time.monotonic() < kept[0]:
            return kept[1], True
        asking = self._asking.get(key)
        if asking is None:
            asking = self._asking[key] = asyncio.create_task(self._ask(key, token))
            asking.add_done_callback(lambda task: self._asked(key, task))
        return await asyncio.shield(asking), False

    def _asked(self, key: tuple[bytes, str], task: asyncio.Task[VerdictT]) -> None:
        del self._asking[key]
        if not task.cancelled():
            task.exception()  # whoever waits has it; nobody may wait any more

    async def _ask(self, key: tuple[bytes, str], token: str) -> VerdictT:
        verdict = await self._review(token, key[1])
        self._kept.pop(key, None)
        self._kept[key] = time.monotonic() + self._kept_for(), verdict
        if len(self._kept) > _MOST:
            del self._kept[next(iter(self._kept))]
        return verdict
