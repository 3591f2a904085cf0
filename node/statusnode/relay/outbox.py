"""What one peer is still to be sent: bounded, and nobody else's concern.

While the peer reads, this is empty and bundles pass straight through. When it stops, envelopes
queue up to `OUTBOX_BYTES`. When even that is full the queue is given up: its envelopes are noted as
not sent, and the peer is *behind*, gets nothing queued, costs nothing. When it reads again it walks
the pool for whatever is alive, wanted and unknown to it, as a new peer does for its backlog. So a
slow peer loses only what expired before it could read, and the pool is the only store.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Final

from statusnode.devp2p.protocol import PeerConnection
from statusnode.messages.envelope import Envelope
from statusnode.relay.counters import RelayCounters
from statusnode.relay.interest import Interest
from statusnode.relay.loop import Loop, Timer
from statusnode.relay.messages import LIST_HEADER_ROOM, Bundle
from statusnode.relay.packets import PacketCode
from statusnode.relay.pool import Pool
from statusnode.relay.standards import Standards

OUTBOX_BYTES: Final = 4 << 20
_WALK_STEPS: Final = 2_000  # envelopes looked at before others get a turn: about a millisecond


class Outbox:
    """The way to one peer for envelopes of the pool."""

    def __init__(
        self,
        peer: PeerConnection,
        seat: int,
        pool: Pool,
        standards: Standards,
        counters: RelayCounters,
        loop: Loop,
    ) -> None:
        self._peer = peer
        self._seat = seat
        self._pool = pool
        self._standards = standards
        self._counters = counters
        self._loop = loop
        self._compresses = peer.compresses
        self._queue: OrderedDict[bytes, Envelope] = OrderedDict()
        self._queued_bytes = 0
        self._walk: Iterator[Envelope] | None = None
        self._interest = Interest()
        self._turn: Timer | None = None
        self.paused = False
        self.behind = False
        self.ready = True
        """Whether bundles may pass straight through."""

    def send(self, bundle: Bundle) -> None:
        """Write a bundle now."""
        compressed = bundle.compressed if self._compresses else None
        self._peer.send(PacketCode.MESSAGES, bundle.payload, compressed)
        self._counters.bundles_sent += 1
        self._counters.envelopes_sent += bundle.count

    def enqueue(self, envelopes: Iterable[Envelope]) -> None:
        """Send envelopes, which the pool has marked as this peer's, when it reads.

        Afterwards the peer may be `behind`; then it is to be offered nothing until `catch_up`.
        """
        for envelope in envelopes:
            self._queue[envelope.hash] = envelope
            self._queued_bytes += len(envelope.raw)
        if self._queued_bytes > OUTBOX_BYTES:
            self._fall_behind()
        self._proceed()

    def withdraw(self, identities: Iterable[bytes]) -> None:
        """Do not send what the peer has just shown to have."""
        for identity in identities:
            envelope = self._queue.pop(identity, None)
            if envelope is not None:
                self._queued_bytes -= len(envelope.raw)
        self._proceed()

    def catch_up(self, interest: Interest) -> None:
        """Send whatever is in the pool, of interest and unknown to the peer."""
        self.behind = False
        self._interest = interest
        self._walk = self._pool.walk()
        self._proceed()

    def pause(self) -> None:
        """The peer does not read."""
        self.paused = True
        self._proceed()

    def resume(self) -> None:
        """The peer reads again."""
        self.paused = False
        self._proceed()

    def close(self) -> None:
        """Forget everything; the peer is gone."""
        self._queue.clear()
        self._walk = None
        self.paused = True
        self._proceed()

    def _proceed(self) -> None:
        """Plan the next turn, or none."""
        waiting = bool(self._queue) or self._walk is not None
        self.ready = not (waiting or self.paused)
        if self.paused or not waiting:
            if self._turn is not None:
                self._turn.cancel()
                self._turn = None
        elif self._turn is None:
            self._turn = self._loop.call_soon(self._take_turn)

    def _take_turn(self) -> None:
        """Send one bundle, then let others go on."""
        self._turn = None
        room = self._standards.bundle_bytes - LIST_HEADER_ROOM
        if self._walk is not None and self._queued_bytes < room:
            self._refill(self._walk, room)
        raw_envelopes = list(self._next_bundle(room))
        if raw_envelopes:
            self.send(Bundle(raw_envelopes))
        self._proceed()

    def _refill(self, walk: Iterator[Envelope], room: int) -> None:
        holders, seat, interest = self._pool.holders, self._seat, self._interest
        steps = 0
        for envelope in islice(walk, _WALK_STEPS):
            steps += 1
            seats = holders[envelope.hash]
            if not seats & seat and interest.wants(envelope):
                holders[envelope.hash] = seats | seat
                self._queue[envelope.hash] = envelope
                self._queued_bytes += len(envelope.raw)
                if self._queued_bytes >= room:
                    return
        if steps < _WALK_STEPS:
            self._walk = None

    def _next_bundle(self, room: int) -> Iterator[bytes]:
        """Take the head of the queue, as much as one bundle holds, without what has expired."""
        size = 0
        while self._queue:
            identity, envelope = self._queue.popitem(last=False)
            length = len(envelope.raw)
            if size and size + length > room:
                self._queue[identity] = envelope
                self._queue.move_to_end(identity, last=False)
                return
            self._queued_bytes -= length
            if identity in self._pool:
                size += length
                yield envelope.raw

    def _fall_behind(self) -> None:
        self.behind = True
        self._walk = None
        self._counters.envelopes_deferred += len(self._queue)
        for identity in self._queue:
            self._pool.unmark(identity, self._seat)
        self._queue.clear()
        self._queued_bytes = 0
