"""Reading trees: whole, verified, across links, and in spite of whoever made them."""

from __future__ import annotations

import pytest

from statusnode.discovery.dns import ReaderLimits, TreeReader, newest
from statusnode.discovery.sequences import SequenceMemory, StaleTreeError
from statusnode.records.enr import Record
from statusnode.records.tree import Link, SignedTree, Tree, TreeError
from support.records import DOMAIN, TREE_KEY, vector_key, vector_node, vector_tree
from support.resolvers import FakeResolver


def reader(
    *trees: SignedTree, memory: SequenceMemory | None = None, limits: ReaderLimits | None = None
) -> tuple[TreeReader, FakeResolver]:
    resolver = FakeResolver(*(tree.records() for tree in trees))
    return TreeReader(resolver, memory, limits), resolver


def linked(domain: str, links: list[str], nodes: list[Record], seq: int = 1) -> SignedTree:
    """A tree at `domain` with links to other domains, all signed by one key."""
    targets = [Link(TREE_KEY.public_key, target) for target in links]
    return Tree.build(nodes, targets).sign(TREE_KEY, domain, seq)


@pytest.mark.parametrize("nodes", [0, 1, 13, 14, 170])
async def test_a_tree_is_read_completely(nodes: int) -> None:
    signed = vector_tree(nodes)
    walker, resolver = reader(signed)

    tree = await walker.read(signed.url)

    assert tree.complete
    assert tree.nodes == signed.tree.nodes
    assert tree.root == signed.root
    assert tree.entries == len(signed.tree.entries)
    assert resolver.asked.keys() == signed.records().keys()


async def test_lookups_under_way_are_bounded() -> None:
    signed = vector_tree(170)
    walker, resolver = reader(signed, limits=ReaderLimits(concurrency=4))

    await walker.read(signed.url)

    assert resolver.most_busy == 4


async def test_links_are_followed_and_each_tree_is_read_once() -> None:
    first = linked("a.example.org", ["b.example.org", "c.example.org"], [vector_node(0)])
    second = linked("b.example.org", ["a.example.org", "c.example.org"], [vector_node(1)])
    third = linked("c.example.org", ["c.example.org"], [vector_node(2)])
    walker, resolver = reader(first, second, third)

    reading = await walker.read_all(first.url)

    assert reading.complete
    assert [tree.link.domain for tree in reading.trees] == [
        "a.example.org",
        "b.example.org",
        "c.example.org",
    ]
    assert {node.seq for node in reading.nodes()} == {1, 2, 3}
    assert all(resolver.asked[f"{letter}.example.org"] == 1 for letter in "abc")


async def test_a_linked_tree_that_cannot_be_read_is_reported_and_the_rest_is_kept() -> None:
    first = linked("a.example.org", ["gone.example.org", "b.example.org"], [vector_node(0)])
    second = linked("b.example.org", [], [vector_node(1)])
    walker, _ = reader(first, second)

    reading = await walker.read_all(first.url)

    assert not reading.complete
    assert len(reading.nodes()) == 2
    assert list(reading.complaints()) == [
        "no root at gone.example.org: there is no such name",
    ]


async def test_the_number_of_trees_is_bounded() -> None:
    trees = [linked(f"t{i}.example.org", [f"t{i + 1}.example.org"], []) for i in range(10)]
    walker, _ = reader(*trees, limits=ReaderLimits(max_trees=4))

    reading = await walker.read_all(trees[0].url)

    assert len(reading.trees) == 4
    assert list(reading.complaints()) == ["t4.example.org is not read: 4 trees are enough"]


async def test_the_number_of_entries_is_bounded() -> None:
    signed = vector_tree(50)
    walker, resolver = reader(signed, limits=ReaderLimits(max_entries=20))

    tree = await walker.read(signed.url)

    assert not tree.complete
    assert resolver.asked.total() <= 21


