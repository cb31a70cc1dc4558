"""One way from a question to its HTTP answer: counted, out of the cache or from Postgres, failures as problems."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from contextapi.cache import Answer, Answers
from contextapi.errors import NotFoundError
from contextapi.metrics import ContextMetrics
from contextapi.models import Cached, Question
from servicekit import ProblemError
from servicekit.answers import answered

AGE = {"headers": {"Age": {"description": "Seconds since it was read from Postgres", "schema": {"type": "integer"}}}}
"""What a route of such an answer has in its `responses` for 200."""
ASKED = "contextapi.asked"
"""The key of the ASGI scope under which what was asked stands, an `Asked`, once it is answered."""


@dataclass(frozen=True)
class Asked:
    """A question that was answered, the name of its call in keys and metrics, and its key."""

    kind: str
    question: Question
    key: str


class _Told(Response):
    """An answer that notes what was asked in the scope of its request."""

    media_type = "application/json"

    def __init__(self, answer: Answer, asked: Asked) -> None:
        super().__init__(answer.body, headers={"Age": str(int(answer.age))})
        self._asked = asked

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        scope[ASKED] = self._asked
        await super().__call__(scope, receive, send)


class Calls:
    """Answers questions; `kind` is the call's name in keys and metrics."""

    def __init__(self, answers: Answers, metrics: ContextMetrics) -> None:
        """Ask `answers` before Postgres."""
        self._answers = answers
        self._metrics = metrics

    async def answer(self, kind: str, asked: Question, load: Callable[[], Awaitable[Cached]]) -> Response:
        """Return the answer to `asked`, all of whose fields count, as `load` reads it; raise ProblemError if none."""

        async def read() -> bytes:
            self._metrics.database_query(kind)
            return (await load()).model_dump_json(exclude={"stale"}).encode()

        key = self._answers.key(kind, asked.model_dump(mode="json"))
        try:
            found = await answered(self._counted(kind, key, read))
        except NotFoundError as exc:
            raise ProblemError(404, detail=str(exc)) from exc
        return _Told(found, Asked(kind, asked, key))

    def at_hand(self, asked: Asked) -> Answer | None:
        """Return the answer to what was asked before, if it is fresh and in memory: nothing is awaited."""
        started = time.perf_counter()
        found = self._answers.at_hand(asked.key)
        if found is not None:
            self._metrics.observe(asked.kind, "success", time.perf_counter() - started)
        return found

    async def _counted(self, kind: str, key: str, read: Callable[[], Awaitable[bytes]]) -> Answer:
        with self._metrics.call(kind):
            return await self._answers.answer_for(key, read)
