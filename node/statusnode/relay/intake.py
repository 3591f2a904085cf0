"""The intake: what a packet of envelopes, or an envelope of our own, does to pool and peers.

Identity first: one Keccak an envelope, over the raw slice. What the pool has costs a bit in a
number. A packet with a single item that is no envelope is refused whole, before anything is taken.
What is new and accepted is offered to peers, filters and the archive, each exactly once.
"""

from __future__ import annotations

from collections.abc import Callable

from statusnode.crypto.keccak import keccak256
from statusnode.messages.envelope import Envelope
from statusnode.relay.acceptance import Acceptance, Rules
from statusnode.relay.broadcast import Broadcaster
from statusnode.relay.confirmations import Complaint
from statusnode.relay.counters import RelayCounters
from statusnode.relay.groups import Member
from statusnode.relay.mail import MailHandler
from statusnode.relay.messages import fits, split_messages
from statusnode.relay.pool import Pool
from statusnode.relay.sink import FilterSink
from statusnode.relay.standards import Standards


class Intake:
    """The one way into the pool."""

    def __init__(
        self,
        pool: Pool,
        standards: Standards,
        broadcaster: Broadcaster,
        counters: RelayCounters,
        now: Callable[[], float],
        filters: FilterSink | None,
        mail: MailHandler | None,
    ) -> None:
        self._pool = pool
        self._standards = standards
        self._broadcaster = broadcaster
        self._counters = counters
        self._now = now
        self._filters = filters
        self._mail = mail

    def take_packet(self, sender: Member, payload: bytes) -> list[Complaint]:
        """Take the payload of a Messages packet; return what is wrong with its envelopes.

        Raises:
            RLPError: it is no list.
            EnvelopeError: an item of it is no envelope. Nothing was taken.
        """
        holders, seat = self._pool.holders, sender.seat
        identities: list[bytes] = []
        unknown: list[Envelope] = []
        for raw in split_messages(payload):
            identity = keccak256(raw)
            identities.append(identity)
            if identity not in holders:
                unknown.append(Envelope.parse(raw, identity))
        counters = self._counters
        counters.envelopes_received += len(identities)
        counters.envelopes_validated += len(identities)
        if len(unknown) < len(identities):
            counters.envelopes_cached["hit"] += len(identities) - len(unknown)
            for identity in identities:
                if identity in holders:
                    holders[identity] |= seat
        complaints = self._take_unknown(unknown, seat) if unknown else []
        self._broadcaster.note(sender, identities)
        return complaints

    def take_own(self, envelope: Envelope) -> Acceptance:
        """Take an envelope that this node itself posts."""
        self._counters.envelopes_received += 1
        verdict = Acceptance.OVERSIZED
        if fits(len(envelope.raw), self._standards.max_message_size):
            now = self._now()
            verdict = self._take(envelope, self._standards.rules(now), int(now), 0, direct=False)
        self._count(verdict)
        self._broadcaster.plan()
        return verdict

    def _take_unknown(self, envelopes: list[Envelope], seat: int) -> list[Complaint]:
        now = self._now()
        second = int(now)
        rules = self._standards.rules(now)
        direct = self._standards.light  # what a light node receives counts as sent to it alone
        complaints: list[Complaint] = []
        new = 0
        for envelope in envelopes:
            verdict = self._take(envelope, rules, second, seat, direct=direct)
            if verdict is Acceptance.NEW:
                new += 1
            else:
                self._count(verdict)
                if verdict.complaint is not None:
                    complaints.append(Complaint(envelope.hash, verdict.complaint))
        self._counters.envelopes_cached["miss"] += new
        self._counters.envelopes_evicted += self._pool.shrink()
        return complaints

    def _take(
        self, envelope: Envelope, rules: Rules, second: int, seat: int, *, direct: bool
    ) -> Acceptance:
        holders = self._pool.holders
        if envelope.hash in holders:
            holders[envelope.hash] |= seat
            return Acceptance.KNOWN
        verdict = rules.judge(envelope, second)
        if verdict is Acceptance.NEW:
            self._pool.add(envelope, seat | self._broadcaster.offer(envelope))
            self._counters.sized(envelope.size)
            if self._filters is not None:
                self._filters.offer(envelope, direct)
            if self._mail is not None:
                self._mail.archive(envelope)
        return verdict

    def _count(self, verdict: Acceptance) -> None:
        if verdict.accepted:
            self._counters.envelopes_cached[verdict.value] += 1
        else:
            self._counters.envelopes_cache_failures[verdict.value] += 1
