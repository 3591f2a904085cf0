"""What is left of a memory, filled up from elsewhere or gone on with without what is lost."""

from __future__ import annotations

from dataclasses import replace

import pytest

from statusfleet.store.head import head_of, texts_of
from statusfleet.store.remains import Remains
from statusfleet.store.state import State, TreeState
from statusfleet.tree.publication import Publication
from statusnode.crypto.keys import PrivateKey
from statusnode.records.enr import Record
from statusnode.records.tree import Tree, label_of
from support.records import DOMAIN, TREE_KEY, vector_node

NOW = 1_700_000_000.0


@pytest.fixture
def state() -> State:
    """Forty members, of which one has left the tree lately and one long ago."""
    nodes = [vector_node(number) for number in range(40)]
    first = Publication(Tree.build(nodes[1:]).sign(TREE_KEY, DOMAIN, 6))
    second = Tree.build(nodes[2:]).sign(TREE_KEY, DOMAIN, 7)
    publication = first.replaced_by(second, now=NOW, root_ttl_seconds=60)
    records = {f"relayer-{number}": str(node) for number, node in enumerate(nodes)}
    return State("eth", 5, TreeState(7, publication), records, {"dns": 5353})


def remains_of(state: State, lost: set[str]) -> Remains:
    texts = texts_of(state)
    kept = {label: text for label, text in texts.items() if label not in lost}
    return Remains(head_of(state, ("a shard",), {}), kept, {})


def test_what_is_found_elsewhere_makes_it_as_it_was_whoever_gives_it(state: State) -> None:
    texts = texts_of(state)
    remains = remains_of(state, set(texts))
    assert remains.domain == DOMAIN
    rounds = 0
    while lost := remains.lost_shown:  # what a lost branch leads to shows only with it
        remains = remains.with_texts([texts[label] for label in lost] + ["v=spf1 -all"])
        rounds += 1
    assert rounds > 2
    assert remains.lost_records == ("relayer-0",)  # which is in no tree
    remains = remains.with_texts([state.records["relayer-0"]])
    assert remains.state("it", {}) == state


def test_nothing_false_is_taken(state: State) -> None:
    publication = state.tree.publication
    assert publication is not None
    branch = publication.tree.tree.node_root
    remains = remains_of(state, {branch}).with_texts(["enrtree-branch:"])
    assert remains.lost_shown == {branch}


def test_a_tree_that_is_not_whole_is_none_and_no_number_falls(state: State) -> None:
    publication = state.tree.publication
    assert publication is not None
    gone = label_of(state.records["relayer-0"])  # in no tree any more
    remains = remains_of(state, {publication.tree.tree.node_root, gone})
    assert remains.lost_records == ("relayer-0",)
    renewed = Record.sign(PrivateKey.generate(), 1_700_000_000_000)
    found = remains.state("it", {"relayer-0": str(renewed)})
    assert (found.tree.seq, found.tree.publication, found.revision) == (7, None, 5)
    assert found.records == {**state.records, "relayer-0": str(renewed)}
    assert found.ports == state.ports


def test_entries_that_only_an_earlier_tree_names_may_be_lost_alone(state: State) -> None:
    publication = state.tree.publication
    assert publication is not None
    gone = next(label for label, entry in publication.retired.items() if "branch" in entry.text)
    remains = remains_of(state, {gone})
    assert (remains.lost_retired, remains.lost_of_tree) == ({gone}, set())
    found = remains.state("it", {})
    retired = {label: entry for label, entry in publication.retired.items() if label != gone}
    assert found.tree.publication == replace(publication, retired=retired)
