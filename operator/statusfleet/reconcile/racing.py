"""Waiting for something that may not come, with nothing left behind."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any


async def unless(stop: asyncio.Event, work: Coroutine[Any, Any, object]) -> bool:
    """Wait for `work`; False means that `stop` was set first, and that the work has ended too.

    Raises what the work raises.
    """
    working = asyncio.create_task(work)
    tasks = (working, asyncio.create_task(stop.wait()))
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)
    if working.cancelled():
        return False
    working.result()
    return True
