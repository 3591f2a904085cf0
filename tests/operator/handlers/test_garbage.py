"""What a full collection has seen once is not looked at again, but for a sweep now and then."""

from __future__ import annotations

import asyncio
import gc
import weakref
from collections.abc import Iterator

import pytest

from statusfleet.handlers.garbage import in_pieces, sweep_on


class Circle:
    """Refers to itself, so that only a collection can free it."""

    def __init__(self) -> None:
        self.itself = self


@pytest.fixture
def pieces() -> Iterator[None]:
    with in_pieces():
        yield


def test_everything_that_was_there_is_set_aside_and_taken_back_in_the_end() -> None:
    with in_pieces():
        there = gc.get_freeze_count()
        assert there > 10_000
        new = [Circle() for _ in range(1000)]
        gc.collect()
        assert gc.get_freeze_count() >= there + len(new)
    assert gc.get_freeze_count() == 0


def test_what_is_new_and_let_go_is_freed_by_any_collection(pieces: None) -> None:
    circle = weakref.ref(Circle())
    gc.collect()
    assert circle() is None


@pytest.mark.parametrize(("looks", "more"), [(1, 0), (1_000_000, 2)])
async def test_what_was_set_aside_and_is_let_go_is_freed_when_its_time_has_come_or_there_is_much(
    pieces: None, looks: int, more: int
) -> None:
    sweeping = asyncio.create_task(sweep_on(0.001, looks))
    await asyncio.sleep(0)
    circles = [Circle() for _ in range(1 + more * gc.get_freeze_count())]
    gc.collect()
    circle = weakref.ref(circles[0])
    try:
        circles.clear()
        async with asyncio.timeout(60):
            while True:
                if circle() is None:
                    break
                await asyncio.sleep(0.001)
    finally:
        sweeping.cancel()
        await asyncio.wait([sweeping])
    # What it has found alive is set aside again.
    assert gc.get_freeze_count() > 10_000


def test_what_was_set_aside_is_not_looked_at_by_other_collections(pieces: None) -> None:
    kept = Circle()
    circle = weakref.ref(kept)
    gc.collect()
    del kept
    gc.collect()
    assert circle() is not None
