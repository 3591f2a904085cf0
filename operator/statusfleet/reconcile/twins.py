"""Whether a tree that our key has signed is ours: two fleets may have been given one key.

A root of ours that the memory does not know is usual after a loss: the tree goes on above it. But
one that leads to other nodes alone is another fleet's, and each would take the other's away.

To tell, all of that tree is read. A twin's stays, and is looked at again and again, so the nodes
that its root leads to are remembered: the root is a hash over all of them.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, Sequence
from typing import Final

from statusfleet.publishers.sink import LaggingError, Sink
from statusnode.records.tree import Link, Root, label_of
from statusnode.records.walk import Walk, Wanted

Familiar = Callable[[Collection[bytes]], Awaitable[bool]]
"""Tells whether one of these node ids is, or was, a member's."""
Namesakes = Callable[[str], Sequence[str]]
"""Names other fleets that are known to have a tree of this URL."""

_MOST_REMEMBERED: Final = 4
_AT_ONCE: Final = 50
"""Entries that are read before others get their turn: about ten milliseconds of node records."""


class Twins:
    """The trees of other fleets that were found at the sinks of one fleet."""

    def __init__(self) -> None:
        self._nodes: dict[str, frozenset[bytes]] = {}  # by root, the oldest first

    async def is_twin(self, sink: Sink, link: Link, root: str, familiar: Familiar) -> bool:
        """Tell whether a root that our key has signed leads to other nodes than ours alone.

        Raises:
            SinkError: the sink does not answer.
        """
        nodes = self._nodes.get(root)
        if nodes is not None:
            return not await familiar(nodes)
        try:
            walk = await _walk(sink, link, root)
        except LaggingError:
            return False  # servers of the fleet's own, where nobody else publishes
        nodes = frozenset(node.node_id for node in walk.nodes)
        found = bool(nodes) and not await familiar(nodes)
        if found and not walk.problems:
            self._nodes[root] = nodes
            if len(self._nodes) > _MOST_REMEMBERED:
                del self._nodes[next(iter(self._nodes))]
        return found


async def _walk(sink: Sink, link: Link, root: str) -> Walk:
    """Read all of a tree that a sink shows.

    Raises:
        SinkError: the sink does not answer.
    """
    walk = Walk(Root.parse(root))
    while batch := walk.take_wanted():
        labels = {wanted.label for wanted in batch}
        found = {label_of(text): text for text in await sink.entries(link.domain, labels)}
        for place, wanted in enumerate(batch, start=1):
            _give(walk, wanted, found.get(wanted.label))
            if place % _AT_ONCE == 0:
                await asyncio.sleep(0)
    return walk


def _give(walk: Walk, wanted: Wanted, text: str | None) -> None:
    if text is None:
        walk.fail(wanted, "missing")
    else:
        walk.receive(wanted, text)
