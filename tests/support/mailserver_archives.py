"""Archives without processes and peers without sockets, for tests of the mailserver."""

from __future__ import annotations

import asyncio
import itertools
from dataclasses import dataclass, field
from pathlib import Path

from statusnode.codec import rlp
from statusnode.mailserver.archive import Entry, Page, Query, cursor_of
from statusnode.mailserver.sqlite import FILE_NAME, SqliteArchive
from statusnode.messages.envelope import Envelope

NOW = 1_700_000_000
TOPIC = bytes.fromhex("01020304")

_nonces = itertools.count(1)


def mail(topic: bytes = TOPIC, *, sent: int = NOW, size: int = 100, ttl: int = 20) -> Envelope:
    """Make an envelope unlike any other."""
    return Envelope.build((sent + ttl) & 0xFFFFFFFF, ttl, topic, bytes(size), next(_nonces))


def entry(envelope: Envelope) -> Entry:
    return envelope.sent, envelope.hash, envelope.topic, envelope.raw


def cursor(envelope: Envelope) -> bytes:
    return cursor_of(envelope.sent, envelope.hash)


def in_key_order(envelopes: list[Envelope]) -> list[Envelope]:
    return sorted(envelopes, key=cursor)


class DirectArchive:
    """An archive that answers in the caller's process; `failure` makes it fail."""

    def __init__(self, folder: Path) -> None:
        self.store = SqliteArchive(folder / FILE_NAME)
        self.name = str(folder)
        self.failure: Exception | None = None
        self.gate: asyncio.Event | None = None
        """Where set, `add` waits for it."""
        self.groups: list[int] = []
        """How many envelopes each commit had."""

    def _check(self) -> None:
        if self.failure is not None:
            raise self.failure

    async def open(self) -> int:
        self._check()
        return self.store.open()

    async def add(self, entries: list[Entry]) -> int:
        if self.gate is not None:
            await self.gate.wait()
        self._check()
        self.groups.append(len(entries))
        return self.store.add(entries)

    async def prune(self, before: int, count: int) -> int:
        self._check()
        return self.store.prune(before, count)

    async def matching_topics(self, bloom: bytes) -> list[bytes] | None:
        self._check()
        return self.store.matching_topics(bloom)

    async def read(self, query: Query, after: bytes, max_rows: int, max_bytes: int) -> Page:
        self._check()
        return self.store.read(query, after, max_rows, max_bytes)

    async def close(self) -> None:
        self.store.close()


@dataclass(eq=False)
class RecordedLink:
    """A peer that writes down what it gets."""

    node_id: bytes = bytes(32)
    write_backlog: int = 0
    packets: list[list[bytes]] = field(default_factory=list)
    """The envelopes of each direct packet."""
    completions: list[bytes] = field(default_factory=list)
    completed: asyncio.Event = field(default_factory=asyncio.Event)
    reads: asyncio.Event = field(default_factory=asyncio.Event)
    """Cleared: the peer does not read."""

    def __post_init__(self) -> None:
        self.reads.set()

    @property
    def envelopes(self) -> list[bytes]:
        return list(itertools.chain.from_iterable(self.packets))

    def send_direct(self, raw_envelopes: list[bytes]) -> None:
        packet = rlp.encode_list(raw_envelopes)
        self.packets.append(rlp.split_list(packet))

    def send_completion(self, data: bytes) -> None:
        self.completions.append(data)
        self.completed.set()

    async def drained(self) -> None:
        await self.reads.wait()

    async def answer(self) -> bytes:
        """Wait for the end of one answer and return its payload."""
        async with asyncio.timeout(30):
            while not self.completions:
                self.completed.clear()
                await self.completed.wait()
        return self.completions.pop(0)
