"""The number of a tree grows with each change, and never falls."""

from __future__ import annotations

import pytest

from statusfleet.tree.sequence import next_sequence
from statusnode.records.tree import Link, Tree
from support.records import TREE_KEY, vector_node, vector_tree

PUBLISHED = vector_tree(3, seq=7)
SAME = PUBLISHED.tree
MORE_NODES = vector_tree(4).tree
MORE_LINKS = Tree.build(SAME.nodes, [Link(TREE_KEY.public_key, "other.example.org")])
OTHER_URL = PUBLISHED.url.replace("nodes.", "more.")


@pytest.mark.parametrize(
    ("tree", "url", "highest_seen", "seq"),
    [
        (SAME, PUBLISHED.url, 0, 7),
        (SAME, PUBLISHED.url, 7, 7),
        (MORE_NODES, PUBLISHED.url, 7, 8),
        (MORE_LINKS, PUBLISHED.url, 7, 8),
        (SAME, OTHER_URL, 7, 8),
        # Kept before a crash, or read from a sink: another tree may have been shown under it.
        (SAME, PUBLISHED.url, 9, 10),
        (MORE_NODES, PUBLISHED.url, 9, 10),
        # A backup was restored: the sink is ahead of what is kept.
        (MORE_NODES, PUBLISHED.url, 3, 8),
    ],
)
def test_the_next_number(tree: Tree, url: str, highest_seen: int, seq: int) -> None:
    assert next_sequence(tree, url, published=PUBLISHED, highest_seen=highest_seen) == seq


def test_the_first_tree_follows_the_highest_number_kept() -> None:
    assert next_sequence(SAME, PUBLISHED.url, published=None) == 1
    assert next_sequence(SAME, PUBLISHED.url, published=None, highest_seen=41) == 42


def test_a_changed_record_is_a_changed_tree() -> None:
    tree = Tree.build([vector_node(0), vector_node(1), vector_node(4)])

    assert next_sequence(tree, PUBLISHED.url, published=PUBLISHED) == 8
