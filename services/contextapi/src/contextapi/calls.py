"""One way from a question to its HTTP answer: counted, out of the cache or from Postgres, failures as problems."""

from __future__ import annotations

import functools
from collections.abc import Awaitable, Callable

from fastapi import Response

from contextapi.cache import Answer, Answers
from contextapi.errors import NotFoundError
from contextapi.metrics import ContextMetrics
from contextapi.models import Cached, Question
from servicekit import ProblemError
from servicekit.answers import answered

AGE = {"headers": {"Age": {"description": "Seconds since it was read from Postgres", "schema": {"type": "integer"}}}}
"""What a route of such an answer has in its `responses` for 200."""


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

        key = asked.key(functools.partial(self._answers.key, kind))
        try:
            found = await answered(self._counted(kind, key, read))
        except NotFoundError as exc:
            raise ProblemError(404, detail=str(exc)) from exc
        return Response(found.body, media_type="application/json", headers={"Age": str(int(found.age))})

    async def _counted(self, kind: str, key: str, read: Callable[[], Awaitable[bytes]]) -> Answer:
        with self._metrics.call(kind):
            return await self._answers.answer_for(key, read)
