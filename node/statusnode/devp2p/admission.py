"""Who may connect: pure decisions, so that each has a table of tests.

Sources: go-ethereum `p2p/server.go` (post-handshake checks, inbound throttle); the tie-break of
crossing dials is ours.
"""

from __future__ import annotations

from collections.abc import Container
from typing import Final

from statusnode.devp2p.addresses import is_local
from statusnode.devp2p.protocol import DisconnectReason

_MAX_REMEMBERED: Final = 65_536


def refusal(
    node_id: bytes,
    *,
    own_id: bytes,
    connected: Container[bytes],
    counted: int,
    max_peers: int,
    exempt: bool,
) -> DisconnectReason | None:
    """Say why a peer is refused, or None. The order is the reference's and shows on the wire.

    `counted` are the peers that use up `max_peers`; `exempt` ones are let in above it.
    """
    if counted >= max_peers and not exempt:
        return DisconnectReason.TOO_MANY_PEERS
    if node_id in connected:
        return DisconnectReason.ALREADY_CONNECTED
    if node_id == own_id:
        return DisconnectReason.SELF
    return None


def outbound_wins(own_id: bytes, peer_id: bytes) -> bool:
    """Decide between two connections of the same pair of nodes that were dialed crosswise.

    Left alone, each side may refuse the one that the other side keeps, and none is left; two
    members of a fleet that start together run into this often. So the one stays that was dialed
    by the node with the smaller id: both sides find the same answer without a word.
    """
    return own_id < peer_id


class InboundThrottle:
    """One attempt a source address in a stretch of time. Remembers a bounded number of them."""

    def __init__(self, period_seconds: float) -> None:
        self._period = period_seconds
        self._until: dict[str, float] = {}

    def admits(self, host: str, now: float) -> bool:
        """Note an attempt; tell whether it may go on. A refused one prolongs nothing."""
        while self._until:
            oldest = next(iter(self._until))
            if self._until[oldest] > now and len(self._until) < _MAX_REMEMBERED:
                break
            del self._until[oldest]
        if is_local(host):
            return True
        if host in self._until:
            return False
        self._until[host] = now + self._period
        return True
