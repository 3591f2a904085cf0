"""Publishers that are killed, each a step later than the one before, and what readers see of it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from support.killed_publisher import Errand, Publishers
from support.records import vector_node, vector_tree
from support.tree_walker import walk_once

_HOURS = 3600.0
_MOST_STEPS = 40


async def killed_at_each_step(
    publishers: Publishers, errand: Errand, place: tuple[str, int]
) -> int:
    """Publish tree after tree, killing at the first step, the second, and so on; return how many.

    After each kill readers at `place` find a whole tree, and the next publisher ends the work; no
    number is lower than one before.
    """
    url = vector_tree(0).url
    assert await publishers.run(errand)
    seq = (await walk_once(url, place)).root.seq
    for step in range(1, _MOST_STEPS):
        # Hours later, so that there is something to remove too.
        errand = replace(errand, first_node=step, now=errand.now + 3 * _HOURS)
        lived = await publishers.run(errand, kill_at=step)
        between = (await walk_once(url, place)).root.seq
        assert await publishers.run(errand)
        after = await walk_once(url, place)
        assert seq <= between <= after.root.seq
        assert after.root.seq > seq
        wanted = [vector_node(number) for number in range(step, step + errand.nodes)]
        assert {str(node) for node in after.nodes} == {str(node) for node in wanted}
        seq = after.root.seq
        if lived:
            return step
    pytest.fail(f"a publication has more than {_MOST_STEPS} steps")
