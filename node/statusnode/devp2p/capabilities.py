"""Which capabilities a session runs, and where their packet codes lie.

Shared capabilities are sorted by name; of each name only the highest common version runs. Each
takes as many codes as its protocol reserves, the first one behind the 16 of the base protocol
(RLPx, "Capability Messaging").
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from statusnode.devp2p.messages import BASE_LENGTH
from statusnode.devp2p.protocol import Capability


@dataclass(frozen=True, slots=True)
class Offer:
    """A capability that we offer, and how many packet codes it reserves."""

    capability: Capability
    length: int


@dataclass(frozen=True, slots=True)
class Channel:
    """A capability that runs on a session, and its block of codes."""

    capability: Capability
    offset: int
    length: int


def match(offers: Iterable[Offer], theirs: Iterable[Capability]) -> tuple[Channel, ...]:
    """Return what both sides speak, in order of codes; nothing in common gives nothing."""
    announced = set(theirs)
    best: dict[str, Offer] = {}
    for offer in sorted(offers, key=lambda offer: offer.capability):
        if offer.capability in announced:
            best[offer.capability.name] = offer
    channels: list[Channel] = []
    offset = BASE_LENGTH
    for name in sorted(best):
        offer = best[name]
        channels.append(Channel(offer.capability, offset, offer.length))
        offset += offer.length
    return tuple(channels)


def routes(channels: Sequence[Channel]) -> list[tuple[int, int]]:
    """List, for each code behind the base protocol's, its channel's index and its own code.

    One look-up a packet, instead of a search.
    """
    return [
        (index, code) for index, channel in enumerate(channels) for code in range(channel.length)
    ]
