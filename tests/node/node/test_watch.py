"""Changes of files are seen, whole and once."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from statusnode.node.watch import Watch

QUICK = 0.01


@pytest.fixture
async def changes(tmp_path: Path) -> AsyncIterator[AsyncIterator[None]]:
    (tmp_path / "a").write_text("1")
    (tmp_path / "b").write_text("1")
    generator = Watch([tmp_path / "a", tmp_path / "b"], QUICK).changes()
    yield generator
    await generator.aclose()  # type: ignore[attr-defined]


async def next_of(changes: AsyncIterator[None]) -> None:
    async with asyncio.timeout(30):
        await anext(changes)


async def nothing_of(changes: AsyncIterator[None]) -> asyncio.Task[None]:
    """Let the watch look many times, and return it still looking."""
    look: asyncio.Task[None] = asyncio.ensure_future(anext(changes))  # type: ignore[arg-type]
    done, _ = await asyncio.wait({look}, timeout=20 * QUICK)
    assert not done
    return look


async def test_a_rewritten_file_is_seen(tmp_path: Path, changes: AsyncIterator[None]) -> None:
    (tmp_path / "b").write_text("22")
    await next_of(changes)


async def test_a_replaced_file_is_seen(tmp_path: Path, changes: AsyncIterator[None]) -> None:
    (tmp_path / "c").write_text("2")
    (tmp_path / "c").replace(tmp_path / "a")
    await next_of(changes)


async def test_a_file_that_is_away_for_a_while_is_seen_when_it_is_back(
    tmp_path: Path, changes: AsyncIterator[None]
) -> None:
    (tmp_path / "a").unlink()
    look = await nothing_of(changes)
    (tmp_path / "a").write_text("2")
    async with asyncio.timeout(30):
        await look


async def test_a_change_is_seen_once(tmp_path: Path, changes: AsyncIterator[None]) -> None:
    (tmp_path / "a").write_text("22")
    await next_of(changes)
    (await nothing_of(changes)).cancel()


async def test_a_change_between_the_making_of_a_watch_and_its_first_look_is_seen(
    tmp_path: Path,
) -> None:
    (tmp_path / "a").write_text("1")
    watch = Watch([tmp_path / "a"], QUICK)
    (tmp_path / "a").write_text("22")
    changes = watch.changes()
    await next_of(changes)
    await changes.aclose()  # type: ignore[attr-defined]
