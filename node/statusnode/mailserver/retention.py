"""How long mail is kept: what is older than so many days is removed, hour by hour.

Removed in batches, each a transaction of its own, so that archiving goes on in between. The first
run comes an hour after the start, as in the reference: a wrong clock or setting that is noticed
soon costs nothing.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Final

from statusnode.mailserver.archive import ArchiveError
from statusnode.mailserver.counters import MailCounters
from statusnode.mailserver.process import Archive

_log = logging.getLogger(__name__)

PERIOD_SECONDS: Final = 3600.0
BATCH: Final = 1000
_DAY_SECONDS: Final = 86_400


class Cleaner:
    """Removes old envelopes."""

    def __init__(
        self,
        archive: Archive,
        counters: MailCounters,
        retention_days: int,
        now: Callable[[], float],
    ) -> None:
        """Keep envelopes for `retention_days`; 0: for ever. `now` gives unix seconds."""
        self.retention_days = retention_days
        self._archive = archive
        self._counters = counters
        self._now = now

    async def run(self, period_seconds: float = PERIOD_SECONDS) -> None:
        """Clean after every period, until cancelled."""
        while True:
            await asyncio.sleep(period_seconds)
            try:
                removed = await self.clean()
            except ArchiveError as error:
                _log.error("cannot remove old envelopes: %s", error)
            else:
                if removed:
                    _log.info("Old envelopes removed", extra={"count": removed})

    async def clean(self) -> int:
        """Remove all that is too old by now; return how many envelopes that were.

        Raises:
            ArchiveError: it stopped half-way; what is left goes next time.
        """
        if self.retention_days <= 0:
            return 0
        before = int(self._now()) - self.retention_days * _DAY_SECONDS
        removed = 0
        while True:
            count = await self._archive.prune(before, BATCH)
            self._counters.archived_envelopes -= count
            removed += count
            if count < BATCH:
                return removed
