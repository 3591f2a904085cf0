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


async def test_what_was_set_aside_and_is_let_go_is_freed_by_a_sweep(pieces: None) -> None:
    kept = Circle()
    circle = weakref.ref(kept)
    gc.collect()
    del kept
    gc.collect()
    assert circle() is not None
    sweeping = asyncio.create_task(sweep_on(0.001))
    try:
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
