"""Log files of members: written by the member itself, bounded by us.

A member writes straight into its file (opened for appending), so that no pipe can stall it and its
last words survive everything. The bound is kept by copying the file aside and emptying it in
place; an appending writer goes on at the new end. Lines written between the copy and the
emptying are lost, a few at most, which is the price of needing nothing from the writer.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Final

LARGEST_BYTES: Final = 16 * 1024 * 1024
_TAIL_BYTES: Final = 8192
_LONGEST_LINE: Final = 300


def previous(path: Path) -> Path:
    """Where the older half of a log stands."""
    return path.with_name(path.name + ".1")


def last_line(path: Path) -> str:
    """Return the last line that says something, shortened; nothing where there is none."""
    try:
        with path.open("rb") as log:
            log.seek(-min(_TAIL_BYTES, path.stat().st_size), os.SEEK_END)
            lines = log.read().decode(errors="replace").split("\n")
    except OSError:
        return ""
    return next((line.strip()[:_LONGEST_LINE] for line in reversed(lines) if line.strip()), "")


def bound(path: Path, largest_bytes: int = LARGEST_BYTES) -> bool:
    """Move the log aside if it has grown beyond `largest_bytes`; tell whether it had.

    Raises:
        OSError: the folder cannot be written.
    """
    try:
        size = path.stat().st_size
    except FileNotFoundError:
        return False
    if size <= largest_bytes:
        return False
    shutil.copyfile(path, previous(path))
    with path.open("r+b") as log:
        log.truncate(0)
    return True
