"""Mail requests (packet 126): what a client asks a mailserver for, in both forms.

    sealed   an envelope; its payload, opened and with the signature looked at (`sealed`), is
             [lower, upper, bloom, topics, limit, cursor, batch]: seven items, all of them needed
    plain    [id, lower, upper, limit, cursor, bloom, topics], never batched one by one

The order and number of items are those of status-go 0.68.4, which the published drafts do not have
(they lack the topics, or the last items). Limits and sentences are status-go's too, since its
clients show them to people.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

from statusnode.codec import rlp
from statusnode.mailserver.archive import HASH_SIZE
from statusnode.messages.bloom import BLOOM_SIZE
from statusnode.messages.topic import TOPIC_SIZE

MAX_LIMIT: Final = 1000
_ITEMS: Final = 7
_UINT32_BITS: Final = 32
_BAD_RANGE: Final = "query range is invalid: lower > upper"
# How far beyond its own clock a server looks when no end is given: clocks of senders run ahead.
_AHEAD_SECONDS: Final = 60


class RequestError(ValueError):
    """A request that is refused; the message is what the client is told."""


@dataclass(frozen=True, slots=True)
class MailRequest:
    """What a client wants."""

    lower: int
    """First second of sending, unix."""
    upper: int
    """Last second; 0: until now."""
    bloom: bytes
    """64 bytes that an envelope's topic must pass."""
    topics: tuple[bytes, ...] = ()
    """Only these of them, where any is given."""
    limit: int = 0
    """At most so many envelopes; 0: `MAX_LIMIT`."""
    cursor: bytes = b""
    """Where the page before ended; anything but 36 bytes means from the start."""
    batch: bool = True
    """Whether many envelopes may come in one packet."""

    def encode(self) -> bytes:
        """Write the payload of the sealed form."""
        return rlp.encode(
            [
                self.lower,
                self.upper,
                self.bloom,
                self.topics,
                self.limit,
                self.cursor,
                self.batch,
            ]
        )

    def encode_plain(self, request_id: bytes) -> bytes:
        """Write the plain form under a request id of 32 bytes."""
        return rlp.encode(
            [
                request_id,
                self.lower,
                self.upper,
                self.limit,
                self.cursor,
                self.bloom,
                self.topics,
            ]
        )

    @classmethod
    def decode(cls, payload: bytes) -> MailRequest:
        """Read the payload of the sealed form.

        Raises:
            RLPError: it is not that.
        """
        items = rlp.decode_list(payload)
        if len(items) != _ITEMS:
            # Clients of the published drafts, which have fewer items, are told what status-go
            # tells them.
            wrong = "too few" if len(items) < _ITEMS else "input list has too many"
            raise rlp.RLPError(f"rlp: {wrong} elements for mailserver.MessagesRequestPayload")
        lower, upper, bloom, topics, limit, cursor, batch = items
        return cls(
            lower=rlp.as_uint(lower, _UINT32_BITS),
            upper=rlp.as_uint(upper, _UINT32_BITS),
            bloom=rlp.as_bytes(bloom),
            topics=_topics(topics),
            limit=rlp.as_uint(limit, _UINT32_BITS),
            cursor=rlp.as_bytes(cursor),
            batch=rlp.as_bool(batch),
        )

    def with_defaults(self, now: float) -> MailRequest:
        """Fill in what was left open; `now` is unix seconds."""
        return replace(
            self, upper=self.upper or int(now) + _AHEAD_SECONDS, limit=self.limit or MAX_LIMIT
        )

    def check_range(self) -> None:
        """Refuse a range that ends before it begins.

        Raises:
            RequestError: it does.
        """
        if self.upper < self.lower:
            raise RequestError(_BAD_RANGE)

    def check(self) -> None:
        """Refuse what cannot be answered, in the order in which status-go looks.

        Raises:
            RequestError: the first thing that is wrong.
        """
        wrong = self._wrong()
        if wrong is not None:
            raise RequestError(f"request is invalid: {wrong}")

    def _wrong(self) -> str | None:
        if self.upper < self.lower:
            return _BAD_RANGE
        if not self.bloom:
            return "bloom filter is empty"
        if self.limit > MAX_LIMIT:
            return "limit exceeds the maximum allowed value"
        # From here on status-go does not look: a filter of another size crashes it.
        if len(self.bloom) != BLOOM_SIZE:
            return f"bloom filter has {len(self.bloom)} bytes, not {BLOOM_SIZE}"
        for topic in self.topics:
            if len(topic) != TOPIC_SIZE:
                return f"a topic has {len(topic)} bytes, not {TOPIC_SIZE}"
        return None


@dataclass(frozen=True, slots=True)
class PlainRequest:
    """A request in the plain form."""

    request_id: bytes
    """32 bytes: shorter ones are zero-padded on the left, longer ones lose their head."""
    request: MailRequest

    @classmethod
    def decode(cls, payload: bytes) -> PlainRequest:
        """Read the plain form.

        Raises:
            RLPError: it is not that.
        """
        items = rlp.decode_list(payload)
        if len(items) != _ITEMS:
            raise rlp.RLPError(f"a plain mail request has {_ITEMS} items, not {len(items)}")
        request_id, lower, upper, limit, cursor, bloom, topics = items
        request = MailRequest(
            lower=rlp.as_uint(lower, _UINT32_BITS),
            upper=rlp.as_uint(upper, _UINT32_BITS),
            bloom=rlp.as_bytes(bloom),
            topics=_topics(topics),
            limit=rlp.as_uint(limit, _UINT32_BITS),
            cursor=rlp.as_bytes(cursor),
        )
        return cls(rlp.as_bytes(request_id)[-HASH_SIZE:].rjust(HASH_SIZE, b"\0"), request)


def _topics(item: rlp.Decoded) -> tuple[bytes, ...]:
    return tuple(rlp.as_bytes(topic) for topic in rlp.as_list(item))
