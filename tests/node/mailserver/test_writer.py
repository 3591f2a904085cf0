"""From the relay into the archive: groups, waiting, bounds, and a disk that is full."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from statusnode.mailserver import writer as writer_module
from statusnode.mailserver.archive import ArchiveUnavailableError
from statusnode.mailserver.counters import MailCounters
from statusnode.mailserver.writer import ArchiveWriter
from support.mailserver_archives import DirectArchive, mail

FOREVER = 1000.0


@pytest.fixture
async def archive(tmp_path: Path) -> AsyncIterator[DirectArchive]:
    archive = DirectArchive(tmp_path)
    await archive.open()
    yield archive
    await archive.close()


@pytest.fixture
def counters() -> MailCounters:
    return MailCounters()


@pytest.fixture
async def writer(archive: DirectArchive, counters: MailCounters) -> AsyncIterator[ArchiveWriter]:
    writer = ArchiveWriter(archive, counters, first_pause_seconds=0.01)
    running = asyncio.create_task(writer.run())
    yield writer
    writer.close()
    await running


async def until(condition: object) -> None:
    """Wait until a callable returns something true."""
    assert callable(condition)
    async with asyncio.timeout(30):
        while not condition():  # noqa: ASYNC110 - what is waited for has no event
            await asyncio.sleep(0.002)


async def test_what_came_together_is_one_commit(
    archive: DirectArchive, writer: ArchiveWriter, counters: MailCounters
) -> None:
    envelopes = [mail() for _ in range(100)]
    for envelope in envelopes:
        writer.put(envelope)
    assert counters.archived == 0
    await until(lambda: counters.archived)
    assert (counters.archived, counters.archived_envelopes) == (100, 100)
    assert archive.groups == [100]
    sizes = counters.archived_envelope_size_bytes
    assert (sum(sizes.counts), sizes.total) == (100, sum(each.size for each in envelopes))


async def test_whoever_waits_gets_all_that_was_accepted_before_at_once(
    archive: DirectArchive,
    writer: ArchiveWriter,
    counters: MailCounters,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(writer_module, "_GATHER_SECONDS", FOREVER)
    await writer.flushed()  # nothing to wait for
    for _ in range(10):
        writer.put(mail())
    await asyncio.sleep(0)
    await writer.flushed()
    assert counters.archived == 10
    writer.put(mail())
    await asyncio.gather(writer.flushed(), writer.flushed())
    assert counters.archived == 11


async def test_a_large_group_does_not_wait_for_more(
    archive: DirectArchive,
    writer: ArchiveWriter,
    counters: MailCounters,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(writer_module, "_GATHER_SECONDS", FOREVER)
    monkeypatch.setattr(writer_module, "_GROUP_ENVELOPES", 10)
    monkeypatch.setattr(writer_module, "_GROUP_BYTES", 5_000)
    for _ in range(25):
        writer.put(mail())
    await until(lambda: counters.archived == 20)
    await writer.flushed()
    assert archive.groups == [10, 10, 5]
    for _ in range(6):
        writer.put(mail(size=1_000))
    await until(lambda: counters.archived >= 29)
    await writer.flushed()
    assert archive.groups == [10, 10, 5, 4, 2]


async def test_an_envelope_is_counted_once_however_often_it_comes(
    writer: ArchiveWriter, counters: MailCounters
) -> None:
    envelope = mail()
    for _ in range(3):
        writer.put(envelope)
        await writer.flushed()
    assert counters.archived == 1


async def test_over_the_bound_envelopes_are_dropped_and_counted(
    archive: DirectArchive,
    writer: ArchiveWriter,
    counters: MailCounters,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(writer_module, "_MAX_ENVELOPES", 5)
    for _ in range(7):
        writer.put(mail())
    assert counters.archived_envelopes_failures == 2
    await writer.flushed()
    assert counters.archived == 5
    monkeypatch.setattr(writer_module, "_MAX_BYTES", 10_000)
    for _ in range(3):
        writer.put(mail(size=4_000))
    assert counters.archived_envelopes_failures == 3
    await writer.flushed()
    assert counters.archived == 7


async def test_a_full_disk_closes_the_archive_counts_nothing_and_holds_nobody_up(
    archive: DirectArchive, writer: ArchiveWriter, counters: MailCounters
) -> None:
    writer.put(mail())
    await writer.flushed()
    archive.failure = ArchiveUnavailableError("the disk is full")
    writer.put(mail())
    await writer.flushed()
    assert not writer.open
    writer.put(mail())
    await writer.flushed()
    assert counters.archived == 1

    archive.failure = None
    await until(lambda: writer.open)
    await writer.flushed()
    assert counters.archived == 3
    assert counters.archived_envelopes_failures == 0
    writer.put(mail())
    await writer.flushed()
    assert counters.archived == 4


async def test_a_commit_under_way_is_waited_for(
    archive: DirectArchive, writer: ArchiveWriter, counters: MailCounters
) -> None:
    archive.gate = asyncio.Event()
    writer.put(mail())
    first = asyncio.create_task(writer.flushed())
    await asyncio.sleep(0.01)
    writer.put(mail())
    second = asyncio.create_task(writer.flushed())
    await asyncio.sleep(0.01)
    assert not first.done()
    archive.gate.set()
    await second
    assert first.done()
    assert counters.archived == 2


async def test_closing_commits_what_is_left(archive: DirectArchive, counters: MailCounters) -> None:
    writer = ArchiveWriter(archive, counters)
    for _ in range(10):
        writer.put(mail())
    writer.close()
    await writer.run()
    assert counters.archived == 10


async def test_closing_with_a_full_disk_counts_what_is_lost(
    archive: DirectArchive, counters: MailCounters
) -> None:
    writer = ArchiveWriter(archive, counters, first_pause_seconds=FOREVER)
    running = asyncio.create_task(writer.run())
    archive.failure = ArchiveUnavailableError("the disk is full")
    writer.put(mail())
    await writer.flushed()
    writer.close()
    async with asyncio.timeout(30):
        await running
    assert (counters.archived, counters.archived_envelopes_failures) == (0, 1)
