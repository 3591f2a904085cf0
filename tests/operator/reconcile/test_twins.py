"""How a tree of another fleet is told from ours that was forgotten, and how often it is read."""

from __future__ import annotations

from collections.abc import Collection

from statusfleet.publishers.sink import LaggingError
from statusfleet.reconcile.twins import Twins
from statusnode.records.tree import Link, SignedTree
from support.fake_sinks import URL, FakeSink, records, signed

LINK = Link.parse(URL)


class Scene:
    """A sink with a tree of these nodes, and a fleet of others."""

    def __init__(self, tree: SignedTree, members: range) -> None:
        self.tree = tree
        self.sink = FakeSink("a", [], dict(tree.records()))
        self.ids = {record.node_id for record in records(members)}
        self.twins = Twins()

    async def is_twin(self) -> bool:
        root = await self.sink.root(LINK.domain)
        assert root is not None
        return await self.twins.is_twin(self.sink, LINK, root, self._familiar)

    async def _familiar(self, nodes: Collection[bytes]) -> bool:
        return not self.ids.isdisjoint(nodes)

    @property
    def reads(self) -> int:
        return self.sink.log.count("a entries")


async def test_a_tree_that_leads_to_no_node_of_ours_is_anothers_and_read_once() -> None:
    scene = Scene(signed(range(200), 3), range(200, 205))
    assert await scene.is_twin()
    reads = scene.reads
    assert await scene.is_twin()
    assert scene.reads == reads
    # The next of its trees is another.
    scene.sink.texts = dict(signed(range(199), 4).records())
    assert await scene.is_twin()
    assert scene.reads > reads


async def test_once_a_node_of_it_is_ours_it_is_ours() -> None:
    scene = Scene(signed(range(3), 3), range(5, 7))
    assert await scene.is_twin()
    scene.ids |= {record.node_id for record in records(range(2, 3))}
    assert not await scene.is_twin()


async def test_a_tree_with_a_node_of_ours_or_with_none_is_no_twin() -> None:
    assert not await Scene(signed(range(3), 3), range(2, 7)).is_twin()
    assert not await Scene(signed(range(0), 3), range(2, 7)).is_twin()


async def test_what_could_not_be_read_whole_is_read_again() -> None:
    scene = Scene(signed(range(40), 3), range(38, 39))
    whole = dict(scene.sink.texts)
    (leaf,) = [name for name, text in whole.items() if text == str(records(range(38, 39))[0])]
    del scene.sink.texts[leaf]
    assert await scene.is_twin()
    scene.sink.texts = whole
    assert not await scene.is_twin()


async def test_servers_of_the_fleet_s_own_that_are_behind_show_no_twin() -> None:
    scene = Scene(signed(range(3), 3), range(5, 7))
    scene.sink.refuses["entries"] = LaggingError("behind")
    assert not await scene.is_twin()
