"""What this node asks for: its own proof of work, size and interest, and how they change.

Peers learn of a change later than it happens, so the old value is tolerated for `SYNC_ALLOWANCE`
seconds beside the new one. With one exception, status-go's: the *first* topic interest replaces
"everything" at once, since the tolerated topics then still are none.

No timers: a tolerance is a value with a due time, looked at when the rules are asked for.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final, Generic, TypeVar

from statusnode.messages.bloom import (
    EMPTY_BLOOM,
    FULL_BLOOM,
    bloom_bytes,
    bloom_matches,
    bloom_of,
    parse_bloom,
)
from statusnode.relay.acceptance import SYNC_ALLOWANCE, Rules
from statusnode.relay.settings import LARGEST_MAX_MESSAGE_SIZE, RelaySettings
from statusnode.relay.status import MAX_TOPICS, StatusOptions

T = TypeVar("T")

_BUNDLE_BYTES: Final = 1 << 18  # spreads the cost of a frame; larger ones hold up what follows


class StandardsError(ValueError):
    """A value that the node cannot ask for."""


@dataclass(slots=True)
class _Tolerant(Generic[T]):
    """A setting and the older value of it that is still honoured."""

    current: T
    tolerated: T
    _pending: list[tuple[float, T]] = field(default_factory=list)

    def change(self, value: T, now: float) -> None:
        """Ask for `value` from now on; each change ends the tolerance of what was before it."""
        self.current = value
        self._pending.append((now + SYNC_ALLOWANCE, value))

    def settle(self, now: float) -> None:
        """End what tolerance is over."""
        while self._pending and self._pending[0][0] <= now:
            self.tolerated = self._pending.pop(0)[1]

    @property
    def next_due(self) -> float:
        """When the next tolerance ends, in unix seconds."""
        return self._pending[0][0] if self._pending else float("inf")


class Standards:
    """The node's own side of the bargain. All `now` are unix seconds."""

    def __init__(self, settings: RelaySettings, now: float) -> None:
        self.full_node = settings.full_node
        self.bloom_filter_mode = settings.bloom_filter_mode
        self.light = False
        self.max_message_size = settings.max_message_size
        self._min_pow = _Tolerant(settings.min_pow, settings.min_pow)
        self._bloom: _Tolerant[int | None] = _Tolerant(None, None)
        self._topics: _Tolerant[frozenset[bytes] | None] = _Tolerant(None, None)
        self._rules: Rules | None = None
        self._rules_until = 0.0
        if settings.light_client:
            self._bloom.change(EMPTY_BLOOM, now)

    @property
    def min_pow(self) -> float:
        """The proof of work that peers are told to send."""
        return self._min_pow.current

    @property
    def bloom(self) -> int | None:
        """The bloom filter; None asks for everything."""
        return FULL_BLOOM if self.full_node else self._bloom.current

    @property
    def topics(self) -> frozenset[bytes] | None:
        """The topic interest; None where the bloom filter counts."""
        return None if self.full_node else self._topics.current

    @property
    def bundle_bytes(self) -> int:
        """How large a packet of several envelopes may be: never more than a peer would take."""
        return min(_BUNDLE_BYTES, self.max_message_size)

    def rules(self, now: float) -> Rules:
        """Return what is taken at `now`."""
        if self._rules is None or now >= self._rules_until:
            self._rules = self._make_rules(now)
        return self._rules

    def advertised(self) -> StatusOptions:
        """Return the options of interest and proof of work of a Status."""
        in_bloom_mode = self.bloom_filter_mode or self.full_node
        return StatusOptions(
            pow_requirement=self.min_pow,
            bloom_filter=_optional_bloom(self.bloom) if in_bloom_mode else None,
            light_node=self.light,
            topic_interest=None if in_bloom_mode else _optional_topics(self.topics),
        )

    def set_max_message_size(self, size: int) -> None:
        """Take envelopes and packets up to `size` bytes.

        Raises:
            StandardsError: that is more than the protocol allows.
        """
        if size > LARGEST_MAX_MESSAGE_SIZE:
            raise StandardsError(f"message size too large [{size}>{LARGEST_MAX_MESSAGE_SIZE}]")
        self.max_message_size = size
        self._rules = None

    def set_min_pow(self, value: float, now: float) -> StatusOptions:
        """Ask for another proof of work; returns what peers must be told.

        Raises:
            StandardsError: it is negative, infinite or no number.
        """
        if not (math.isfinite(value) and value >= 0):
            raise StandardsError(f"invalid PoW: {value:f}")
        self._min_pow.change(value, now)
        self._rules = None
        return StatusOptions(pow_requirement=value)

    def set_bloom(self, bloom: bytes, now: float) -> StatusOptions | None:
        """Ask for what matches 64 bytes of bloom filter; a topic interest ends.

        Returns what peers must be told; None where a full node goes on wanting everything.

        Raises:
            BloomError: the size is wrong.
        """
        self._bloom.change(parse_bloom(bloom), now)
        self._topics.current = None
        self._rules = None
        return None if self.full_node else StatusOptions(bloom_filter=bytes(bloom))

    def set_topics(self, topics: Iterable[bytes], now: float) -> StatusOptions | None:
        """Ask for `topics` alone; a bloom filter ends. Returns as `set_bloom`.

        Raises:
            StandardsError: they are too many.
        """
        wanted = frozenset(topics)
        if len(wanted) > MAX_TOPICS:
            raise StandardsError(f"invalid topic interest: {len(wanted)}")
        if self.full_node:
            return None
        self._topics.change(wanted, now)
        self._bloom.current = None
        self._rules = None
        return StatusOptions(topic_interest=tuple(sorted(wanted)))

    def add_topics(self, topics: Iterable[bytes], now: float) -> StatusOptions | None:
        """Ask for `topics` too, as an installed filter does. Returns as `set_bloom`.

        On a node that so far wants everything this *narrows* it to these topics. In bloom filter
        mode the filter widens, or nothing happens if there is none.

        Raises:
            StandardsError: they are too many.
        """
        wanted = frozenset(topics)
        if self.full_node or not wanted:
            return None
        if not self.bloom_filter_mode:
            return self.set_topics(wanted | (self.topics or frozenset()), now)
        bloom, added = self.bloom, bloom_of(wanted)
        if bloom is None or bloom_matches(bloom, added):
            return None
        return self.set_bloom(bloom_bytes(bloom | added), now)

    def _make_rules(self, now: float) -> Rules:
        for setting in (self._min_pow, self._bloom, self._topics):
            setting.settle(now)
        self._rules_until = min(self._min_pow.next_due, self._bloom.next_due, self._topics.next_due)
        min_pow = min(self._min_pow.current, self._min_pow.tolerated)
        if self.full_node:
            return Rules(self.max_message_size, min_pow)
        topics: frozenset[bytes] | None = None
        if not self.bloom_filter_mode and self._topics.current is not None:
            topics = self._topics.current | (self._topics.tolerated or frozenset())
        blooms = (self._bloom.current, self._bloom.tolerated)
        return Rules(
            self.max_message_size,
            min_pow,
            topics,
            None if None in blooms else tuple(bloom for bloom in blooms if bloom is not None),
        )


def _optional_bloom(bloom: int | None) -> bytes | None:
    return None if bloom is None else bloom_bytes(bloom)


def _optional_topics(topics: frozenset[bytes] | None) -> tuple[bytes, ...] | None:
    return None if topics is None else tuple(sorted(topics))
