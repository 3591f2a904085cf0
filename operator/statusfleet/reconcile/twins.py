"""Whether a tree that our key has signed is ours: two fleets may have been given one key.

A root of ours that the memory does not know is usual after a loss: the tree goes on above it. But
one that leads to other nodes alone is another fleet's, and each would take the other's away.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Sequence

from statusfleet.publishers.sink import LaggingError, Sink
from statusnode.records.tree import Link, Root, label_of
from statusnode.records.walk import Walk

Familiar = Callable[[Collection[bytes]], Awaitable[bool]]
"""Tells whether one of these node ids is, or was, a member's."""
Namesakes = Callable[[str], Sequence[str]]
"""Names other fleets that are known to have a tree of this URL."""


async def is_twin(sink: Sink, link: Link, root: str, familiar: Familiar) -> bool:
    """Tell whether a root that our key has signed leads to other nodes than ours alone.

    Raises:
        SinkError: the sink does not answer.
    """
    walk = Walk(Root.parse(root))
    while batch := walk.take_wanted():
        labels = {wanted.label for wanted in batch}
        try:
            found = {label_of(text): text for text in await sink.entries(link.domain, labels)}
        except LaggingError:
            return False  # servers of the fleet's own, where nobody else publishes
        for wanted in batch:
            text = found.get(wanted.label)
            if text is None:
                walk.fail(wanted, "missing")
            else:
                walk.receive(wanted, text)
    nodes = {node.node_id for node in walk.nodes}
    return bool(nodes) and not await familiar(nodes)
