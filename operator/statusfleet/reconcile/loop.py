"""The loop around the passes of one fleet: woken by events, never without a look for long."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from typing import Final

from statusfleet.api.fleet import StatusFleet
from statusfleet.reconcile.fleet import Reconciler, Report
from statusfleet.store import StoreError
from statusfleet.worlds.errors import WorldError

RESYNC_SECONDS: Final = 5.0
_RETRY_SECONDS: Final = 1.0


class FleetLoop:
    """Reconciles one fleet for as long as `run` runs.

    Events carry nothing: `wake` says that something has happened, and however many come during one
    pass, one more pass follows.
    """

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
        self._awake = asyncio.Event()

    def wake(self) -> None:
        """Have a pass made soon."""
        self._awake.set()

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
        while True:
            self._awake.clear()
            wait = _RETRY_SECONDS
            try:
                report = await self._reconciler.reconcile(self._fleet, self._invalid_edit)
            except (StoreError, WorldError) as error:
                if str(error) != self._failure:  # said once, tried again until it goes
                    self._failure = str(error)
                    self._failed(self._failure)
            else:
                self._failure = ""
                self._reported(report)
                wait = RESYNC_SECONDS
                if report.next_look is not None:
                    wait = min(wait, max(0.0, report.next_look - self._now()))
            with suppress(TimeoutError):
                await asyncio.wait_for(self._awake.wait(), wait)
