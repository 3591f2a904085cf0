"""From the relay into the archive: one queue, commits of many envelopes at once.

`put` is called for every envelope that the node sees first and does next to nothing. A task gathers
what comes within `_GATHER_SECONDS` and commits it as one transaction, so the cost of a commit
is shared; somebody who waits in `flushed` makes it commit at once.

    put → queue → (gather, or somebody waits) → commit → counted as archived

The queue is bounded by number and by bytes: over the bound an envelope is dropped and counted, and
the relay goes on. A commit that fails is tried again, with growing pauses, `open` being false
meanwhile; nothing of it was counted. While it fails, `flushed` does not wait: nobody can say how
long that would be, and what was archived before can be answered from.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections import deque
from itertools import islice
from typing import Final

from statusnode.mailserver.archive import ArchiveError
from statusnode.mailserver.counters import MailCounters
from statusnode.mailserver.process import Archive
from statusnode.messages.envelope import Envelope

_log = logging.getLogger(__name__)

_GATHER_SECONDS: Final = 0.2
_GROUP_ENVELOPES: Final = 4096
_GROUP_BYTES: Final = 4 << 20
_MAX_ENVELOPES: Final = 1 << 16
_MAX_BYTES: Final = 64 << 20
_FIRST_PAUSE_SECONDS: Final = 1.0
_LONGEST_PAUSE_SECONDS: Final = 30.0


class ArchiveWriter:
    """Archives envelopes in groups; `run` does the work."""

    def __init__(
        self,
        archive: Archive,
        counters: MailCounters,
        first_pause_seconds: float = _FIRST_PAUSE_SECONDS,
    ) -> None:
        """Write to an archive that is open; after a failure wait `first_pause_seconds`."""
        self.open = True
        """Whether the last commit succeeded."""
        self._archive = archive
        self._counters = counters
        self._first_pause_seconds = first_pause_seconds
        self._queue: deque[Envelope] = deque()
        self._bytes = 0
        self._awake = asyncio.Event()
        self._urgent = asyncio.Event()
        self._closing = asyncio.Event()
        # How many were ever put and how many of them committed: what `flushed` compares.
        self._accepted = 0
        self._settled = 0
        self._waiters: deque[tuple[int, asyncio.Future[None]]] = deque()

    def put(self, envelope: Envelope) -> None:
        """Take an envelope, or drop and count it if too many wait."""
        size = self._bytes + len(envelope.raw)
        if len(self._queue) >= _MAX_ENVELOPES or size > _MAX_BYTES:
            self._counters.archived_envelopes_failures += 1
            return
        self._queue.append(envelope)
        self._bytes = size
        self._accepted += 1
        if not self._awake.is_set():
            self._awake.set()
        if len(self._queue) == _GROUP_ENVELOPES or size >= _GROUP_BYTES:
            self._urgent.set()

    async def flushed(self) -> None:
        """Wait until every envelope put before is committed, or its commit has failed."""
        if self._settled >= self._accepted or not self.open:
            return
        waiter = asyncio.get_running_loop().create_future()
        self._waiters.append((self._accepted, waiter))
        self._urgent.set()
        await waiter

    async def run(self) -> None:
        """Commit what comes, until `close`, and then what is left."""
        pause = self._first_pause_seconds
        while self._queue or not self._closing.is_set():
            await self._gather()
            try:
                await self._commit_group()
            except ArchiveError as error:
                self._failed(error)
                if self._closing.is_set():
                    return
                await _first_of(self._closing, pause)
                pause = min(2 * pause, _LONGEST_PAUSE_SECONDS)
            else:
                pause = self._first_pause_seconds

    def close(self) -> None:
        """Let `run` end as soon as everything is committed, or cannot be."""
        self._closing.set()
        self._awake.set()
        self._urgent.set()

    async def _gather(self) -> None:
        await self._awake.wait()
        await _first_of(self._urgent, _GATHER_SECONDS)

    def _failed(self, error: ArchiveError) -> None:
        if self.open:
            _log.error("Archiving stopped", extra={"err": error})
        self.open = False
        self._release(self._accepted)
        if self._closing.is_set():
            _log.error("Envelopes not archived", extra={"count": len(self._queue)})
            self._counters.archived_envelopes_failures += len(self._queue)

    async def _commit_group(self) -> None:
        group = self._group()
        if not group:
            return
        self._urgent.clear()
        added = await self._archive.add([(e.sent, e.hash, e.topic, e.raw) for e in group])
        self._committed(group, added)
        self._release(self._settled)
        if self._waiters or len(self._queue) >= _GROUP_ENVELOPES or self._closing.is_set():
            self._urgent.set()
        if not self._queue:
            self._awake.clear()

    def _group(self) -> list[Envelope]:
        """Return the head of the queue, which keeps it until it is committed."""
        group: list[Envelope] = []
        size = 0
        for envelope in islice(self._queue, _GROUP_ENVELOPES):
            size += len(envelope.raw)
            if size > _GROUP_BYTES and group:
                break
            group.append(envelope)
        return group

    def _committed(self, group: list[Envelope], added: int) -> None:
        counters = self._counters
        counters.archived += added
        counters.archived_envelopes += added
        counters.commits += 1
        self._settled += len(group)
        for envelope in group:
            self._queue.popleft()
            self._bytes -= len(envelope.raw)
            counters.archived_envelope_size_bytes.observe(envelope.size)
        if not self.open:
            self.open = True
            _log.info("Archiving goes on")

    def _release(self, settled: int) -> None:
        while self._waiters and self._waiters[0][0] <= settled:
            waiter = self._waiters.popleft()[1]
            if not waiter.done():
                waiter.set_result(None)


async def _first_of(event: asyncio.Event, seconds: float) -> None:
    """Wait for an event, at most so long."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await event.wait()
