"""What differs between two configurations, and which of it a running node can take up.

A key that is not listed as live needs a restart; the node says so by name instead of pretending.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from statusnode.config.gojson import Document
from statusnode.config.model import NodeConfig
from statusnode.config.redaction import document_of

LIVE_PATHS: Final = frozenset(
    {
        "ClusterConfig.StaticNodes",
        "ClusterConfig.TrustedMailServers",
        "LogLevel",
        "MaxPeers",
        "StatusFleet.Canary",
        "StatusFleet.FleetPeers",
        "StatusFleet.Record",
        "WakuConfig.BytesRateLimitIP",
        "WakuConfig.BytesRateLimitPeerID",
        "WakuConfig.EnableRateLimiter",
        "WakuConfig.MailServerDataRetention",
        "WakuConfig.MailServerRateLimit",
        "WakuConfig.MaxMessageSize",
        "WakuConfig.MinimumPoW",
        "WakuConfig.PacketRateLimitIP",
        "WakuConfig.PacketRateLimitPeerID",
        "WakuConfig.RateLimitTolerance",
        "WakuConfig.SoftBlacklistedPeerIDs",
    }
)


@dataclass(frozen=True, slots=True)
class Changes:
    """JSON paths of the keys whose values differ."""

    live: tuple[str, ...]
    restart: tuple[str, ...]


def changes(old: NodeConfig, new: NodeConfig) -> Changes:
    """Compare two configurations key by key."""
    before, after = document_of(old), document_of(new)
    for document in (before, after):
        # Absent and empty mean the same, and a key inside it can be live only if it has a path.
        document.setdefault("StatusFleet", {})
    paths = list(_differences(before, after, ""))
    return Changes(
        live=tuple(path for path in paths if path in LIVE_PATHS),
        restart=tuple(path for path in paths if path not in LIVE_PATHS),
    )


def _differences(old: Document, new: Document, prefix: str) -> Iterator[str]:
    for key in {**old, **new}:
        before, after = old.get(key), new.get(key)
        path = prefix + key
        if isinstance(before, dict) and isinstance(after, dict) and path != "RequireTopics":
            yield from _differences(before, after, f"{path}.")
        # Go's nil and empty lists, and the empty text of an absent key, mean the same.
        elif before != after and (before or after):
            yield path
