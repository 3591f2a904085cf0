"""The archive's own process: it does one thing after another with a store, as its parent asks.

Why a process and not a thread: a thread that reads or writes SQLite needs the interpreter lock
again after every step of a statement, and next to an event loop under load it waits for it almost
for ever. Measured with a loop that never rests: pages of 1,000 rows took from a millisecond to
minutes. In a process of its own the store neither waits for the relay nor delays it.

On both pipes travel frames: a size (uint32, big-endian), then a value in `marshal`'s form, which is
quick and cannot name code to run; both ends are one program, so its lack of a stable format is
no matter. Questions are `(operation, argument, …)`; answers `("ok", value)` or
`(kind of error, sentence)`. The process ends when its input does, so it outlives its parent only
by the work it was given already: what was handed over is committed even if the parent was killed.
"""

from __future__ import annotations

import marshal
import os
import signal
import struct
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO, Final, TypeAlias

from statusnode.mailserver.archive import (
    ArchiveCorruptError,
    ArchiveError,
    ArchiveStore,
    ArchiveUnavailableError,
    ArchiveVersionError,
    Query,
)
from statusnode.mailserver.sqlite import SqliteArchive

FRAME_HEADER: Final = struct.Struct(">I")
OK: Final = "ok"
ERRORS: Final[dict[str, type[ArchiveError]]] = {
    "unavailable": ArchiveUnavailableError,
    "corrupt": ArchiveCorruptError,
    "version": ArchiveVersionError,
    "error": ArchiveError,
}
WRITE: Final = "write"
READ: Final = "read"

Operation: TypeAlias = Callable[..., Any]


def frame(value: Any) -> bytes:  # noqa: ANN401 - whatever `marshal` knows
    """Write a frame."""
    body = marshal.dumps(value)
    return FRAME_HEADER.pack(len(body)) + body


def unframe(body: bytes) -> Any:  # noqa: ANN401 - whatever the other end has framed
    """Read the body of a frame."""
    return marshal.loads(body)  # noqa: S302 - from the other end of a pipe of our own


def _operations(store: ArchiveStore) -> dict[str, Operation]:
    def read(
        query: tuple[int, int, tuple[bytes, ...] | None, bytes],
        after: bytes,
        max_rows: int,
        max_bytes: int,
    ) -> tuple[list[tuple[bytes, bytes]], bytes | None]:
        page = store.read(Query(*query), after, max_rows, max_bytes)
        return page.rows, page.resume

    return {
        "open": store.open,
        "add": store.add,
        "prune": store.prune,
        "matching_topics": store.matching_topics,
        "read": read,
    }


def serve(store: ArchiveStore, source: BinaryIO, sink: BinaryIO) -> None:
    """Answer questions until the input ends, then close the store."""
    operations = _operations(store)
    try:
        while len(header := source.read(FRAME_HEADER.size)) == FRAME_HEADER.size:
            (size,) = FRAME_HEADER.unpack(header)
            body = source.read(size)
            if len(body) < size:
                return
            answer = frame(_answer(operations, unframe(body)))
            try:
                sink.write(answer)
                sink.flush()
            except BrokenPipeError:
                # Nobody is left to hear it. What still is in the pipe gets done all the same.
                os.dup2(os.open(os.devnull, os.O_WRONLY), sink.fileno())
    finally:
        store.close()


def _answer(operations: dict[str, Operation], question: tuple[Any, ...]) -> tuple[str, object]:
    operation, *arguments = question
    try:
        return OK, operations[operation](*arguments)
    except ArchiveError as error:
        kind = next(name for name, kind in ERRORS.items() if isinstance(error, kind))
        return kind, str(error)


def main() -> None:
    """Run as a program: `worker read|write PATH`. The parent decides when it ends, not a signal."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    mode, path = sys.argv[1:]
    store = SqliteArchive(Path(path), writable=mode == WRITE)
    serve(store, sys.stdin.buffer, sys.stdout.buffer)


if __name__ == "__main__":
    main()
