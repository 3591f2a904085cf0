"""Files that are there whole or not at all, whatever happens in between.

Content goes into a neighbouring file, is forced to disk, and takes its place in one step; then the
folder itself is forced to disk, or the step could be forgotten. The neighbour's name is fixed, so
an interrupted write leaves at most one, which the next write replaces: callers hold the folder's
lock. Files are for their owner only (0600), folders too (0700).
"""

from __future__ import annotations

import os
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

from statusfleet.store.errors import FolderError

if TYPE_CHECKING:
    from collections.abc import Iterator

FILE_MODE: Final = 0o600
FOLDER_MODE: Final = 0o700


@contextmanager
def told_as_folder_error(path: Path, what: str) -> Iterator[None]:
    """Turn the system's refusal into a sentence with the file's name."""
    try:
        yield
    except OSError as error:
        reason = error.strerror or str(error)
        raise FolderError(f"{path} cannot be {what}: {reason}") from error


def make_folder(path: Path) -> None:
    """Make a folder and those above it, if they are missing.

    Raises:
        FolderError: it cannot be made.
    """
    with told_as_folder_error(path, "made"):
        missing = [folder for folder in (path, *path.parents) if not folder.exists()]
        for folder in reversed(missing):
            folder.mkdir(mode=FOLDER_MODE, exist_ok=True)
            _sync(folder.parent)


def replace(path: Path, data: bytes) -> None:
    """Write a file, in the place of what was there.

    Raises:
        FolderError: it cannot be written; what was there is still there.
    """
    with told_as_folder_error(path, "written"):
        neighbour = _write_neighbour(path, data)
        neighbour.replace(path)
        _sync(path.parent)


def create(path: Path, data: bytes) -> bool:
    """Write a file where none is; False means that one is there, and it is left alone.

    Raises:
        FolderError: it cannot be written.
    """
    with told_as_folder_error(path, "written"):
        neighbour = _write_neighbour(path, data)
        try:
            # A hard link, unlike a rename, never takes the place of another file.
            path.hardlink_to(neighbour)
        except FileExistsError:
            return False
        finally:
            neighbour.unlink(missing_ok=True)
        _sync(path.parent)
    return True


def read(path: Path, limit: int) -> bytes | None:
    """Return a file's content, None where there is no file.

    Raises:
        FolderError: it cannot be read, or is larger than `limit` bytes.
    """
    with told_as_folder_error(path, "read"):
        try:
            with path.open("rb") as file:
                data = file.read(limit + 1)
        except FileNotFoundError:
            return None
    if len(data) > limit:
        raise FolderError(f"{path} is larger than {limit} bytes, which nothing here writes")
    return data


def _write_neighbour(path: Path, data: bytes) -> Path:
    neighbour = path.with_name(f".{path.name}.new")
    neighbour.unlink(missing_ok=True)
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
    with os.fdopen(os.open(neighbour, flags, FILE_MODE), "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    return neighbour


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
