"""Who dials whom."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from statusfleet.plan.ring import MIN_NEIGHBOURS, neighbours


def names(count: int) -> list[str]:
    return [f"relayer-{n}" for n in range(count)]


def reachable(ring: dict[str, tuple[str, ...]], start: str) -> dict[str, int]:
    """Return the hops to each member that `start` reaches."""
    hops, front = {start: 0}, [start]
    while front:
        name = front.pop(0)
        for other in ring[name]:
            if other not in hops:
                hops[other] = hops[name] + 1
                front.append(other)
    return hops


@pytest.mark.parametrize("count", range(6))
def test_in_a_small_fleet_everybody_dials_everybody(count: int) -> None:
    ring = neighbours(names(count))
    assert all(set(others) == set(names(count)) - {name} for name, others in ring.items())


@given(st.sets(st.text("abc-0123456789", min_size=1, max_size=8), min_size=2, max_size=60))
def test_neighbours_are_mutual_at_least_three_and_all_are_connected(members: set[str]) -> None:
    ring = dict(neighbours(members))
    assert set(ring) == members
    for name, others in ring.items():
        assert name not in others
        assert len(set(others)) == len(others) >= min(MIN_NEIGHBOURS, len(members) - 1)
        assert all(name in ring[other] for other in others)
    assert set(reachable(ring, next(iter(members)))) == members


@given(st.permutations(names(12)))
def test_the_order_of_the_names_does_not_matter(order: list[str]) -> None:
    assert neighbours(order) == neighbours(names(12))


@given(st.integers(6, 60))
def test_one_member_more_touches_a_handful_of_others(count: int) -> None:
    before, after = neighbours(names(count)), neighbours(names(count + 1))
    touched = [name for name in before if before[name] != after[name]]
    # Two rings with two neighbours each, and those who lose or gain the next one of the first.
    assert len(touched) <= 12


@pytest.mark.parametrize("count", [40, 200, 500])
def test_a_large_fleet_has_few_connections_and_short_paths(count: int) -> None:
    ring = dict(neighbours(names(count)))
    assert max(len(others) for others in ring.values()) <= 6
    assert max(reachable(ring, "relayer-0").values()) <= 8


@pytest.mark.parametrize("count", [8, 40, 200])
def test_any_one_member_may_go_and_the_rest_stays_connected(count: int) -> None:
    ring = dict(neighbours(names(count)))
    for gone in ring:
        rest = {
            name: tuple(other for other in others if other != gone)
            for name, others in ring.items()
            if name != gone
        }
        assert len(reachable(rest, next(iter(rest)))) == count - 1
