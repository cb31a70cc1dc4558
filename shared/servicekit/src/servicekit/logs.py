"""Logs: one JSON object a line, from structlog and from the standard library's loggers alike.

Rule 1: configured once per process, by `run`; a module only does `structlog.get_logger()`.
Rule 2: what is bound to the context (the request id) is in every line, whoever writes it.
Rule 3: a traceback has no local variables: they hold secrets.
Rule 4: structlog's lines go to the stream without the standard library in between, in a quarter of the time: there is
        one for every request.
"""

from __future__ import annotations

import functools
import json
import logging
import sys
from collections.abc import Callable
from typing import Any, TextIO

import structlog
from pydantic_core import PydanticSerializationError, to_json

_TRACEBACK = structlog.tracebacks.ExceptionDictTransformer(show_locals=False)


def _shared() -> list[structlog.typing.Processor]:
    return [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]


def to_standard_logging() -> None:
    """Send what structlog gets to the standard library's loggers, whose handlers (in tests, pytest's) do the rest."""
    structlog.configure(
        processors=[*_shared(), structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
    )


def _to_json(event: Any, *, default: Callable[[Any], Any]) -> str:
    try:
        return to_json(event, fallback=default, inf_nan_mode="null").decode()
    except PydanticSerializationError:  # bytes that are no text, half a character
        return json.dumps(event, default=default)


class _Lines(structlog.WriteLogger):
    """Writes lines, and has a name to put into them."""

    def __init__(self, stream: TextIO, name: str = "root") -> None:
        super().__init__(stream)
        self.name = name


def configure(level: str, stream: TextIO | None = None) -> None:
    """Send every log line of `level` and above as one JSON object to `stream` (default stdout)."""
    stream = stream or sys.stdout
    least = logging.getLevelNamesMapping()[level.upper()]
    render: list[structlog.typing.Processor] = [
        structlog.processors.ExceptionRenderer(_TRACEBACK),
        structlog.processors.JSONRenderer(_to_json, default=str),
    ]
    structlog.configure(
        processors=[*_shared(), *render],
        logger_factory=functools.partial(_Lines, stream),
        wrapper_class=structlog.make_filtering_bound_logger(least),
    )
    handler = logging.StreamHandler(stream)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=_shared(),
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *render],
        )
    )
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(least)
