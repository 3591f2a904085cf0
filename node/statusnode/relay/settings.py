"""What a relay is told by its operator: values, each with its unit and its default."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

DEFAULT_MAX_MESSAGE_SIZE: Final = 1 << 20
LARGEST_MAX_MESSAGE_SIZE: Final = 10 << 20
DEFAULT_MIN_POW: Final = 0.000002


@dataclass(frozen=True, slots=True)
class RateLimits:
    """One kind of limit a second, as peers tell each other; 0 is none."""

    per_address: int = 0
    per_peer: int = 0
    per_topic: int = 0
    """Told, and never enforced: no implementation does."""


@dataclass(frozen=True, slots=True)
class LimiterSettings:
    """How much one peer, or all peers of one address, may send."""

    packet_limits: RateLimits = RateLimits()
    byte_limits: RateLimits = RateLimits()
    tolerance: int = 0
    """After so many excesses (of all peers together) whoever exceeds is disconnected; 0: never."""
    exempt_addresses: frozenset[str] = frozenset()
    exempt_nodes: frozenset[bytes] = frozenset()
    """Node ids (32 bytes)."""


@dataclass(frozen=True, slots=True)
class RelaySettings:
    """The settings of a relay; those of `RelayHost.reconfigure` may change while it runs."""

    max_message_size: int = DEFAULT_MAX_MESSAGE_SIZE
    """Bytes: the largest packet and the largest envelope that are taken."""
    min_pow: float = DEFAULT_MIN_POW
    """The proof of work that an envelope needs."""
    full_node: bool = False
    """Take everything, whatever filters are installed: what a fleet's node does."""
    bloom_filter_mode: bool = False
    """Tell peers a bloom filter instead of topics."""
    light_client: bool = False
    """Start with a bloom filter that wants nothing."""
    confirmations: bool = False
    """Confirm every Messages packet."""
    soft_blacklist: frozenset[bytes] = frozenset()
    """Node ids whose envelopes are dropped while they stay connected."""
    limiter: LimiterSettings | None = None
    """None: nothing is limited and nothing counted."""
    pool_bytes: int = 256 << 20
    """How many bytes of envelopes are kept; above it, those that live longest go first."""
