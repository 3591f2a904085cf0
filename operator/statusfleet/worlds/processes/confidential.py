"""Files that hold keys: for their owner only, replaced whole, and only when they change."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from statusfleet.store import files

_LARGEST_BYTES: Final = 64 * 1024 * 1024


def write_if_changed(path: Path, content: bytes) -> bool:
    """Make `path` hold `content`; tell whether it did not already.

    Raises:
        FolderError: it cannot be read or written.
    """
    files.make_folder(path.parent)
    if files.read(path, _LARGEST_BYTES) == content:
        return False
    files.replace(path, content)
    return True
