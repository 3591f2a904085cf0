"""The archive in processes of its own: it answers in order, survives deaths, and ends with us."""

from __future__ import annotations

import asyncio
import os
import resource
import signal
import sys
from asyncio.subprocess import PIPE
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from statusnode.mailserver import worker
from statusnode.mailserver.archive import (
    MAX_TIME,
    ArchiveCorruptError,
    ArchiveError,
    ArchiveUnavailableError,
    Query,
)
from statusnode.mailserver.process import ProcessArchive
from statusnode.mailserver.sqlite import FILE_NAME, SqliteArchive
from statusnode.messages.bloom import bloom_bytes, bloom_of
from support.mailserver_archives import TOPIC, entry, in_key_order, mail

ALL = Query(0, MAX_TIME)
BIG = 1 << 30


@pytest.fixture
async def archive(tmp_path: Path) -> AsyncIterator[ProcessArchive]:
    archive = ProcessArchive(tmp_path / FILE_NAME)
    await archive.open()
    yield archive
    await archive.close()


async def test_it_does_all_that_a_store_does(archive: ProcessArchive, tmp_path: Path) -> None:
    envelopes = in_key_order([mail() for _ in range(500)])
    assert await archive.add([entry(e) for e in envelopes]) == 500
    page = await archive.read(ALL, b"", 3, BIG)
    assert [raw for _, raw in page.rows] == [e.raw for e in envelopes[:3]]
    assert page.resume is not None
    rest = await archive.read(Query(0, MAX_TIME, (TOPIC,)), page.resume, 1000, BIG)
    assert [raw for _, raw in rest.rows] == [e.raw for e in envelopes[3:]]
    assert rest.resume is None
    assert await archive.matching_topics(bloom_bytes(bloom_of([TOPIC]))) == [TOPIC]
    assert await archive.prune(MAX_TIME, 1000) == 500
    assert archive.name == str(tmp_path)


async def test_an_answer_of_megabytes_comes_whole(archive: ProcessArchive) -> None:
    envelopes = in_key_order([mail(size=1_000_000) for _ in range(4)])
    await archive.add([entry(e) for e in envelopes])
    page = await archive.read(ALL, b"", 10, BIG)
    assert [raw for _, raw in page.rows] == [e.raw for e in envelopes]


async def test_many_may_read_and_write_at_once(archive: ProcessArchive) -> None:
    await archive.add([entry(mail()) for _ in range(100)])
    async with asyncio.TaskGroup() as tasks:
        for _ in range(5):
            tasks.create_task(archive.add([entry(mail()) for _ in range(100)]))
        pages = [tasks.create_task(archive.read(ALL, b"", 50, BIG)) for _ in range(20)]
    assert {len(page.result().rows) for page in pages} == {50}
    assert len((await archive.read(ALL, b"", 1000, BIG)).rows) == 600


async def test_a_caller_that_gives_up_does_not_mix_up_answers(archive: ProcessArchive) -> None:
    envelope = mail(size=200_000)
    await archive.add([entry(envelope)])
    for _ in range(10):
        asking = [asyncio.create_task(archive.read(ALL, b"", 10, BIG)) for _ in range(3)]
        await asyncio.sleep(0.001)
        for task in asking:
            task.cancel()
        await asyncio.gather(*asking, return_exceptions=True)
        assert await archive.matching_topics(bytes(64)) == []
        assert (await archive.read(ALL, b"", 10, BIG)).rows[0][1] == envelope.raw


async def test_a_killed_process_is_started_again(archive: ProcessArchive) -> None:
    envelope = mail()
    await archive.add([entry(envelope)])
    await archive.read(ALL, b"", 1, BIG)
    for pid in archive.pids:
        os.kill(pid, signal.SIGKILL)
    with pytest.raises(ArchiveUnavailableError, match="process ended"):
        await archive.add([entry(mail())])
    assert await archive.add([entry(envelope)]) == 0
    with pytest.raises(ArchiveUnavailableError, match="process ended"):
        await archive.read(ALL, b"", 1, BIG)
    assert (await archive.read(ALL, b"", 1, BIG)).rows[0][1] == envelope.raw


async def test_signals_for_the_whole_terminal_leave_it_at_work(archive: ProcessArchive) -> None:
    for pid in archive.pids:
        os.kill(pid, signal.SIGINT)
        os.kill(pid, signal.SIGTERM)
    assert await archive.add([entry(mail())]) == 1


async def test_what_was_handed_over_is_committed_when_nobody_is_left_to_hear_it(
    tmp_path: Path,
) -> None:
    path = tmp_path / FILE_NAME
    source, sink = os.pipe()
    command = [sys.executable, "-m", worker.__name__, worker.WRITE, str(path)]
    process = await asyncio.create_subprocess_exec(*command, stdin=PIPE, stdout=sink)
    os.close(sink)
    os.close(source)
    questions = [("open",), *(("add", [entry(mail()) for _ in range(10)]) for _ in range(5))]
    assert await process.communicate(b"".join(map(worker.frame, questions))) == (None, None)
    assert process.returncode == 0
    store = SqliteArchive(path)
    assert store.open() == 50
    store.close()


async def test_no_process_is_left_behind(tmp_path: Path) -> None:
    archive = ProcessArchive(tmp_path / FILE_NAME)
    await archive.open()
    await archive.add([entry(mail())])
    await archive.read(ALL, b"", 1, BIG)
    pids = archive.pids
    assert len(pids) == 2
    await archive.close()
    assert archive.pids == []
    for pid in pids:
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)
    # The last to close folds the log into the file.
    assert os.listdir(tmp_path) == [FILE_NAME]  # noqa: PTH208 - no blocking path calls here
    with pytest.raises(ArchiveUnavailableError, match="closed"):
        await archive.add([entry(mail())])


async def test_an_archive_that_cannot_be_opened_says_why(tmp_path: Path) -> None:
    (tmp_path / FILE_NAME).write_bytes(b"garbage " * 1000)
    archive = ProcessArchive(tmp_path / FILE_NAME)
    with pytest.raises(ArchiveCorruptError, match="--recover"):
        await archive.open()
    assert archive.pids == []
    await archive.close()
    (tmp_path / "file").write_text("")
    with pytest.raises(ArchiveError, match="cannot make the folder"):
        await ProcessArchive(tmp_path / "file" / FILE_NAME).open()


async def test_a_disk_that_takes_no_more_heals(archive: ProcessArchive, tmp_path: Path) -> None:
    kept = mail()
    await archive.add([entry(kept)])
    writer = archive.pids[0]
    before = resource.prlimit(writer, resource.RLIMIT_FSIZE, (200_000, resource.RLIM_INFINITY))
    large = [entry(mail(size=100_000)) for _ in range(10)]
    with pytest.raises(ArchiveUnavailableError, match="cannot write"):
        await archive.add(large)
    assert [raw for _, raw in (await archive.read(ALL, b"", 100, BIG)).rows] == [kept.raw]
    resource.prlimit(writer, resource.RLIMIT_FSIZE, before)
    assert await archive.add(large) == 10
    await archive.close()
    store = SqliteArchive(tmp_path / FILE_NAME)
    assert store.open() == 11
    store.close()
