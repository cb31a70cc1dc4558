"""The routes of events, one by one and in batches."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response
from fastapi.exceptions import RequestValidationError

from datastorage.answers import write_responses, written
from datastorage.event_models import EventBatch, EventFilter, EventIn, EventPage, EventsStored, EventStored
from datastorage.events import Events
from datastorage.writes import Writer
from servicekit import JsonRoute, problem_responses
from servicekit.answers import answered

_PATH = "/api/v1/audit/events"


class BatchRoute(JsonRoute):
    """A route that takes an array, and says of each thing wrong at which index it stands."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Return the handler behind the translation."""
        handle = super().get_route_handler()

        async def translated(request: Request) -> Response:
            try:
                return await handle(request)
            except RequestValidationError as exc:
                raise RequestValidationError([_with_index(error) for error in exc.errors()]) from exc

        return translated


def _with_index(error: dict[str, Any]) -> dict[str, Any]:
    match error["loc"]:
        case ("body", int(index), *_) if error["type"] != "json_invalid":
            return {**error, "msg": f"event at index {index}: {error['msg'].removeprefix('Value error, ')}"}
    return error


class EventRoutes:
    """The three calls on events, as methods."""

    def __init__(self, events: Events, writer: Writer) -> None:
        """Read from `events`, and write them with `writer`."""
        self._events = events
        self._writer = writer

    def router(self) -> APIRouter:
        """Return the router."""
        router = APIRouter(route_class=JsonRoute, tags=["events"])
        router.post(_PATH, status_code=201, response_model=EventStored, responses=write_responses())(self.create)
        router.get(_PATH, responses=problem_responses(503))(self.list)
        router.add_api_route(
            f"{_PATH}/batch",
            self.create_batch,
            methods=["POST"],
            status_code=201,
            response_model=EventsStored,
            responses=write_responses(),
            route_class_override=BatchRoute,
        )
        return router

    async def create(self, event: EventIn, response: Response) -> EventStored | Response:
        """Store an event; once, however often it comes under one event_id."""
        return await written(self._writer, self._events.kind, event, response)

    async def create_batch(self, events: EventBatch, response: Response) -> EventsStored | Response:
        """Store the events of a batch, all or none."""
        return await written(self._writer, self._events.batch_kind, events, response)

    async def list(self, asked: Annotated[EventFilter, Query()]) -> EventPage:
        """List events, newest `event_timestamp` first."""
        return await answered(self._events.page(asked))
