"""A fleet's turn: so many are worked on at a time, and who only waits for others keeps nobody out.

What waits for servers outside (DNS that does not answer, for ten seconds at a time) does so beside
the turns, in a room that is larger and has its own end.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from types import TracebackType
from typing import Final, Self

MOST_WAITING: Final = 256


class Slots:
    """The turns of all fleets of an operator, and its waiting room."""

    def __init__(self, turns: int, room: int = MOST_WAITING) -> None:
        self.turns = asyncio.Semaphore(turns)
        self.room = asyncio.Semaphore(room)


class Slot:
    """One fleet's part: `async with slot` for a turn, `slot.waiting()` within it."""

    def __init__(self, slots: Slots) -> None:
        self._slots = slots
        self._held = False

    async def __aenter__(self) -> Self:
        await self._take()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._give_back()

    @asynccontextmanager
    async def waiting(self) -> AsyncIterator[None]:
        """Give the turn back for as long as the fleet waits; then wait for the next one."""
        self._give_back()
        async with self._slots.room:
            yield
        await self._take()

    async def _take(self) -> None:
        await self._slots.turns.acquire()
        self._held = True

    def _give_back(self) -> None:
        """Give the turn back, unless an end came while there was none."""
        if self._held:
            self._held = False
            self._slots.turns.release()
