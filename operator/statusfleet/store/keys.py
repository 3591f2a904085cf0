"""Keys in files: 64 hex digits each, made once, never overwritten, never shown."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from statusfleet.store import files
from statusfleet.store.errors import CorruptKeyError
from statusnode.crypto.keys import KeyFormatError, PrivateKey

_MAX_SIZE: Final = 4096


def read_key(path: Path) -> PrivateKey | None:
    """Return the key of a file, None where there is no file.

    Raises:
        CorruptKeyError: the file holds no key.
        FolderError: the file cannot be read.
    """
    data = files.read(path, _MAX_SIZE)
    if data is None:
        return None
    try:
        return PrivateKey.from_hex(data.decode("ascii"))
    except (KeyFormatError, UnicodeDecodeError) as error:
        raise CorruptKeyError(
            f"{path} holds no key (64 hex digits); it is not replaced, since the identity would "
            "be lost: bring it back from a copy, or choose a new one "
            f"(openssl rand -hex 32 > {path})"
        ) from error


def ensure_key(path: Path) -> PrivateKey:
    """Return the key of a file; where there is none, make one.

    Raises:
        CorruptKeyError: the file is there and holds no key.
        FolderError: the file cannot be read or written.
    """
    key = read_key(path)
    while key is None:
        files.make_folder(path.parent)
        made = PrivateKey.generate()
        key = made if files.create(path, made.data.hex().encode()) else read_key(path)
    return key
