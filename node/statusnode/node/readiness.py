"""When a node may be counted on: decided here, from facts, by nobody else.

A node is ready while it listens, its archive is open and it has shaken hands with itself. Before
it is ready for the first time it also waits for the peers of its fleet, ten seconds at most: after
that, one dead member must not make all others unready. A peer that has too many peers is there,
and counts as connected.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from statusnode.devp2p.info import StaticNodeInfo
from statusnode.devp2p.protocol import DisconnectReason

FLEET_GRACE_SECONDS: Final = 10.0


@dataclass(frozen=True, slots=True)
class Facts:
    """What is so at this moment."""

    listening: bool
    answers_itself: bool
    archive_open: bool | None
    """None without a mailserver."""
    fleet: Sequence[StaticNodeInfo]
    seconds_up: float
    was_ready: bool


def missing(facts: Facts) -> list[str]:
    """Return what keeps the node from being ready, in words; nothing when it is."""
    found: list[str] = []
    if not facts.listening:
        found.append("the P2P listener is closed")
    elif not facts.answers_itself:
        found.append("the node has not shaken hands with itself yet")
    if facts.archive_open is False:
        found.append("the archive cannot be written")
    if not facts.was_ready and facts.seconds_up < FLEET_GRACE_SECONDS:
        found += [
            f"fleet peer {node.enode.host}:{node.enode.tcp} is not connected yet"
            for node in facts.fleet
            if not _is_there(node)
        ]
    return found


def _is_there(node: StaticNodeInfo) -> bool:
    return node.connected or node.refusal is DisconnectReason.TOO_MANY_PEERS
