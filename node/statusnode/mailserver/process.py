"""The archive as the event loop sees it: one process that writes, a few that read.

Nothing here blocks the loop: questions and answers are frames on pipes (`worker`), and building a
frame of a thousand envelopes takes the loop a fifth of a millisecond. A process answers one
question at a time; readers are shared by all requests, so slow questions make others wait, never
the relay. A process that dies is started again for the next question.
"""

from __future__ import annotations

import asyncio
import contextlib
from asyncio.subprocess import Process
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, Final, Protocol

from statusnode.mailserver import worker
from statusnode.mailserver.archive import ArchiveUnavailableError, Entry, Page, Query
from statusnode.mailserver.worker import ERRORS, FRAME_HEADER, OK, READ, WRITE, frame, unframe
from statusnode.messages.child import start_child

_READERS: Final = 2
_CLOSE_SECONDS: Final = 10.0


class Archive(Protocol):
    """An archive that is asked without waiting for it. Every method may raise `ArchiveError`;
    what each promises is in `archive.ArchiveStore`.
    """

    @property
    def name(self) -> str:
        """Which archive this is, for people and metrics."""
        ...

    async def open(self) -> int: ...

    async def add(self, entries: list[Entry]) -> int: ...

    async def prune(self, before: int, count: int) -> int: ...

    async def matching_topics(self, bloom: bytes) -> list[bytes] | None: ...

    async def read(self, query: Query, after: bytes, max_rows: int, max_bytes: int) -> Page: ...

    async def close(self) -> None: ...


class ArchiveProcess:
    """One worker process, started when it is first asked."""

    def __init__(self, path: Path, mode: str) -> None:
        self._path = path
        self._mode = mode
        self._turn = asyncio.Lock()
        self._process: Process | None = None
        self._closed = False
        self._opened = False
        """Whether this process has its file open."""
        self._unread = 0
        """Questions asked whose answers are still in the pipe, or will be."""
        self._size: int | None = None
        """Of the answer that comes next, where that is known."""

    @property
    def pid(self) -> int | None:
        """The process id; None: it does not run."""
        return self._process.pid if self._process else None

    async def ask(self, operation: str, *arguments: object) -> Any:  # noqa: ANN401 - see `frame`
        """Let the store do something and return what it returns.

        Raises:
            ArchiveError: the store could not, or the process is gone.
        """
        async with self._turn:
            if not self._opened:
                count = await self._exchange("open")
                self._opened = True
                if operation == "open":
                    return count
            return await self._exchange(operation, *arguments)

    async def warm_up(self) -> None:
        """Start the process ahead of its first question, without waiting until it is ready.

        Raises:
            ArchiveError: it cannot start.
        """
        async with self._turn:
            await self._started()

    async def _exchange(self, operation: str, *arguments: object) -> Any:  # noqa: ANN401 - the same
        process = await self._started()
        assert process.stdin is not None  # noqa: S101 - both were asked for as pipes
        assert process.stdout is not None  # noqa: S101 - as above
        try:
            if process.stdin.is_closing():
                # uvloop raises no OSError for a write to a pipe that it knows to be closed.
                raise BrokenPipeError
            process.stdin.write(frame((operation, *arguments)))
            self._unread += 1
            await process.stdin.drain()
            while self._unread:
                kind, value = await self._answer(process.stdout)
        except (OSError, asyncio.IncompleteReadError) as error:
            await self._end()
            raise ArchiveUnavailableError("the archive's process ended") from error
        if kind != OK:
            if operation == "open":
                await self._end()
            raise ERRORS[kind](value)
        return value

    async def _answer(self, stdout: asyncio.StreamReader) -> tuple[str, Any]:
        """Read one answer: the next one that nobody has read, perhaps of a caller that gave up.

        A call that is cancelled here has read nothing, or a size that is kept.
        """
        if self._size is None:
            (self._size,) = FRAME_HEADER.unpack(await stdout.readexactly(FRAME_HEADER.size))
        body = await stdout.readexactly(self._size)
        self._size = None
        self._unread -= 1
        kind, value = unframe(body)
        return kind, value

    async def _started(self) -> Process:
        if self._closed:
            raise ArchiveUnavailableError("the archive is closed")
        if self._process is not None:
            return self._process
        try:
            return await start_child(self._keep, worker.__name__, self._mode, str(self._path))
        except OSError as error:
            raise ArchiveUnavailableError(f"the archive's process cannot start: {error}") from error

    def _keep(self, process: Process) -> None:
        self._process = process

    async def _end(self) -> None:
        process, self._process = self._process, None
        self._opened = False
        self._unread, self._size = 0, None
        if process is not None:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            # Reads the pipe to its end too, so that nothing of the process stays behind.
            await process.communicate()

    async def close(self) -> None:
        """Let the process finish what it does, close its file, and end."""
        self._closed = True
        async with self._turn:
            process, self._process = self._process, None
            if process is None:
                return
            assert process.stdin is not None  # noqa: S101 - asked for as a pipe
            process.stdin.close()
            try:
                async with asyncio.timeout(_CLOSE_SECONDS):
                    await process.communicate()
            except TimeoutError:
                process.kill()
                await process.communicate()


class ProcessArchive:
    """An `Archive` in processes of its own."""

    def __init__(self, path: Path) -> None:
        """Name the archive's file; `open` opens it."""
        self._path = path
        self._writer = ArchiveProcess(path, WRITE)
        self._readers = [ArchiveProcess(path, READ) for _ in range(_READERS)]
        self._idle: asyncio.LifoQueue[ArchiveProcess] = asyncio.LifoQueue()
        for reader in self._readers:
            self._idle.put_nowait(reader)

    @property
    def name(self) -> str:
        """The archive's folder, as the reference labels its metrics."""
        return str(self._path.parent)

    @property
    def pids(self) -> list[int]:
        """The processes that run now."""
        processes = (self._writer, *self._readers)
        return [process.pid for process in processes if process.pid is not None]

    async def open(self) -> int:
        """Open the archive, made new where there is none; return how many envelopes are in it."""
        count = int(await self._writer.ask("open"))
        # The first request comes soon, and a process takes a moment to start.
        await self._readers[-1].warm_up()
        return count

    async def add(self, entries: list[Entry]) -> int:
        """Add envelopes, durably; return how many were new."""
        return int(await self._writer.ask("add", entries))

    async def prune(self, before: int, count: int) -> int:
        """Remove up to `count` envelopes sent before a second; return how many."""
        return int(await self._writer.ask("prune", before, count))

    async def matching_topics(self, bloom: bytes) -> list[bytes] | None:
        """Return the archived topics that a bloom filter lets through; None: too many."""
        async with self._reader() as reader:
            topics: list[bytes] | None = await reader.ask("matching_topics", bloom)
            return topics

    async def read(self, query: Query, after: bytes, max_rows: int, max_bytes: int) -> Page:
        """Read envelopes behind a cursor."""
        fields = (query.lower, query.upper, query.topics, query.bloom)
        async with self._reader() as reader:
            rows, resume = await reader.ask("read", fields, after, max_rows, max_bytes)
        return Page(rows, resume)

    async def close(self) -> None:
        """End all processes."""
        # Readers first: the last to close the file folds its log into it, and only a writer may.
        for process in (*self._readers, self._writer):
            await process.close()

    @contextlib.asynccontextmanager
    async def _reader(self) -> AsyncIterator[ArchiveProcess]:
        """Lend the reader that worked last; a second process starts only when two are needed."""
        reader = await self._idle.get()
        try:
            yield reader
        finally:
            self._idle.put_nowait(reader)
