"""Rules of the service that JSON Schema cannot say.

schemathesis makes requests that the OpenAPI document allows, and expects that they are taken. Where a request breaks
one of these rules it is mended before it is sent; requests that are meant to be wrong are left as they are.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import schemathesis
from pydantic import TypeAdapter, ValidationError
from schemathesis.generation import GenerationMode

from datastorage import fields
from servicekit.embedding import DIMENSIONS
from servicekit.fields import Embedding, Text

_TIME = TypeAdapter[datetime](fields.Time)
_EMBEDDING = TypeAdapter[Any](Embedding)
_TEXT = TypeAdapter[str](Text)
_OBJECT = TypeAdapter[dict[str, Any]](fields.JsonObject)
_PAST = "2026-01-01T00:00:00Z"


def _taken(adapter: TypeAdapter[Any], value: Any) -> bool:
    try:
        adapter.validate_python(value)
    except ValidationError:
        return False
    return True


def _replace(values: dict[str, Any], applies: Callable[[str, Any], bool], adapter: TypeAdapter[Any], by: Any) -> None:
    for name, value in values.items():
        if value is not None and applies(name, value) and not _taken(adapter, value):
            values[name] = by


def _mend(values: dict[str, Any]) -> None:
    """Mend the members of a body, or the parameters of a query."""
    times = ("since", "until", "start_time", "end_time", "sent_at", "event_timestamp", "action_timestamp")
    # A time has to have a year from 1 to 9999 in UTC too.
    _replace(values, lambda name, _: name in times, _TIME, _PAST)
    # A vector has to have a direction, and a length that single precision can square.
    _replace(values, lambda name, _: name == "embedding", _EMBEDDING, [1.0] * DIMENSIONS)
    # Something has to be left of a text when its markup is gone.
    _replace(values, lambda name, value: isinstance(value, str) and name not in times, _TEXT, "text")
    # Free-form JSON has bounds in bytes and depth, and its keys have to differ without their markup.
    _replace(values, lambda _, value: isinstance(value, dict), _OBJECT, {})
    for first, last in (("since", "until"), ("start_time", "end_time")):  # a span does not end before it begins
        if values.get(first) and values.get(last) and not _time(values[first]) < _time(values[last]):
            del values[last]
    if values.get("sent_at") and _time(values["sent_at"]) > datetime.now(UTC):  # nothing was sent in the future
        values["sent_at"] = _PAST
    if values.get("playbook_id") is None:  # a version is a version of something
        values.pop("playbook_version", None)


def _time(value: str) -> datetime:
    return _TIME.validate_python(value)


@schemathesis.hook
def before_call(context: schemathesis.HookContext, case: schemathesis.Case[Any], kwargs: dict[str, Any]) -> None:
    """Mend a request that is meant to be right."""
    if case.meta is None or case.meta.generation.mode is not GenerationMode.POSITIVE:
        return
    _mend(case.query)
    if case.path.endswith("/multi-dimensional") and not {"incident_type", "playbook_id", "action_type"} & {*case.query}:
        case.query["action_type"] = "restart_pod"  # at least one dimension is given
    events: list[Any] = case.body if isinstance(case.body, list) else [case.body]
    for event in events:
        if isinstance(event, dict):
            _mend(event)
    ids = [event["event_id"] for event in events if isinstance(event, dict) and "event_id" in event]
    for event in events:
        if isinstance(event, dict) and ids.count(event.get("event_id")) > 1:  # no event_id is twice in a batch
            del event["event_id"]
