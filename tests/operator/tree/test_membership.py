"""Who is in the tree: a table of fleets, and what holds for every fleet."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from statusfleet.tree.membership import Candidate, Membership, Standing, choose_members
from statusnode.records.enr import Record
from support.records import vector_key, vector_node

NOW = 1_600_000_000.0
GRACE = 60.0


def ready(number: int, *, listed: bool = True) -> Candidate:
    record = vector_node(number)
    return Candidate(f"relayer-{number}", record, record if listed else None, None)


def unready(number: int, seconds: float, *, listed: bool = True) -> Candidate:
    record = vector_node(number)
    return Candidate(f"relayer-{number}", record, record if listed else None, NOW - seconds)


def choose(*candidates: Candidate, grace_seconds: float = GRACE) -> Membership:
    return choose_members(candidates, now=NOW, grace_seconds=grace_seconds)


@pytest.mark.parametrize(
    ("candidates", "standings"),
    [
        ([], []),
        ([ready(0)], [Standing.STAYS]),
        ([ready(0, listed=False)], [Standing.ENTERS]),
        ([unready(0, 999, listed=False)], [Standing.WAITS]),
        # The grace period, to the second.
        ([ready(0), unready(1, 59.9)], [Standing.STAYS, Standing.GRACE]),
        ([ready(0), unready(1, 60)], [Standing.STAYS, Standing.LEAVES]),
        # Never the last one.
        ([unready(0, 999)], [Standing.KEPT]),
        # Never more than half of the desired; those that went last are kept.
        ([unready(0, 100), unready(1, 200)], [Standing.KEPT, Standing.LEAVES]),
        (
            [ready(0), unready(1, 300), unready(2, 100), unready(3, 200)],
            [Standing.STAYS, Standing.LEAVES, Standing.KEPT, Standing.LEAVES],
        ),
        (
            [ready(0), unready(1, 300), unready(2, 200)],
            [Standing.STAYS, Standing.LEAVES, Standing.KEPT],
        ),
        # One that left earlier counts: half of four is out already.
        (
            [
                unready(0, 900, listed=False),
                unready(1, 800, listed=False),
                ready(2),
                unready(3, 99),
            ],
            [Standing.WAITS, Standing.WAITS, Standing.STAYS, Standing.KEPT],
        ),
        # One that enters makes room for one to leave.
        (
            [ready(0, listed=False), ready(1), unready(2, 99), unready(3, 98)],
            [Standing.ENTERS, Standing.STAYS, Standing.LEAVES, Standing.LEAVES],
        ),
    ],
)
def test_who_enters_stays_and_leaves(
    candidates: list[Candidate], standings: list[Standing]
) -> None:
    assert list(choose(*candidates).standings.values()) == standings


def test_without_debounce_an_unready_member_leaves_at_once() -> None:
    result = choose(ready(0), unready(1, 0), grace_seconds=0)

    assert result.standings["relayer-1"] is Standing.LEAVES
    assert result.records == (vector_node(0),)
    assert result.next_change is None


def test_a_member_that_the_spec_dropped_is_no_candidate_and_so_gone() -> None:
    assert choose(ready(0)).records == (vector_node(0),)


def test_the_answer_says_when_to_ask_again() -> None:
    result = choose(ready(0), unready(1, 10), unready(2, 40))

    assert result.next_change == NOW + 20
    assert choose(ready(0)).next_change is None


def test_a_ready_member_shows_its_new_record_and_an_unready_one_the_known() -> None:
    old, new = vector_node(0), Record.sign(vector_key(0), 9, ip="10.9.9.9", tcp=1)
    one = vector_node(1)

    moved = choose(Candidate("a", new, old, None), ready(1))
    moving = choose(Candidate("a", new, old, NOW - 1), ready(1))

    assert moved.records == (new, one)
    assert moving.records == (old, one)


def test_a_member_with_another_key_is_another_node() -> None:
    replaced = Candidate("a", vector_node(5), vector_node(0), NOW - 1)

    result = choose(replaced, ready(1))

    assert result.standings["a"] is Standing.WAITS
    assert result.records == (vector_node(1),)


def test_a_member_without_an_address_waits() -> None:
    assert choose(Candidate("a", None, None, None)).standings["a"] is Standing.WAITS
    assert choose(Candidate("a", None, vector_node(0), NOW - 1)).records == (vector_node(0),)


candidates = st.lists(
    st.builds(
        lambda listed, seconds: (listed, seconds),
        st.booleans(),
        st.none() | st.floats(min_value=0, max_value=200),
    ),
    max_size=12,
).map(
    lambda states: [
        Candidate(
            f"relayer-{number}",
            vector_node(number),
            vector_node(number) if listed else None,
            None if seconds is None else NOW - seconds,
        )
        for number, (listed, seconds) in enumerate(states)
    ]
)


@given(candidates)
def test_unreadiness_never_takes_more_than_half_nor_the_last(fleet: list[Candidate]) -> None:
    result = choose(*fleet)
    before = sum(candidate.published is not None for candidate in fleet)
    left = sum(standing is Standing.LEAVES for standing in result.standings.values())

    assert left <= len(fleet) // 2
    assert len(result.records) >= min(before, max(len(fleet) - len(fleet) // 2, 1))
    assert all(
        result.standings[candidate.name].listed
        for candidate in fleet
        if candidate.unready_since is None
    )


@given(candidates)
def test_asking_again_with_the_answer_changes_nothing(fleet: list[Candidate]) -> None:
    first = choose(*fleet)
    published = {record.node_id: record for record in first.records}
    again = choose(
        *(
            Candidate(
                candidate.name,
                candidate.record,
                published.get(candidate.record.node_id) if candidate.record else None,
                candidate.unready_since,
            )
            for candidate in fleet
        )
    )

    assert again.records == first.records
