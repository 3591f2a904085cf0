"""How long mail is kept."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from statusnode.mailserver import retention
from statusnode.mailserver.archive import ArchiveUnavailableError
from statusnode.mailserver.counters import MailCounters
from statusnode.mailserver.retention import Cleaner
from support.mailserver_archives import NOW, DirectArchive, entry, mail

DAY = 86_400


@pytest.fixture
async def archive(tmp_path: Path) -> AsyncIterator[DirectArchive]:
    archive = DirectArchive(tmp_path)
    await archive.open()
    yield archive
    await archive.close()


def cleaner(archive: DirectArchive, counters: MailCounters, days: int) -> Cleaner:
    return Cleaner(archive, counters, days, lambda: NOW)


async def test_what_is_older_than_the_retention_goes(
    archive: DirectArchive, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retention, "BATCH", 4)
    counters = MailCounters(archived_envelopes=13)
    ages = [*range(2 * DAY - 5, 2 * DAY + 7), 0]
    await archive.add([entry(mail(sent=NOW - age)) for age in ages])
    assert await cleaner(archive, counters, 2).clean() == 6
    assert counters.archived_envelopes == 7
    assert await cleaner(archive, counters, 2).clean() == 0


async def test_no_retention_keeps_everything(archive: DirectArchive) -> None:
    await archive.add([entry(mail(sent=1))])
    assert await cleaner(archive, MailCounters(), 0).clean() == 0
    assert await cleaner(archive, MailCounters(), 10**9).clean() == 0


async def test_it_runs_after_every_period_and_survives_a_full_disk(
    archive: DirectArchive,
) -> None:
    counters = MailCounters(archived_envelopes=1)
    await archive.add([entry(mail(sent=NOW - 2 * DAY))])
    archive.failure = ArchiveUnavailableError("the disk is full")
    running = asyncio.create_task(cleaner(archive, counters, 1).run(0.005))
    await asyncio.sleep(0.03)
    assert counters.archived_envelopes == 1
    archive.failure = None
    async with asyncio.timeout(30):
        while counters.archived_envelopes:  # noqa: ASYNC110 - what is waited for has no event
            await asyncio.sleep(0.002)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
