"""A new tree replaces an old one, and at no moment does a reader meet a missing entry."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from statusfleet.tree.publication import (
    AddEntries,
    MoveRoot,
    Publication,
    RemoveEntries,
    Step,
    publication_steps,
    retention_seconds,
)
from statusnode.records.tree import SignedTree, Tree, TreeError
from support.records import DOMAIN, TREE_KEY, vector_node, vector_tree

NOW = 1_600_000_000.0
HOUR = 3600.0


def tree_of(numbers: list[int], seq: int) -> SignedTree:
    return Tree.build([vector_node(number) for number in numbers]).sign(TREE_KEY, DOMAIN, seq)


def can_be_read(served: dict[str, str], tree: SignedTree) -> bool:
    """Whether a reader that holds the root of `tree` finds all of it."""
    records = {**served, tree.domain: str(tree.root)}
    return SignedTree.parse(tree.url, records) == tree


def apply(served: dict[str, str], step: Step) -> dict[str, str]:
    match step:
        case AddEntries(records):
            return {**served, **records}
        case MoveRoot(name, old, new):
            assert served.get(name) == old
            return {**served, name: new}
        case RemoveEntries(names):
            return {name: text for name, text in served.items() if name not in names}


@pytest.mark.parametrize(
    ("root_ttl_seconds", "entries", "seconds"),
    [
        (1, 3, 2 * HOUR),  # never below two hours
        (300, 500, 2 * HOUR),
        (3 * HOUR, 500, 3.5 * HOUR),  # root TTL and a reader's recheck
        (300, 100_000, 100_000 / 3),  # a walk at three look-ups a second
    ],
)
def test_how_long_entries_outlive_their_tree(
    root_ttl_seconds: float, entries: int, seconds: float
) -> None:
    assert retention_seconds(root_ttl_seconds, entries) == seconds


def test_entries_that_the_new_root_does_not_name_stay_for_a_while() -> None:
    old, new = tree_of([0, 1, 2], 1), tree_of([0, 1, 3], 2)

    publication = Publication(old).replaced_by(new, now=NOW, root_ttl_seconds=300)

    assert can_be_read(publication.records(), old)
    assert can_be_read(publication.records(), new)
    assert publication.next_expiry == NOW + 2 * HOUR
    assert publication.pruned(now=NOW + 2 * HOUR - 1) is publication
    assert publication.pruned(now=NOW + 2 * HOUR).records() == new.records()


def test_an_entry_that_comes_back_is_no_longer_retired() -> None:
    first, second, third = tree_of([0, 1], 1), tree_of([0], 2), tree_of([0, 1], 3)
    publication = Publication(first).replaced_by(second, now=NOW, root_ttl_seconds=1)

    publication = publication.replaced_by(third, now=NOW + 1, root_ttl_seconds=1)

    assert publication.retired == {}
    assert publication.records() == third.records()


def test_each_retired_entry_has_its_own_time() -> None:
    publication = Publication(tree_of([0, 1], 1))
    publication = publication.replaced_by(tree_of([0, 2], 2), now=NOW, root_ttl_seconds=1)
    publication = publication.replaced_by(tree_of([0, 3], 3), now=NOW + HOUR, root_ttl_seconds=1)

    halfway = publication.pruned(now=NOW + 2.5 * HOUR)

    assert can_be_read(halfway.records(), tree_of([0, 2], 2))
    assert not set(tree_of([0, 1], 1).records()) <= set(halfway.records())


def test_at_another_domain_nothing_is_left_of_the_old_tree() -> None:
    moved = vector_tree(2, domain="elsewhere.example.org")

    publication = Publication(vector_tree(3)).replaced_by(moved, now=NOW, root_ttl_seconds=1)

    assert publication.records() == moved.records()


def test_what_is_kept_on_disk_reads_back() -> None:
    publication = Publication(tree_of([0, 1], 1))
    publication = publication.replaced_by(tree_of([0, 2], 2), now=NOW, root_ttl_seconds=1)

    again = Publication.load(json.loads(json.dumps(publication.dump())))

    assert again == publication


@pytest.mark.parametrize(
    "change",
    [
        {"url": "enrtree://x"},
        {"records": {}},
        {"records": None},
        {"retired": [{}]},
        {"retired": [{"text": 1, "until": 2}]},
        {"retired": [{"text": "x", "until": "soon"}]},
        {"retired": 5},
    ],
)
def test_a_state_that_does_not_hold_together_is_refused(change: dict[str, object]) -> None:
    with pytest.raises(TreeError):
        Publication.load({**vector_publication().dump(), **change})  # type: ignore[typeddict-item]


def vector_publication() -> Publication:
    return Publication(vector_tree(3))


def test_the_first_publication_adds_entries_and_then_the_root() -> None:
    publication = vector_publication()

    steps = publication_steps({}, publication)

    assert [type(step) for step in steps] == [AddEntries, MoveRoot]
    assert steps[1] == MoveRoot(DOMAIN, None, str(publication.tree.root))


def test_nothing_to_do_is_no_step_whatever_the_case_of_names() -> None:
    records = vector_publication().records()

    assert publication_steps(records, vector_publication()) == ()
    lowered = {name.lower(): text for name, text in records.items()}
    assert publication_steps(lowered, vector_publication()) == ()


def test_an_entry_with_a_wrong_content_is_written_again() -> None:
    publication = vector_publication()
    name = next(name for name in publication.records() if name != DOMAIN)
    served = {**publication.records(), name.lower(): "wrong"}
    del served[name]

    steps = publication_steps(served, publication)

    assert steps == (AddEntries({name: publication.records()[name]}),)


numbers = st.lists(st.integers(min_value=0, max_value=40), max_size=40, unique=True)


@given(numbers, numbers, numbers)
def test_a_reader_of_the_served_root_finds_everything_after_every_step(
    first: list[int], second: list[int], third: list[int]
) -> None:
    served = Publication(tree_of(first, 1)).records()
    trees = {str(tree_of(first, 1).root): tree_of(first, 1)}
    publication = Publication(tree_of(first, 1))
    for seq, content in ((2, second), (3, third)):
        tree = tree_of(content, seq)
        trees[str(tree.root)] = tree
        publication = publication.replaced_by(tree, now=NOW, root_ttl_seconds=1)
        for step in publication_steps(served, publication):
            served = apply(served, step)
            assert can_be_read(served, trees[served[DOMAIN]])
        assert served == publication.records()
        assert publication_steps(served, publication) == ()
    # Readers that hold an older root are served until its time is over.
    assert all(can_be_read(served, tree) for tree in trees.values())
    publication = publication.pruned(now=NOW + 3 * HOUR)
    for step in publication_steps(served, publication):
        served = apply(served, step)
    assert served == trees[served[DOMAIN]].records()


@given(numbers, numbers, st.integers(min_value=0, max_value=3))
def test_an_interrupted_publication_goes_on_where_it_stopped(
    first: list[int], second: list[int], done: int
) -> None:
    served = Publication(tree_of(first, 1)).records()
    target = Publication(tree_of(first, 1)).replaced_by(
        tree_of(second, 2), now=NOW, root_ttl_seconds=1
    )
    for step in publication_steps(served, target)[:done]:
        served = apply(served, step)

    for step in publication_steps(served, target):
        served = apply(served, step)

    assert served == target.records()
