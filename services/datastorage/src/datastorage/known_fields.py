"""The names of all fields that clients may send, so that a metric's label can be bounded by them."""

from __future__ import annotations

from datastorage.aggregate_models import TrendQuestion
from datastorage.event_models import EventFilter, EventIn
from datastorage.models import ListFilter, RemediationIn, Search
from datastorage.notification_models import NotificationFilter, NotificationIn
from datastorage.success_rate_models import DimensionsQuestion
from datastorage.trace_models import IncidentFilter, TraceIn

_MODELS = (
    *(RemediationIn, ListFilter, Search),
    *(NotificationIn, NotificationFilter),
    *(EventIn, EventFilter),
    *(TraceIn, IncidentFilter, DimensionsQuestion, TrendQuestion),
)
KNOWN_FIELDS = frozenset({"body", "id"}.union(*(model.model_fields for model in _MODELS)))
