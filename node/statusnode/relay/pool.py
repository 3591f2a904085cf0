"""The pool: every envelope that is alive, and which peer has it.

Time costs nothing here: envelopes lie in buckets of one second of expiry, and a tick drops whole
buckets. Nothing ever looks through the pool but a peer's backlog, and a sweep once in
`_SWEEP_SEATS` departures of peers.

Who has what is one number an envelope, a bit a peer: a peer has a *seat*, and telling that a whole
group has an envelope is one `|`. Memory: about 600 bytes an envelope beside its raw bytes.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterator
from typing import Final

from statusnode.messages.envelope import Envelope

_SWEEP_SEATS: Final = 64
_ROOM: Final = 15 / 16  # of the limit: sorting the buckets is worth it only for more than one


class Pool:
    """Envelopes by hash, with their holders.

    Bounded by `limit_bytes` of raw envelopes: above it, whoever wants to live longest goes first,
    since a flood that wants to stay is what fills a pool, and mail of today lives for seconds.
    """

    def __init__(self, limit_bytes: int) -> None:
        self.limit_bytes = limit_bytes
        self.size_bytes = 0
        self.holders: dict[bytes, int] = {}
        """Hash to the seats of the peers that have the envelope or were sent it. The keys are the
        hashes of the pool; read by the relay path without a call."""
        self._buckets: dict[int, list[Envelope]] = {}
        self._seconds: list[int] = []  # a heap of the buckets' seconds
        self._seats = 0
        self._free_seats: list[int] = []
        self._stale_seats = 0

    def __len__(self) -> int:
        return len(self.holders)

    def __contains__(self, identity: bytes) -> bool:
        return identity in self.holders

    def add(self, envelope: Envelope, seats: int) -> None:
        """Take an envelope that is not in the pool yet and that `seats` have or are sent."""
        self.holders[envelope.hash] = seats
        self.size_bytes += len(envelope.raw)
        bucket = self._buckets.get(envelope.expiry)
        if bucket is None:
            self._buckets[envelope.expiry] = [envelope]
            heapq.heappush(self._seconds, envelope.expiry)
        else:
            bucket.append(envelope)

    def expire(self, now: int) -> int:
        """Drop what is past its expiry at `now` (whole unix seconds); return how many."""
        dropped = 0
        while self._seconds and self._seconds[0] < now:
            dropped += self._drop(heapq.heappop(self._seconds))
        return dropped

    def shrink(self) -> int:
        """If the limit is passed, make room by dropping what lives longest; return how many."""
        if self.size_bytes <= self.limit_bytes:
            return 0
        dropped = 0
        for second in sorted(self._buckets, reverse=True):
            if self.size_bytes <= self.limit_bytes * _ROOM:
                break
            dropped += self._drop(second)
        self._seconds = sorted(self._buckets)
        return dropped

    def walk(self) -> Iterator[Envelope]:
        """Yield what is in the pool, soonest expiry first.

        The pool may change while the walk goes on: what was dropped is not yielded, what was added
        may or may not be.
        """
        for second in sorted(self._buckets):
            for envelope in self._buckets.get(second, ()):
                if envelope.hash in self.holders:
                    yield envelope

    def unmark(self, identity: bytes, seat: int) -> None:
        """Note that a peer did not get an envelope after all."""
        seats = self.holders.get(identity)
        if seats is not None:
            self.holders[identity] = seats & ~seat

    def take_seat(self) -> int:
        """Return the bit of a peer that has nothing yet."""
        if not self._free_seats and self._stale_seats.bit_count() >= _SWEEP_SEATS:
            self._sweep()
        if self._free_seats:
            return self._free_seats.pop()
        self._seats += 1
        return 1 << (self._seats - 1)

    def leave_seat(self, seat: int) -> None:
        """Give back the bit of a peer that is gone."""
        self._stale_seats |= seat

    def _drop(self, second: int) -> int:
        bucket = self._buckets.pop(second)
        for envelope in bucket:
            del self.holders[envelope.hash]
            self.size_bytes -= len(envelope.raw)
        return len(bucket)

    def _sweep(self) -> None:
        """Clear the seats that peers have left from all envelopes, so that others can sit there."""
        stale = self._stale_seats
        keep = ~stale
        for identity, seats in self.holders.items():
            if seats & stale:
                self.holders[identity] = seats & keep
        self._stale_seats = 0
        while stale:
            seat = stale & -stale
            self._free_seats.append(seat)
            stale ^= seat
