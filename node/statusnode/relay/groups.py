"""Groups of peers that want the same, so that an envelope is matched once a group, not once a peer.

Relays want everything and make one or two groups; light peers make many small ones, which are found
by topic. What no index can find, bloom filters, is looked at in turn.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

from statusnode.messages.envelope import Envelope
from statusnode.relay.interest import Interest
from statusnode.relay.outbox import Outbox


class Member(Protocol):
    """What a group knows of a peer."""

    @property
    def seat(self) -> int:
        """The peer's bit in the pool."""
        ...

    @property
    def interest(self) -> Interest: ...

    @property
    def outbox(self) -> Outbox: ...

    @property
    def told(self) -> set[bytes]:
        """Hashes of what the peer itself has sent since the last flush."""
        ...


class Group:
    """Peers of equal interest, and what they are all to be sent at the next flush."""

    __slots__ = ("interest", "members", "pending", "requirement", "seats")

    def __init__(self, interest: Interest) -> None:
        self.interest = interest
        self.requirement = interest.pow_requirement
        self.members: list[Member] = []
        self.seats = 0
        self.pending: list[Envelope] = []


class Groups:
    """All groups, by how they are found."""

    def __init__(self) -> None:
        self._groups: dict[Interest, Group] = {}
        self._of_everything: list[Group] = []
        self._of_topic: dict[bytes, list[Group]] = {}
        self._of_bloom: list[Group] = []
        self._waiting: list[Group] = []  # those with something pending

    def join(self, member: Member) -> None:
        """Put a peer where its interest belongs."""
        interest = member.interest
        group = self._groups.get(interest)
        if group is None:
            group = self._groups[interest] = Group(interest)
            for index in self._indexes(interest):
                index.append(group)
        group.members.append(member)
        group.seats |= member.seat

    def leave(self, member: Member) -> None:
        """Take a peer out; nothing if it is in no group."""
        group = self._groups.get(member.interest)
        if group is None or member not in group.members:
            return
        group.members.remove(member)
        group.seats &= ~member.seat
        if not group.members:
            del self._groups[member.interest]
            for index in self._indexes(member.interest):
                index.remove(group)
            for topic in member.interest.topics or ():
                if not self._of_topic[topic]:
                    del self._of_topic[topic]

    def offer(self, envelope: Envelope) -> int:
        """Let every group that wants `envelope` have it; return the seats of their members."""
        seats = 0
        for group in (*self._of_everything, *self._of_topic.get(envelope.topic, ())):
            if envelope.reaches(group.requirement):
                seats |= self._add(group, envelope)
        for group in self._of_bloom:
            if group.interest.wants(envelope):
                seats |= self._add(group, envelope)
        return seats

    def take_waiting(self) -> list[Group]:
        """Return the groups that have something pending, which now is to be sent."""
        waiting, self._waiting = self._waiting, []
        return waiting

    def _add(self, group: Group, envelope: Envelope) -> int:
        if not group.pending:
            self._waiting.append(group)
        group.pending.append(envelope)
        return group.seats

    def _indexes(self, interest: Interest) -> Iterable[list[Group]]:
        if interest.wants_all_topics:
            yield self._of_everything
        elif interest.topics is None:
            yield self._of_bloom
        else:
            for topic in interest.topics:
                yield self._of_topic.setdefault(topic, [])
