"""The flush: what has become pending goes out to all peers together.

The law: membership of groups changes only between flushes. Then an envelope that is pending for a
group is marked as every member's, no more and no less, and nobody is sent anything twice. What a
peer itself sends us while an envelope of the same hash is pending is noted (`told`) and left out of
its own share; peers that told us nothing share one bundle, joined and compressed once.
"""

from __future__ import annotations

from statusnode.messages.envelope import Envelope
from statusnode.relay.flush import FlushPolicy
from statusnode.relay.groups import Group, Groups, Member
from statusnode.relay.loop import Loop, Timer
from statusnode.relay.messages import Bundle, split_by_size
from statusnode.relay.standards import Standards


class Broadcaster:
    """Everything pending, for all peers."""

    def __init__(self, standards: Standards, loop: Loop) -> None:
        self._standards = standards
        self._loop = loop
        self._groups = Groups()
        self._policy = FlushPolicy()
        self._talkers: set[Member] = set()
        self._pending_bytes = 0
        self._timer: Timer | None = None

    def join(self, member: Member) -> None:
        """Offer to this peer, from now on, what it wants."""
        self.flush()
        self._groups.join(member)

    def leave(self, member: Member) -> None:
        """Offer nothing more to this peer; what is pending still goes out."""
        self.flush()
        self._groups.leave(member)

    def forget(self, member: Member) -> None:
        """Drop a peer that is gone."""
        self._groups.leave(member)
        self._talkers.discard(member)

    def offer(self, envelope: Envelope) -> int:
        """Make an envelope pending for all who want it; return their seats in the pool."""
        seats = self._groups.offer(envelope)
        if seats:
            self._pending_bytes += len(envelope.raw)
        return seats

    def note(self, talker: Member, identities: list[bytes]) -> None:
        """Note what a peer has just sent, and plan a flush if anything is pending."""
        if not talker.outbox.ready:
            talker.outbox.withdraw(identities)
        if self._pending_bytes:
            talker.told.update(identities)
            self._talkers.add(talker)
            self.plan()

    def plan(self) -> None:
        """See to it that what is pending will be flushed, at once if it is much."""
        if self._pending_bytes >= self._standards.bundle_bytes:
            self.flush()
        elif self._timer is None and self._pending_bytes:
            delay = self._policy.delay(self._loop.time())
            self._timer = self._loop.call_later(delay, self.flush)

    def flush(self) -> None:
        """Send what is pending."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if not self._pending_bytes:
            return
        self._pending_bytes = 0
        frames = 0
        limit = self._standards.bundle_bytes
        left_behind: list[Member] = []
        for group in self._groups.take_waiting():
            frames += _flush_group(group, limit, left_behind)
        for talker in self._talkers:
            talker.told.clear()
        self._talkers.clear()
        for member in left_behind:
            self._groups.leave(member)
        self._policy.flushed(frames, self._loop.time())


def _flush_group(group: Group, limit: int, left_behind: list[Member]) -> int:
    """Send a group what is pending; return how many frames that took."""
    pending, group.pending = group.pending, []
    shared: list[Bundle] | None = None
    frames = 0
    for member in tuple(group.members):
        told, outbox = member.told, member.outbox
        share = [one for one in pending if one.hash not in told] if told else pending
        if not outbox.ready:
            outbox.enqueue(share)
            if outbox.behind:
                left_behind.append(member)
        elif len(share) == len(pending):
            if shared is None:
                shared = _bundles(pending, limit)
            for bundle in shared:
                outbox.send(bundle)
            frames += len(shared)
        elif share:
            for bundle in _bundles(share, limit):
                outbox.send(bundle)
                frames += 1
    return frames


def _bundles(envelopes: list[Envelope], limit: int) -> list[Bundle]:
    raw_envelopes = [envelope.raw for envelope in envelopes]
    return [Bundle(part) for part in split_by_size(raw_envelopes, limit)]
