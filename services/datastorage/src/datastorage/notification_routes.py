"""The routes of notifications."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Response

from datastorage.answers import write_responses, written
from datastorage.notification_models import Notification, NotificationFilter, NotificationIn, NotificationPage
from datastorage.notifications import Notifications
from datastorage.writes import Writer
from servicekit import JsonRoute, problem_responses
from servicekit.answers import answered

_PATH = "/api/v1/audit/notifications"


class NotificationRoutes:
    """The two calls on notifications, as methods."""

    def __init__(self, notifications: Notifications, writer: Writer) -> None:
        """Read from `notifications`, and write them with `writer`."""
        self._notifications = notifications
        self._writer = writer

    def router(self) -> APIRouter:
        """Return the router."""
        router = APIRouter(route_class=JsonRoute, tags=["notifications"])
        router.post(_PATH, status_code=201, response_model=Notification, responses=write_responses())(self.create)
        router.get(_PATH, responses=problem_responses(503))(self.list)
        return router

    async def create(self, record: NotificationIn, response: Response) -> Notification | Response:
        """Store a notification."""
        return await written(self._writer, self._notifications.kind, record, response)

    async def list(self, asked: Annotated[NotificationFilter, Query()]) -> NotificationPage:
        """List notifications, newest `sent_at` first."""
        return await answered(self._notifications.page(asked))
