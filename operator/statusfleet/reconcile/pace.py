"""How many dials all fleets of an operator may begin at a time, and in a second."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

MOST_FLEETS: Final = 32
"""Fleets whose members are dialed at a time: their dials that wait for a turn would take memory."""
MOST_A_SECOND: Final = 500
"""Dials: less than a tenth of a processor. Ten thousand members are dialed once in 20 s."""
_LAG_SECONDS: Final = 0.05
"""What a late wake-up of this process may make up for, at once."""


class DialPace:
    """Paces the dials from one place, over all the fleets that it is handed to."""

    def __init__(
        self, *, most_fleets: int = MOST_FLEETS, most_a_second: float = MOST_A_SECOND
    ) -> None:
        self._fleets = asyncio.Semaphore(most_fleets)
        self._interval = 1 / most_a_second
        self._next = 0.0  # when, in the loop's time, the next dial may begin

    @asynccontextmanager
    async def fleet(self) -> AsyncIterator[None]:
        """Wait until one more fleet's members may be dialed; for as long as they are."""
        async with self._fleets:
            yield

    async def dial(self) -> None:
        """Wait until one more dial may begin."""
        now = asyncio.get_running_loop().time()
        moment = max(self._next, now - _LAG_SECONDS)
        self._next = moment + self._interval
        if moment > now:
            await asyncio.sleep(moment - now)
