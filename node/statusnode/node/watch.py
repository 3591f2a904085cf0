"""Notices that configuration files have changed, however they were changed.

The files are looked at by path several times a second: a look is one system call a file, and sees
what notifications of a file system miss — a file replaced by a rename, a symbolic link that points
elsewhere (Kubernetes swaps `..data` that way), a network volume. A change counts when two looks in
a row agree, so that a file is not read while it is being written.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Final

LOOK_SECONDS: Final = 0.25

Signature = tuple[tuple[int, int, int, int] | None, ...]
"""For each file device, inode, time of change and size; None while it is missing."""


def signature(files: Sequence[Path]) -> Signature:
    """Return what tells one state of the files from another."""
    return tuple(_signature(file) for file in files)


def _signature(file: Path) -> tuple[int, int, int, int] | None:
    try:
        found = file.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino, found.st_mtime_ns, found.st_size


class Watch:
    """One set of files; `changes` yields each time they have changed since the last time."""

    def __init__(self, files: Sequence[Path], look_seconds: float = LOOK_SECONDS) -> None:
        self._files = tuple(files)
        self._look_seconds = look_seconds
        self._known = signature(self._files)

    async def changes(self) -> AsyncIterator[None]:
        """Yield once for every change, for ever; nothing while a file is missing."""
        before = self._known
        while True:
            await asyncio.sleep(self._look_seconds)
            now = signature(self._files)
            if now == before and now != self._known and None not in now:
                self._known = now
                yield
            before = now
