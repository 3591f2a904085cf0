"""A fleet's turn: so many are worked on at a time, and who only waits for others keeps nobody out.

What nobody waits for (a look after a start, a dial that told something, the time being up) is a
chore. Chores have few of the turns, one at least, so that an edit among a thousand fleets finds one
free at once. What waits for servers outside (DNS that does not answer, for ten seconds at a time)
does so beside the turns, in a room that is larger and has its own end.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

MOST_WAITING: Final = 256
_CHORES_SHARE: Final = 4
"""One turn of so many may be a chore's: enough to keep one processor busy."""


class Slots:
    """The turns of all fleets of an operator, and its waiting room."""

    def __init__(self, turns: int, room: int = MOST_WAITING) -> None:
        """Take how many have a turn at a time, and how many are in the waiting room."""
        self.room = asyncio.Semaphore(room)
        self._free = turns
        self._most_chores = max(1, turns // _CHORES_SHARE)
        self._least_chores = min(1, turns - 1)
        self._chores_held = 0
        self._awaited: dict[Slot, asyncio.Future[None]] = {}
        self._chores: dict[Slot, asyncio.Future[None]] = {}

    async def take(self, slot: Slot) -> None:
        """Wait until a fleet has a turn."""
        ticket = asyncio.get_running_loop().create_future()
        (self._chores if slot.chore else self._awaited)[slot] = ticket
        self._deal()
        try:
            await ticket
        except asyncio.CancelledError:
            self._chores.pop(slot, None)
            self._awaited.pop(slot, None)
            self.give_back(slot)
            raise

    def hurry(self, slot: Slot) -> None:
        """Have a fleet that waits with a chore wait no longer than others whose work is awaited."""
        ticket = self._chores.pop(slot, None)
        if ticket is not None:
            self._awaited[slot] = ticket
        if not slot.held:
            slot.chore = False
            self._deal()

    def give_back(self, slot: Slot) -> None:
        """End a fleet's turn, if it has one."""
        if slot.held:
            slot.held = False
            self._free += 1
            self._chores_held -= slot.chore
            self._deal()

    def _deal(self) -> None:
        while self._free and (queue := self._next()):
            slot = next(iter(queue))
            ticket = queue.pop(slot)
            if not ticket.cancelled():
                self._free -= 1
                self._chores_held += slot.chore
                slot.held = True
                ticket.set_result(None)

    def _next(self) -> dict[Slot, asyncio.Future[None]]:
        """Return the queue of which somebody is to have a turn; an empty one: nobody."""
        if self._awaited and (not self._chores or self._chores_held >= self._least_chores):
            return self._awaited
        return self._chores if self._chores_held < self._most_chores else self._awaited


class Slot:
    """One fleet's part: `async with slot.turn()`, and `slot.waiting()` within it."""

    def __init__(self, slots: Slots) -> None:
        self.chore = False
        self.held = False
        self._slots = slots

    @asynccontextmanager
    async def turn(self, *, chore: bool = False) -> AsyncIterator[None]:
        """Wait for a turn, and give it back at the end."""
        self.chore = chore
        await self._slots.take(self)
        try:
            yield
        finally:
            self._slots.give_back(self)  # there is none if an end came while the fleet waited

    @asynccontextmanager
    async def waiting(self) -> AsyncIterator[None]:
        """Give the turn back for as long as the fleet waits; then wait for the next one."""
        self._slots.give_back(self)
        async with self._slots.room:
            yield
        await self._slots.take(self)

    def hurry(self) -> None:
        """Let a chore that waits for its turn be awaited from now on."""
        self._slots.hurry(self)
