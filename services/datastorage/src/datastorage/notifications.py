"""Everything that is done with the table `notification_audit`."""

from __future__ import annotations

from datastorage.metrics import StoreMetrics, Write
from datastorage.notification_models import Notification, NotificationFilter, NotificationIn, NotificationPage
from datastorage.table import Table
from servicekit.database import Database
from servicekit.listing import Listing

_TABLE = "notification_audit"


class Notifications:
    """The notifications of one database."""

    def __init__(self, database: Database, metrics: StoreMetrics) -> None:
        """Work on `database`; every method raises UnavailableError where it does not do its work in time."""
        self._database = database
        self._metrics = metrics
        self._table = Table(database, _TABLE, NotificationIn, Notification, unique=("notification_id",))
        self._listing = Listing(_TABLE, Notification, newest="sent_at", key="id", filters=NotificationFilter)
        self.kind = self._table.kind("notifications", insert=self._insert)

    async def _insert(self, record: NotificationIn, _: Write) -> Notification:
        return await self._table.insert(record)

    async def page(self, asked: NotificationFilter) -> NotificationPage:
        """Return the page asked for, newest `sent_at` first."""
        with self._metrics.read("list_notifications"):
            data, pagination = await self._listing.page(self._database, asked)
        return NotificationPage(data=data, pagination=pagination)
