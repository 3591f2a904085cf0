"""Following a file that people edit.

By looking, a few times a second, and not by the kernel's notifications: those are lost on network
folders and in some containers, follow the old file when an editor replaces it by rename, and need
a thread. One `stat` costs about two microseconds. An editor may write in several steps, so a
change counts when two looks in a row find the same.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

INTERVAL_SECONDS: Final = 0.2


@dataclass(frozen=True, slots=True)
class Stamp:
    """What tells two states of a file apart without reading it; all zero when it is not there."""

    inode: int = 0
    size: int = 0
    modified_ns: int = 0


def stamp(path: Path) -> Stamp:
    """Look at a file; one that cannot be looked at is as good as none."""
    try:
        found = path.stat()
    except OSError:
        return Stamp()
    return Stamp(found.st_ino, found.st_size, found.st_mtime_ns)


async def changes(
    path: Path, seen: Stamp, interval_seconds: float = INTERVAL_SECONDS
) -> AsyncIterator[Stamp]:
    """Yield each new state of a file that differs from the one `seen` before it, for ever.

    Several changes between two looks are one.
    """
    while True:
        await asyncio.sleep(interval_seconds)
        first = stamp(path)
        if first == seen:
            continue
        await asyncio.sleep(interval_seconds)
        if stamp(path) == first:
            seen = first
            yield first
