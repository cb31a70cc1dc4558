"""Rules of the service that JSON Schema cannot say.

schemathesis makes requests that the OpenAPI document allows, and expects that they are taken. Where a request breaks
one of these rules it is mended before it is sent; requests that are meant to be wrong are left as they are.
"""

from __future__ import annotations

import time
from typing import Any

import schemathesis
from schemathesis.generation import GenerationMode


@schemathesis.hook
def before_call(context: schemathesis.HookContext, case: schemathesis.Case[Any], kwargs: dict[str, Any]) -> None:
    """Mend a request that is meant to be right: a timestamp is one of about now."""
    if case.meta is None or case.meta.generation.mode is not GenerationMode.POSITIVE:
        return
    if "X-Timestamp" in case.headers:
        case.headers["X-Timestamp"] = str(int(time.time()))
