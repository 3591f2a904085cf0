"""How long and how much: every limit of a node's connections, with the value that peers expect."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Limits:
    """Limits of connections; the defaults are those of status-go, tests shorten them."""

    handshake_seconds: float = 5.0
    """From the TCP connection to the peer's Hello."""
    idle_seconds: float = 30.0
    """Within this time one whole frame must arrive; pings see to it on a healthy session."""
    ping_seconds: float = 15.0
    write_seconds: float = 20.0
    """A peer that takes no byte for so long, while some wait for it, is dropped."""
    disconnect_seconds: float = 1.0
    """How long the socket stays open for the peer to read the reason of a Disconnect."""
    dial_seconds: float = 15.0
    """To resolve a name and connect."""
    redial_seconds: float = 35.0
    """A static node is dialed again no sooner. A little above the throttle of inbound attempts."""
    parallel_dials: int = 16
    throttle_seconds: float = 30.0
    """One inbound attempt a source address in this time, except from local networks."""
    pending_grace_seconds: float = 0.5
    """With all pending slots taken, one that shows no identity in this time makes room."""
    write_high: int = 256 * 1024
    """Bytes that wait for the kernel, above which subprotocols are asked to pause."""
    write_low: int = 64 * 1024
    """Bytes at which they may go on."""
    write_limit: int = 24 * 1024 * 1024
    """Bytes at which the peer is dropped: above the high mark plus the largest frame there is."""
