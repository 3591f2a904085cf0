"""Which capabilities run, and at which codes."""

from __future__ import annotations

import pytest

from statusnode.devp2p.capabilities import Channel, Offer, match, routes
from statusnode.devp2p.protocol import Capability

WAKU0, WAKU1, SHH6 = Capability("waku", 0), Capability("waku", 1), Capability("shh", 6)
OFFERS = [Offer(WAKU1, 128), Offer(WAKU0, 128), Offer(SHH6, 128)]


@pytest.mark.parametrize(
    ("theirs", "expected"),
    [
        ([], []),
        ([Capability("eth", 63)], []),
        ([Capability("waku", 2)], []),
        ([WAKU1], [(WAKU1, 16)]),
        ([WAKU0], [(WAKU0, 16)]),
        ([WAKU0, WAKU1], [(WAKU1, 16)]),
        ([WAKU1, WAKU0], [(WAKU1, 16)]),
        ([WAKU1, WAKU1], [(WAKU1, 16)]),
        ([WAKU1, SHH6], [(SHH6, 16), (WAKU1, 144)]),
        ([WAKU0, WAKU1, SHH6, Capability("eth", 63)], [(SHH6, 16), (WAKU1, 144)]),
    ],
)
def test_the_highest_common_version_of_each_name_runs_in_order_of_names(
    theirs: list[Capability], expected: list[tuple[Capability, int]]
) -> None:
    channels = match(OFFERS, theirs)
    assert [(channel.capability, channel.offset) for channel in channels] == expected


def test_blocks_of_codes_lie_end_to_end() -> None:
    offers = [Offer(Capability("b", 1), 3), Offer(Capability("a", 1), 2)]
    channels = match(offers, [offer.capability for offer in offers])
    assert channels == (Channel(Capability("a", 1), 16, 2), Channel(Capability("b", 1), 18, 3))
    assert routes(channels) == [(0, 0), (0, 1), (1, 0), (1, 1), (1, 2)]
