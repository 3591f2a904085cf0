"""The archive in SQLite: one file, WAL, every commit on the disk before it is answered.

    envelopes   id integer primary key | topic uint32 | hash 32 | data (raw RLP)
    by_topic    index on topic; SQLite appends the id
    tally       one row: how many envelopes there are

**The id is the key.** It holds the second of sending and the first 31 bits of the hash, so the
table is in the order of keys (`archive`), a range of time is a range of ids, and the index finds a
range of ids within a topic. Measured against a primary key of 40 bytes without rowid, over 400,000
envelopes of 20,000 topics: 6 to 8 µs of CPU and 3 to 4 kB written an envelope instead of 10 to
12 µs and 6 to 7 kB, since the index, whose pages are touched at random, has entries of 14 bytes
instead of 48. Where two envelopes of one second share the 31 bits, the later takes the next free
id; the order between those two is then that of arrival.

Opening reads a few pages, whatever the size of the file. The statements on rows are in
`sqlite_rows`.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from statusnode.mailserver.archive import (
    MAX_TIME,
    ArchiveCorruptError,
    ArchiveError,
    ArchiveUnavailableError,
    ArchiveVersionError,
    Entry,
    Page,
    Query,
)
from statusnode.mailserver.sqlite_errors import corrupt, translated
from statusnode.mailserver.sqlite_rows import (
    first_id_of,
    id_of,
    insert_rows,
    matching_topics,
    read_page,
)

FILE_NAME: Final = "archive.sqlite"
SCHEMA_VERSION: Final = 1
_APPLICATION_ID: Final = 0x53466D61  # "SFma": tells our file from any other database
_SCHEMA: Final = (
    """CREATE TABLE envelopes (
        id INTEGER PRIMARY KEY, topic INTEGER NOT NULL, hash BLOB NOT NULL, data BLOB NOT NULL)""",
    "CREATE INDEX by_topic ON envelopes (topic)",
    "CREATE TABLE tally (envelopes INTEGER NOT NULL)",
    "INSERT INTO tally VALUES (0)",
    f"PRAGMA application_id = {_APPLICATION_ID}",
    f"PRAGMA user_version = {SCHEMA_VERSION}",
)

_INSERT_ROWS: Final = 128
_CHECKPOINT_PAGES: Final = 4000
_WRITER_CACHE_KIB: Final = 32 * 1024
_READER_CACHE_KIB: Final = 8 * 1024
_BUSY_SECONDS: Final = 30.0
_PRUNE: Final = (
    "DELETE FROM envelopes WHERE id IN (SELECT id FROM envelopes WHERE id < ? ORDER BY id LIMIT ?)"
)
_TALLY: Final = "UPDATE tally SET envelopes = envelopes + ?"


class SqliteArchive:
    """An `ArchiveStore` in one file. Used by one thread; any number may read beside one writer."""

    def __init__(self, path: Path, *, writable: bool = True) -> None:
        """Name the file; `open` opens it. A reader needs a file that a writer has opened."""
        self.path = path
        self._writable = writable
        self._db: sqlite3.Connection | None = None

    def open(self) -> int:
        """Open the file, made new where there is none; return how many envelopes are in it.

        Raises:
            ArchiveError: it cannot be used; the subclass and the sentence say why.
        """
        self.close()
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise ArchiveError(f"cannot make the folder of the archive: {error}") from error
        try:
            self._db = sqlite3.connect(self.path, timeout=_BUSY_SECONDS, isolation_level=None)
            self._prepare(self._db)
            # One look at each tree: damage at their roots is found now, not by a client.
            self._db.execute("SELECT max(id) FROM envelopes").fetchone()
            self._db.execute("SELECT max(topic) FROM envelopes").fetchone()
            return int(self._db.execute("SELECT envelopes FROM tally").fetchone()[0])
        except sqlite3.Error as error:
            self.close()
            if error.sqlite_errorcode == sqlite3.SQLITE_ERROR:
                # A statement of ours that makes no sense to it: a table is missing.
                raise corrupt(self.path, str(error)) from error
            raise translated(error, "open", self.path) from error
        except ArchiveError:
            self.close()
            raise

    def _prepare(self, db: sqlite3.Connection) -> None:
        cache = _WRITER_CACHE_KIB if self._writable else _READER_CACHE_KIB
        db.execute(f"PRAGMA cache_size = -{cache}")
        version = self._check_kind(db)
        if not self._writable:
            db.execute("PRAGMA query_only = ON")
            return
        db.execute("PRAGMA journal_mode = WAL")
        db.execute("PRAGMA synchronous = FULL")
        db.execute(f"PRAGMA wal_autocheckpoint = {_CHECKPOINT_PAGES}")
        if version == 0:
            with self._transaction() as fresh:
                for statement in _SCHEMA:
                    fresh.execute(statement)

    def _check_kind(self, db: sqlite3.Connection) -> int:
        """Return the schema's version; 0: the file is new."""
        version = int(db.execute("PRAGMA user_version").fetchone()[0])
        application = int(db.execute("PRAGMA application_id").fetchone()[0])
        tables = int(db.execute("SELECT count(*) FROM sqlite_master").fetchone()[0])
        if version == 0 and application == 0 and tables == 0:
            return 0
        if application != _APPLICATION_ID:
            raise ArchiveError(f"{self.path} is a database, but not an archive of this program")
        if version > SCHEMA_VERSION:
            raise ArchiveVersionError(
                f"{self.path} was written by a newer version (schema {version}, this one reads"
                f" up to {SCHEMA_VERSION}); run that version"
            )
        return version

    def close(self) -> None:
        """Close the file; nothing happens if it is closed."""
        db, self._db = self._db, None
        if db is not None:
            db.close()

    # --- writing

    def add(self, entries: list[Entry]) -> int:
        """Add envelopes, durably: all of them, or none if it raises.

        Raises:
            ArchiveError: nothing was added.
        """
        # In the order of ids, so that rows of one page are written together.
        rows = sorted(
            (id_of(sent, identity), int.from_bytes(topic, "big"), identity, raw)
            for sent, identity, topic, raw in entries
        )
        with self._transaction() as db:
            added = sum(
                insert_rows(db, rows[start : start + _INSERT_ROWS])
                for start in range(0, len(rows), _INSERT_ROWS)
            )
            db.execute(_TALLY, (added,))
        return added

    def prune(self, before: int, count: int) -> int:
        """Remove up to `count` envelopes sent before a second, the oldest first.

        Raises:
            ArchiveError: nothing was removed.
        """
        if before <= 0:
            return 0
        end = first_id_of(min(before, MAX_TIME))
        with self._transaction() as db:
            removed = db.execute(_PRUNE, (end, count)).rowcount
            db.execute(_TALLY, (-removed,))
        return removed

    # --- reading

    def matching_topics(self, bloom: bytes) -> list[bytes] | None:
        """Return the archived topics that a bloom filter lets through; None: too many to list.

        Raises:
            ArchiveError: the archive cannot be read.
        """
        with self._snapshot() as db:
            return matching_topics(db, bloom)

    def read(self, query: Query, after: bytes, max_rows: int, max_bytes: int) -> Page:
        """Read envelopes behind the cursor `after` (empty: from the start of the range).

        Raises:
            ArchiveError: the archive cannot be read.
        """
        with self._snapshot() as db:
            return read_page(db, query, after, max_rows, max_bytes)

    def check(self) -> None:
        """Read the whole file and look for damage.

        Raises:
            ArchiveError: it is corrupt, or cannot be read.
        """
        with self._snapshot() as db:
            verdict = db.execute("PRAGMA quick_check(1)").fetchone()[0]
        if verdict != "ok":
            raise corrupt(self.path, verdict)

    # --- inside

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        with self._opened("write") as db:
            db.execute("BEGIN IMMEDIATE")
            try:
                yield db
                db.execute("COMMIT")
            except BaseException:
                # SQLite has rolled back by itself after some errors, a full disk among them.
                if db.in_transaction:
                    db.execute("ROLLBACK")
                raise

    @contextmanager
    def _snapshot(self) -> Iterator[sqlite3.Connection]:
        """Let a call that reads in several steps see one state of the archive."""
        with self._opened("read") as db:
            db.execute("BEGIN")
            try:
                yield db
            finally:
                db.execute("ROLLBACK")

    @contextmanager
    def _opened(self, purpose: str) -> Iterator[sqlite3.Connection]:
        if self._db is None:
            raise ArchiveUnavailableError(f"{self.path} is closed")
        try:
            yield self._db
        except sqlite3.Error as error:
            raise translated(error, purpose, self.path) from error


def recover(path: Path, stamp: str) -> Path | None:
    """Move a corrupt archive aside, so that the next start makes a new one.

    Reads the whole file. `stamp` becomes part of the new name. Returns it; None: the archive is
    intact, or there is none, and nothing was moved.

    Raises:
        ArchiveError: the archive is not corrupt but cannot be used, or cannot be moved.
    """
    if not path.exists():
        return None
    archive = SqliteArchive(path)
    try:
        archive.open()
        archive.check()
    except ArchiveCorruptError:
        # Moved below, when nothing has it open any more: closing would write to the old names.
        pass
    else:
        return None
    finally:
        archive.close()
    aside = path.with_name(f"{path.name}.corrupt-{stamp}")
    try:
        for suffix in ("-wal", "-shm", ""):
            part = path.with_name(path.name + suffix)
            if part.exists():
                part.rename(aside.with_name(aside.name + suffix))
    except OSError as error:
        raise ArchiveError(f"cannot move {path} aside: {error}") from error
    return aside
