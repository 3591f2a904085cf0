"""Following a file as people and editors change it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from statusfleet.cli.logs import read_chunks
from statusfleet.cli.watch import Stamp, changes, stamp


async def following(path: Path) -> AsyncIterator[Stamp]:
    async for found in changes(path, stamp(path), interval_seconds=0.01):
        yield found


async def next_change(found: AsyncIterator[Stamp]) -> Stamp:
    async with asyncio.timeout(30):
        return await anext(found)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    result = tmp_path / "fleet.yaml"
    result.write_text("one")
    return result


def save_in_place(path: Path) -> None:
    path.write_text("two, longer")


def save_by_rename(path: Path) -> None:
    new = path.with_suffix(".new")
    new.write_text("two")
    new.replace(path)


def take_away(path: Path) -> None:
    path.unlink()


@pytest.mark.parametrize("change", [save_in_place, save_by_rename, take_away])
async def test_every_way_of_saving_is_seen_once(path: Path, change: object) -> None:
    found = following(path)
    waiting = asyncio.create_task(next_change(found))
    await asyncio.sleep(0.05)
    assert not waiting.done()
    change(path)  # type: ignore[operator]
    assert await waiting == stamp(path)
    more = asyncio.create_task(next_change(found))
    await asyncio.sleep(0.1)
    assert not more.done()
    more.cancel()
    await asyncio.wait([more])


async def test_what_changed_before_the_first_look_is_seen(path: Path) -> None:
    before = stamp(path)
    save_in_place(path)
    async with asyncio.timeout(30):
        assert await anext(changes(path, before, interval_seconds=0.01)) == stamp(path)


def test_a_log_is_read_to_its_end(path: Path) -> None:
    assert b"".join(read_chunks(path, follow=False)) == b"one"


def test_a_followed_log_goes_on_and_begins_anew_when_it_was_emptied(path: Path) -> None:
    chunks = read_chunks(path, follow=True)
    assert next(chunks) == b"one"
    with path.open("ab") as log:
        log.write(b" two")
    assert next(chunks) == b" two"
    path.write_text("new")
    assert next(chunks) == b"new"
