"""To wait for an event, but not for ever."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any


async def either(event: asyncio.Event, time: Coroutine[Any, Any, None]) -> None:
    """Return when `event` is set, or when `time` is over."""
    waits = [asyncio.ensure_future(event.wait()), asyncio.ensure_future(time)]
    try:
        await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for each in waits:
            each.cancel()
        await asyncio.gather(*waits, return_exceptions=True)