async def test_a_missing_or_wrong_entry_is_named() -> None:
    signed = vector_tree(14)
    walker, resolver = reader(signed)
    first, second, third = sorted(
        name for name, text in signed.records().items() if text.startswith("enr:")
    )[:3]
    del resolver.records[first]
    resolver.records[second] = signed.records()[third]
    resolver.records[third] = ["v=spf1 -all", "hello"]

    reading = await walker.read_all(signed.url)

    assert len(reading.nodes()) == 11
    assert sorted(reading.complaints()) == sorted(
        [
            f"{first}: there is no such name",
            f"{second}: the entry is not the one that the label is the hash of",
            f"{third}: its TXT records are no entries of a tree",
        ]
    )


async def test_other_texts_at_a_name_are_passed_over() -> None:
    signed = vector_tree(3)
    walker, resolver = reader(signed)
    for name, text in signed.records().items():
        resolver.records[name] = ["google-site-verification=x", text]

    assert (await walker.read(signed.url)).complete


@pytest.mark.parametrize(
    ("root", "why"),
    [
        (None, "no root at nodes.example.org: there is no such name"),
        (["v=spf1 -all"], "its TXT records are of other kinds"),
        (["enrtree-root:v1 e=x"], "the root at nodes.example.org is malformed"),
        (
            [str(vector_tree(3).tree.sign(vector_key(9), DOMAIN, 7).root)],
            "not signed by the key of the URL",
        ),
        (
            [str(vector_tree(3).root).replace("seq=7", "seq=8")],
            "not signed by the key of the URL",
        ),
    ],
)
async def test_a_root_that_proves_nothing_ends_the_reading(
    root: list[str] | None, why: str
) -> None:
    signed = vector_tree(3)
    walker, resolver = reader(signed)
    if root is None:
        del resolver.records[DOMAIN]
    else:
        resolver.records[DOMAIN] = list(root)

    with pytest.raises(TreeError, match=why):
        await walker.read(signed.url)
    assert resolver.asked.total() == 1


async def test_an_older_tree_than_one_seen_is_refused_and_the_memory_stays() -> None:
    memory = SequenceMemory()
    new, old = vector_tree(4, seq=8), vector_tree(3, seq=7)
    await reader(new, memory=memory)[0].read(new.url)

    with pytest.raises(StaleTreeError, match=r"number 7, but 8 was seen"):
        await reader(old, memory=memory)[0].read(old.url)

    assert memory.dump() == {new.url: str(new.root)}
    kept = SequenceMemory(memory.dump())
    with pytest.raises(StaleTreeError):
        await reader(old, memory=kept)[0].read(old.url)


async def test_a_tree_that_changed_under_one_number_is_read_with_a_warning() -> None:
    memory = SequenceMemory()
    first, second = vector_tree(3, seq=1), vector_tree(4, seq=1)

    assert (await reader(first, memory=memory)[0].read(first.url)).warning is None
    assert (await reader(first, memory=memory)[0].read(first.url)).warning is None
    tree = await reader(second, memory=memory)[0].read(second.url)

    assert tree.complete
    assert tree.warning == ("the tree at nodes.example.org changed, but kept the sequence number 1")


def test_the_memory_is_bounded_and_forgets_the_oldest() -> None:
    memory = SequenceMemory()
    root = vector_tree(0).root
    for number in range(1100):
        memory.check(Link(TREE_KEY.public_key, f"t{number}.example.org"), root)

    urls = list(memory.dump())

    assert len(urls) == 1000
    assert urls[0].endswith("@t100.example.org")


def test_a_memory_that_holds_no_roots_is_refused() -> None:
    with pytest.raises(TreeError):
        SequenceMemory({"enrtree://x": "hello"})


async def test_of_one_node_the_newest_record_counts() -> None:
    newer = Record.sign(vector_key(0), 50, ip="10.9.9.9", tcp=1)
    first = linked("a.example.org", ["b.example.org"], [vector_node(0), vector_node(1)])
    second = linked("b.example.org", [], [newer])
    walker, _ = reader(first, second)

    reading = await walker.read_all(first.url)

    assert newest([newer, vector_node(0)]) == [newer]
    assert sorted(node.seq for node in reading.nodes()) == [2, 50]


async def test_what_is_no_url_is_refused() -> None:
    walker, resolver = reader()

    with pytest.raises(TreeError, match="begins with"):
        await walker.read("https://example.org")
    assert resolver.asked.total() == 0
