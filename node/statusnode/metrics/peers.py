"""The metrics of devp2p: traffic, and who is connected (`p2p_*`)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Final

from statusnode.devp2p.counters import Counters
from statusnode.devp2p.info import PeerInfo
from statusnode.metrics.text import Family, Sample, counter, gauge

_FULL_NAME_PARTS: Final = 4
_SHORT_NAME_PARTS: Final = 3


def traffic_families(counters: Counters) -> list[Family]:
    """Return what the connections add up to; gauges, because go-ethereum exports meters as such."""
    return [
        gauge("p2p_ingress", "Bytes read from peers.", counters.ingress_bytes),
        gauge("p2p_egress", "Bytes written to peers.", counters.egress_bytes),
        gauge("p2p_serves", "Inbound connections.", counters.serves),
        gauge("p2p_dials", "Outbound connections.", counters.dials),
        counter("p2p_dials_failed_total", "Dials without a connection.", counters.failed_dials),
        counter(
            "p2p_handshakes_failed_total",
            "Connections that ended before they were a session.",
            counters.failed_handshakes,
        ),
        counter(
            "p2p_throttled_total",
            "Inbound connections refused because their address tried too often.",
            counters.throttled,
        ),
        counter(
            "p2p_evicted_total",
            "Silent inbound connections that made room for others.",
            counters.evicted,
        ),
        counter(
            "p2p_slow_peers_total",
            "Sessions ended because the peer did not read.",
            counters.slow_peers,
        ),
    ]


def peer_families(peers: Iterable[PeerInfo], max_peers: int) -> list[Family]:
    """Return who is connected, by what their names say of them."""
    known = list(peers)
    kinds = Counter(kind for peer in known if (kind := _kind(peer.client_name)) is not None)
    samples = tuple(
        Sample(count, (("type", name), ("version", version), ("platform", platform)))
        for (name, version, platform), count in sorted(kinds.items())
    )
    return [
        Family("p2p_peers_count", "gauge", "Connected peers by name.", samples),
        gauge("p2p_peers_absolute", "Connected peers.", len(known)),
        gauge("p2p_peers_max", "Peers that may connect.", max_peers),
        gauge("p2p_peers", "Connected peers.", len(known)),
    ]


def _kind(name: str) -> tuple[str, str, str] | None:
    """Split `type/version/platform/language`, in which the version may be missing."""
    parts = name.split("/")
    if len(parts) == _FULL_NAME_PARTS:
        return parts[0], parts[1], parts[2]
    if len(parts) == _SHORT_NAME_PARTS:
        return parts[0], "unknown", parts[1]
    return None
