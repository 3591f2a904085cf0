"""Filters: the messages that this node itself can read, opened and kept for whoever asked.

A filter names a key, and optionally topics, a signer and a least proof of work. The registry is
offered every envelope that the relay accepts, on first sight. One whose topic no filter wants
costs two dictionary look-ups; only then is a key tried, and an asymmetric one only on data that
can be asymmetric. Opened messages wait in the filter, each once, until they are drained, or go to
its listener at once. A filter that nobody drains loses its oldest messages beyond a bound of
count and bytes.

The registry never changes what the relay wants of its peers: whoever installs a filter does
(status-go's node narrows its interest to the topics of its filters).
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Final, TypeAlias

from statusnode.crypto.keys import PrivateKey, PublicKey
from statusnode.messages import payload, sealing
from statusnode.messages.envelope import Envelope
from statusnode.messages.payload import Payload, PayloadError
from statusnode.messages.sealing import OpeningError

MAX_MESSAGES: Final = 8192
MAX_BYTES: Final = 32 << 20
_ID_SIZE: Final = 32


@dataclass(frozen=True, slots=True)
class Criteria:
    """What a filter lets through."""

    key: bytes | PrivateKey = field(repr=False)
    """A symmetric key, or the key pair that messages are addressed to."""
    topics: frozenset[bytes] = frozenset()
    """None given: every topic."""
    signer: PublicKey | None = None
    """If set, only messages signed by this key."""
    min_pow: float = 0.0
    """Direct messages count as having a proof of work of 0."""
    allow_direct: bool = False
    """Whether direct (peer-to-peer) messages, as mailservers send them, are let through."""


@dataclass(frozen=True, slots=True)
class Message:
    """An opened message."""

    envelope: Envelope
    payload: Payload
    recipient: PublicKey | None
    """The key it was addressed to; None if it was sealed with a symmetric key."""
    direct: bool


Listener: TypeAlias = Callable[[Message], None]


class UnknownFilterError(LookupError):
    """An id under which there is no filter."""


class _Filter:
    """One filter with its waiting messages."""

    def __init__(self, criteria: Criteria, listener: Listener | None) -> None:
        self.criteria = criteria
        self._listener = listener
        self._waiting: dict[bytes, Message] = {}
        self._waiting_bytes = 0

    def take(self, message: Message) -> int:
        """Keep a message or tell the listener; return how many older ones were lost for it."""
        if self._listener is not None:
            self._listener(message)
            return 0
        if message.envelope.hash in self._waiting:
            return 0
        self._waiting[message.envelope.hash] = message
        self._waiting_bytes += message.envelope.size
        lost = 0
        while len(self._waiting) > MAX_MESSAGES or self._waiting_bytes > MAX_BYTES:
            oldest = self._waiting.pop(next(iter(self._waiting)))
            self._waiting_bytes -= oldest.envelope.size
            lost += 1
        return lost

    def drain(self) -> list[Message]:
        messages = list(self._waiting.values())
        self._waiting.clear()
        self._waiting_bytes = 0
        return messages


class FilterRegistry:
    """All filters of a node, found by topic; the relay's `FilterSink`."""

    def __init__(self) -> None:
        self.lost = 0
        """Messages that were dropped because nobody drained their filter."""
        self._filters: dict[str, _Filter] = {}
        self._by_topic: dict[bytes, list[_Filter]] = {}
        self._of_every_topic: list[_Filter] = []

    def install(self, criteria: Criteria, listener: Listener | None = None) -> str:
        """Add a filter and return its id; with a listener, messages go there as they come."""
        filter_id = secrets.token_hex(_ID_SIZE)
        new = self._filters[filter_id] = _Filter(criteria, listener)
        if not criteria.topics:
            self._of_every_topic.append(new)
        for topic in criteria.topics:
            self._by_topic.setdefault(topic, []).append(new)
        return filter_id

    def uninstall(self, filter_id: str) -> None:
        """Remove a filter and what waits in it.

        Raises:
            UnknownFilterError: there is none.
        """
        old = self._filters.pop(filter_id, None)
        if old is None:
            raise UnknownFilterError(f"failed to unsubscribe: invalid ID '{filter_id}'")
        if not old.criteria.topics:
            self._of_every_topic.remove(old)
        for topic in old.criteria.topics:
            self._by_topic[topic].remove(old)
            if not self._by_topic[topic]:
                del self._by_topic[topic]

    def has(self, filter_id: str) -> bool:
        """Tell whether there is such a filter."""
        return filter_id in self._filters

    def drain(self, filter_id: str) -> list[Message]:
        """Take the messages that came since the last call, oldest first.

        Raises:
            UnknownFilterError: there is no such filter.
        """
        try:
            return self._filters[filter_id].drain()
        except KeyError as error:
            raise UnknownFilterError("filter not found") from error

    def offer(self, envelope: Envelope, direct: bool) -> None:
        """Open an envelope for the filters that want it."""
        interested = self._by_topic.get(envelope.topic)
        if interested is None and not self._of_every_topic:
            return
        message: Message | None = None
        for candidate in self._candidates(interested):
            criteria = candidate.criteria
            if not _may_pass(criteria, envelope, direct):
                continue
            # One key alone opens an envelope: who has another need not try.
            if message is None:
                message = _open(envelope, criteria.key, direct)
                opened_with = criteria.key
            elif not _same_key(criteria.key, opened_with):
                continue
            if message is not None and _signed_as_wanted(criteria, message):
                self.lost += candidate.take(message)

    def _candidates(self, interested: list[_Filter] | None) -> Iterator[_Filter]:
        # Copies: a listener may install or remove filters.
        yield from tuple(self._of_every_topic)
        yield from tuple(interested or ())


def _may_pass(criteria: Criteria, envelope: Envelope, direct: bool) -> bool:
    """Judge an envelope before it is opened."""
    if direct:
        return criteria.allow_direct and criteria.min_pow <= 0
    return criteria.min_pow <= 0 or envelope.reaches(criteria.min_pow)


def _signed_as_wanted(criteria: Criteria, message: Message) -> bool:
    return criteria.signer is None or criteria.signer == message.payload.signer


def _same_key(one: bytes | PrivateKey, other: bytes | PrivateKey) -> bool:
    if isinstance(one, PrivateKey):
        return isinstance(other, PrivateKey) and one.public_key == other.public_key
    return one == other


def _open(envelope: Envelope, key: bytes | PrivateKey, direct: bool) -> Message | None:
    data = envelope.data
    try:
        if isinstance(key, PrivateKey):
            if not sealing.may_be_asymmetric(data):
                return None
            plaintext, recipient = sealing.open_asymmetric(data, key), key.public_key
        else:
            plaintext, recipient = sealing.open_symmetric(data, key), None
        return Message(envelope, payload.decode(plaintext), recipient, direct)
    except (OpeningError, PayloadError):
        return None
