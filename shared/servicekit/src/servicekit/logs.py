"""Logs: one JSON object a line, from structlog and from the standard library's loggers alike.

Rule 1: configured once per process, by `run`; a module only does `structlog.get_logger()`.
Rule 2: what is bound to the context (the request id) is in every line, whoever writes it.
Rule 3: a traceback has no local variables: they hold secrets.
"""

from __future__ import annotations

import logging
import sys
from typing import TextIO

import structlog

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


def configure(level: str, stream: TextIO | None = None) -> None:
    """Send every log line of `level` and above as one JSON object to `stream` (default stdout)."""
    to_standard_logging()
    handler = logging.StreamHandler(stream or sys.stdout)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=_shared(),
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.ExceptionRenderer(_TRACEBACK),
                structlog.processors.JSONRenderer(default=str),
            ],
        )
    )
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(level.upper())
