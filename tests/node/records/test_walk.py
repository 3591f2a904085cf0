"""Walking a tree that somebody made to harm us."""

from __future__ import annotations

from statusnode.records.tree import Branch, Link, Root, label_of
from statusnode.records.walk import MAX_PROBLEMS, Walk
from support.records import TREE_KEY, vector_key, vector_node, vector_tree

EMPTY = "enrtree-branch:"


def walk(entries: dict[str, str], nodes: str, links: str = EMPTY, limit: int = 1000) -> Walk:
    """Walk from two texts, with entries by label."""
    entries = {label_of(text): text for text in (nodes, links)} | entries
    result = Walk(Root.sign(TREE_KEY, label_of(nodes), label_of(links), 1), limit)
    while batch := result.take_wanted():
        for wanted in batch:
            if wanted.label in entries:
                result.receive(wanted, entries[wanted.label])
            else:
                result.fail(wanted, "missing")
    return result


def branch(*texts: str) -> str:
    return str(Branch(tuple(map(label_of, texts))))


def reasons(result: Walk) -> list[str]:
    return [problem.reason for problem in result.problems]


def test_records_and_links_are_found_in_the_order_of_the_tree() -> None:
    links = tuple(Link(vector_key(i).public_key, f"{i}.example.org") for i in range(14))
    signed = vector_tree(30, links=links)
    result = Walk(signed.root)
    while batch := result.take_wanted():
        for wanted in reversed(batch):
            result.receive(wanted, signed.tree.entries[wanted.label])

    assert result.nodes == list(signed.tree.nodes)
    assert result.links == list(links)
    assert result.entries == dict(signed.tree.entries)
    assert result.problems == []


def test_a_broken_leaf_does_not_hide_the_others() -> None:
    good, gone = str(vector_node(0)), str(vector_node(1))
    top = branch(good, gone)

    result = walk({label_of(good): good}, top)

    assert result.nodes == [vector_node(0)]
    assert [(problem.label, problem.reason) for problem in result.problems] == [
        (label_of(gone), "missing")
    ]


def test_records_and_links_belong_to_their_own_subtrees() -> None:
    record = str(vector_node(0))
    link = str(Link(TREE_KEY.public_key, "other.example.org"))

    result = walk({}, nodes=link, links=record)

    assert sorted(reasons(result)) == [
        "a link among the node records",
        "a node record among the links",
    ]
    assert (result.nodes, result.links) == ([], [])


def test_a_root_below_a_root_is_no_entry() -> None:
    result = walk({}, nodes=str(vector_tree(1).root))

    assert reasons(result) == ['no entry of a tree begins with "enrtree-root:v1 "']


def test_an_entry_that_many_branches_name_is_asked_for_once() -> None:
    # Each level names the one below it 13 times: 13**20 paths, 20 entries.
    entries: dict[str, str] = {}
    text = str(vector_node(0))
    for _ in range(20):
        entries[label_of(text)] = text
        text = branch(*[text] * 13)

    result = walk(entries, text)

    assert result.nodes == [vector_node(0)]
    assert len(result.entries) == 22
    assert result.problems == []


def test_the_number_of_entries_is_bounded() -> None:
    texts = [str(vector_node(number)) for number in range(50)]

    result = walk({label_of(text): text for text in texts}, branch(*texts), limit=20)

    assert len(result.entries) == 20
    assert reasons(result) == ["the tree has more than 20 entries"]


def test_the_number_of_problems_is_bounded() -> None:
    result = walk({}, branch(*map(str, range(500))))

    assert len(result.problems) == MAX_PROBLEMS
