"""The loop around the passes of one fleet: woken by events, never without a look for long."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Final

from statusfleet.api.fleet import StatusFleet
from statusfleet.reconcile.fleet import Reconciler, Report
from statusfleet.store import StoreError
from statusfleet.worlds.errors import WorldError

RESYNC_SECONDS: Final = 5.0
_RETRY_SECONDS: Final = 1.0


class Wakeful:
    """Takes a step whenever it is woken, and after the time that the step before asked for.

    Events carry nothing: `wake` says that something has happened, and however many come during one
    step, one more step follows.
    """

    def __init__(self, step: Callable[[], Awaitable[float]]) -> None:
        """Take the step; it returns after how many seconds to take the next at the latest."""
        self._step = step
        self._awake = asyncio.Event()

    def wake(self) -> None:
        """Have a step taken soon."""
        self._awake.set()

    async def run(self) -> None:
        """Take steps until cancelled."""
        while True:
            self._awake.clear()
            wait = await self._step()
            # Not wait_for, which in Python 3.11 loses a cancellation that meets the event.
            with suppress(TimeoutError):
                async with asyncio.timeout(wait):
                    await self._awake.wait()


class FleetLoop:
    """Reconciles one fleet of this machine for as long as `run` runs."""

    def __init__(
        self,
        reconciler: Reconciler,
        fleet: StatusFleet,
        now: Callable[[], float],
        reported: Callable[[Report], None],
        failed: Callable[[str], None],
    ) -> None:
        """Take whom to tell of each pass, and of one that failed, with the reason."""
        self._reconciler = reconciler
        self._fleet = fleet
        self._now = now
        self._reported = reported
        self._failed = failed
        self._invalid_edit = ""
        self._failure = ""
        self._loop = Wakeful(self._step)

    def wake(self) -> None:
        """Have a pass made soon."""
        self._loop.wake()

    def change(self, fleet: StatusFleet) -> None:
        """Go on with another spec."""
        self._fleet, self._invalid_edit = fleet, ""
        self.wake()

    def refuse(self, why: str) -> None:
        """Go on with the present spec, and say that there is a newer one that cannot be used."""
        self._invalid_edit = why
        self.wake()

    async def run(self) -> None:
        """Reconcile until cancelled."""
        await self._loop.run()

    async def _step(self) -> float:
        try:
            report = await self._reconciler.reconcile(self._fleet, self._invalid_edit)
        except (StoreError, WorldError) as error:
            if str(error) != self._failure:  # said once, tried again until it goes
                self._failure = str(error)
                self._failed(self._failure)
            return _RETRY_SECONDS
        self._failure = ""
        self._reported(report)
        if report.next_look is None:
            return RESYNC_SECONDS
        return min(RESYNC_SECONDS, max(0.0, report.next_look - self._now()))
