"""SQLite's errors as those of an archive: what may pass, what is damage, what to do about it."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Final

from statusnode.mailserver.archive import (
    ArchiveCorruptError,
    ArchiveError,
    ArchiveUnavailableError,
)

_PRIMARY_CODE: Final = 0xFF
_DAMAGE: Final = frozenset((sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB))
# What freeing space, mending a mount or waiting may cure.
_PASSING: Final = frozenset(
    (
        sqlite3.SQLITE_FULL,
        sqlite3.SQLITE_IOERR,
        sqlite3.SQLITE_BUSY,
        sqlite3.SQLITE_LOCKED,
        sqlite3.SQLITE_READONLY,
        sqlite3.SQLITE_CANTOPEN,
        sqlite3.SQLITE_PERM,
        sqlite3.SQLITE_NOMEM,
    )
)


def corrupt(path: Path, detail: str) -> ArchiveCorruptError:
    """Say that an archive is damaged, and what can be done."""
    return ArchiveCorruptError(
        f"the archive {path} is corrupt ({detail}); start once with --recover to move it aside"
        " and begin a new one"
    )


def translated(error: sqlite3.Error, purpose: str, path: Path) -> ArchiveError:
    """Turn an error of SQLite while doing something (`purpose`: a verb) into one of the archive."""
    code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & _PRIMARY_CODE
    if code in _DAMAGE:
        return corrupt(path, str(error))
    kind = ArchiveUnavailableError if code in _PASSING else ArchiveError
    return kind(f"cannot {purpose} the archive {path}: {error}")
