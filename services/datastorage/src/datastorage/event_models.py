"""An event of some service, as it goes in and comes out over HTTP, a batch of them, and the questions about them."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID, uuid4

from pydantic import AfterValidator, BaseModel, Field, JsonValue

from datastorage.fields import JsonObject, Milliseconds, Namespace, Paging, Time, Version
from servicekit.fields import Action, Name, Pagination, Short, Strict

Category = Literal["gateway", "notification", "analysis", "signalprocessing", "workflow", "execution", "orchestration"]
Outcome = Literal["success", "failure", "pending"]
MAX_BATCH = 1000


class EventIn(Strict):
    """An event to store. `event_id`: left out, one is made; given, the event is stored once however often it comes."""

    event_id: UUID = Field(default_factory=uuid4)
    version: Version = "1.0"
    event_type: Action
    event_category: Category
    event_action: Short
    event_outcome: Outcome
    event_timestamp: Time
    correlation_id: Name
    actor_type: Short
    actor_id: Name
    resource_type: Action
    resource_id: Name
    parent_event_id: UUID | None = None
    namespace: Namespace | None = None
    cluster_name: Name | None = None
    severity: Short | None = None
    duration_ms: Milliseconds | None = None
    event_data: JsonObject = Field(default_factory=dict)


def _each_once(events: list[EventIn]) -> list[EventIn]:
    first: dict[UUID, int] = {}
    for index, event in enumerate(events):
        if first.setdefault(event.event_id, index) != index:
            raise ValueError(f"event at index {index}: its event_id is that of index {first[event.event_id]} too")
    return events


EventBatch = Annotated[list[EventIn], Field(min_length=1, max_length=MAX_BATCH), AfterValidator(_each_once)]


class EventStored(BaseModel):
    """Under which id an event is stored."""

    event_id: UUID


class EventsStored(BaseModel):
    """Under which ids the events of a batch are stored, in the batch's order."""

    event_ids: list[UUID]


class Event(BaseModel):
    """A stored event."""

    event_id: UUID
    version: str
    event_type: str
    event_category: Category
    event_action: str
    event_outcome: Outcome
    event_timestamp: datetime
    correlation_id: str
    actor_type: str
    actor_id: str
    resource_type: str
    resource_id: str
    parent_event_id: UUID | None
    namespace: str | None
    cluster_name: str | None
    severity: str | None
    duration_ms: int | None
    event_data: dict[str, JsonValue]


class EventFilter(Paging):
    """Which events, newest `event_timestamp` first: all that match every filter given."""

    event_id: UUID | None = None
    event_type: Action | None = None
    event_category: Category | None = None
    event_action: Short | None = None
    event_outcome: Outcome | None = None
    correlation_id: Name | None = None
    actor_type: Short | None = None
    actor_id: Name | None = None
    resource_type: Action | None = None
    resource_id: Name | None = None
    parent_event_id: UUID | None = None
    namespace: Namespace | None = None
    cluster_name: Name | None = None
    severity: Short | None = None


class EventPage(BaseModel):
    """One page of a list."""

    data: list[Event]
    pagination: Pagination
