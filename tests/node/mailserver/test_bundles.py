"""How an answer is cut into packets."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from statusnode.codec import rlp
from statusnode.mailserver.bundles import Bundler

BIG = 1 << 20


def rows(*sizes: int) -> list[tuple[bytes, bytes]]:
    return [(n.to_bytes(36, "big"), bytes([n % 256]) * size) for n, size in enumerate(sizes, 1)]


def cut(bundler: Bundler, found: list[tuple[bytes, bytes]]) -> list[list[bytes]]:
    bundles = []
    for row in found:
        if not bundler.room:
            break
        bundles += list(bundler.add(row))
    return [bundle for bundle in (*bundles, bundler.finish()) if bundle]


@pytest.mark.parametrize(
    ("limit", "found", "counts", "cursor"),
    [
        (5, 9, [4, 1], 5),
        (5, 5, [4, 1], 5),  # a cursor although nothing follows
        (5, 4, [4], None),
        (1, 3, [1], 1),
        (2, 3, [1, 1], 2),
        (9, 0, [], None),
    ],
)
def test_the_envelope_that_reaches_the_limit_travels_alone(
    limit: int, found: int, counts: list[int], cursor: int | None
) -> None:
    bundler = Bundler(limit, BIG)
    assert [len(bundle) for bundle in cut(bundler, rows(*[100] * found))] == counts
    assert bundler.cursor == (b"" if cursor is None else cursor.to_bytes(36, "big"))


def test_the_last_hash_is_that_of_the_last_envelope() -> None:
    bundler = Bundler(10, BIG)
    assert bundler.last_hash == bytes(32)
    found = rows(10, 10)
    cut(bundler, found)
    assert bundler.last_hash == found[1][0][4:]


def test_an_envelope_that_no_packet_can_carry_is_passed_over() -> None:
    bundler = Bundler(10, 1000)
    assert [[len(raw) for raw in bundle] for bundle in cut(bundler, rows(400, 996, 400))] == [
        [400, 400]
    ]
    assert (bundler.count, bundler.oversized) == (3, 1)


@given(
    sizes=st.lists(st.integers(1, 400), max_size=40),
    limit=st.integers(1, 50),
    max_packet_size=st.integers(405, 1200),
)
def test_every_envelope_travels_once_in_order_and_no_packet_is_too_large(
    sizes: list[int], limit: int, max_packet_size: int
) -> None:
    found = rows(*sizes)
    bundler = Bundler(limit, max_packet_size)
    bundles = cut(bundler, found)
    sent = [raw for bundle in bundles for raw in bundle]
    assert sent == [raw for _, raw in found[:limit]]
    assert all(len(rlp.encode_list(bundle)) <= max_packet_size for bundle in bundles)
    assert bundler.size == sum(map(len, sent))
    assert bool(bundler.cursor) == (len(sizes) >= limit)
