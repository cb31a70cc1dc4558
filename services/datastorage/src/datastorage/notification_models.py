"""A notification, as it goes in and comes out over HTTP, and the questions about them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Annotated, Literal

from pydantic import BaseModel, Field, field_validator

from datastorage.fields import Paging, Time
from servicekit.fields import Name, Pagination, Strict, Text, Whole

Channel = Literal["email", "slack", "pagerduty", "sms"]
NotificationStatus = Literal["sent", "failed", "acknowledged", "escalated"]
_CLOCKS_DIFFER = timedelta(minutes=5)


class NotificationIn(Strict):
    """A notification to store."""

    remediation_id: Name
    notification_id: Name
    recipient: Name
    channel: Channel
    message_summary: Text
    status: NotificationStatus
    sent_at: Time = Field(description="At most 5 minutes ahead of the service's clock")
    delivery_status: Name | None = None
    error_message: Text | None = None
    escalation_level: Annotated[int, Field(strict=True, ge=0, le=100), Whole] = 0

    @field_validator("sent_at")
    @classmethod
    def _not_in_the_future(cls, value: datetime) -> datetime:
        if value - datetime.now(UTC) > _CLOCKS_DIFFER:
            raise ValueError("it is more than 5 minutes ahead of the service's clock")
        return value


class Notification(BaseModel):
    """A stored notification."""

    id: int
    remediation_id: str
    notification_id: str
    recipient: str
    channel: Channel
    message_summary: str
    status: NotificationStatus
    sent_at: datetime
    delivery_status: str | None
    error_message: str | None
    escalation_level: int
    created_at: datetime
    updated_at: datetime


class NotificationFilter(Paging):
    """Which notifications, newest `sent_at` first: all that match every filter given."""

    remediation_id: Name | None = None
    notification_id: Name | None = None
    recipient: Name | None = None
    channel: Channel | None = None
    status: NotificationStatus | None = None
    delivery_status: Name | None = None
    escalation_level: Annotated[int, Field(ge=0, le=100)] | None = None


class NotificationPage(BaseModel):
    """One page of a list."""

    data: list[Notification]
    pagination: Pagination
