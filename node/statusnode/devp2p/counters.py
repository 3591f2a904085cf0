"""What a node's connections add up to; plain integers, read by metrics whenever they like."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(slots=True)
class Counters:
    """Totals since the start."""

    ingress_bytes: int = 0
    egress_bytes: int = 0
    serves: int = 0
    """Inbound connections that were accepted."""
    dials: int = 0
    """Outbound connections that were made."""
    failed_dials: int = 0
    """Dials that ended without a TCP connection."""
    failed_handshakes: int = 0
    """Connections, of either direction, that ended before they were a session."""
    throttled: int = 0
    """Inbound attempts refused because their address tried too often."""
    evicted: int = 0
    """Silent pending connections that made room for others."""
    slow_peers: int = 0
    """Sessions ended because the peer did not read."""
