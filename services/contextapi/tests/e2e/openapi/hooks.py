"""Rules of the service that JSON Schema cannot say.

schemathesis makes requests that the OpenAPI document allows, and expects that they are taken. Where a request breaks
one of these rules it is mended before it is sent; requests that are meant to be wrong are left as they are.
"""

from __future__ import annotations

from typing import Any

import schemathesis
from pydantic import TypeAdapter, ValidationError
from schemathesis.generation import GenerationMode

from servicekit import fields
from servicekit.embedding import DIMENSIONS

_EMBEDDING = TypeAdapter[Any](fields.Embedding)
_TEXT = TypeAdapter[str](fields.Text)


def _taken(adapter: TypeAdapter[Any], value: Any) -> bool:
    try:
        adapter.validate_python(value)
    except ValidationError:
        return False
    return True


def _mend(values: dict[str, Any]) -> None:
    for name, value in values.items():
        # Something has to be left of a text when its markup is gone.
        if isinstance(value, str) and not _taken(_TEXT, value):
            values[name] = "text"
        # A vector has to have a direction, and a length that single precision can square.
        if name == "embedding" and value is not None and not _taken(_EMBEDDING, value):
            values[name] = [1.0] * DIMENSIONS


@schemathesis.hook
def before_call(context: schemathesis.HookContext, case: schemathesis.Case[Any], kwargs: dict[str, Any]) -> None:
    """Mend a request that is meant to be right."""
    if case.meta is None or case.meta.generation.mode is not GenerationMode.POSITIVE:
        return
    _mend(case.query)
    if isinstance(case.body, dict):
        _mend(case.body)
