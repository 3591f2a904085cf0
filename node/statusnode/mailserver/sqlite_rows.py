"""The statements on the table of envelopes (`sqlite` says how it is laid out and why).

A page of one topic is one search of the index. Topics behind a bloom filter are found by leaps over
the index (`topicscan`) and their ids merged, for at most `_MAX_TOPICS` of them. A filter that lets
more through, and a request that lists more, is answered by walking the range, at most `_MAX_WALK`
rows a call. So one call does bounded work however large the archive is: the dearest that were
found, over 600,000 envelopes of as many topics, took a quarter of a second on a busy machine.
"""

from __future__ import annotations

import heapq
import sqlite3
from collections.abc import Callable, Iterable, Iterator
from itertools import chain, islice
from typing import Final, TypeAlias

from statusnode.mailserver.archive import TIME_SIZE, Page, Query, Row, cursor_of
from statusnode.mailserver.topicscan import CandidateTopics
from statusnode.messages.bloom import bloom_matches, parse_bloom
from statusnode.messages.topic import TOPIC_SIZE, topic_bloom

StoredRow: TypeAlias = tuple[int, int, bytes, bytes]
"""Id, topic as a number, hash, raw RLP."""

_PREFIX_BITS: Final = 31
_PREFIX_MASK: Final = (1 << _PREFIX_BITS) - 1
_MAX_TOPICS: Final = 4096
_MAX_LEAPS: Final = 50_000
_MAX_WALK: Final = 50_000

_INSERT: Final = "INSERT OR IGNORE INTO envelopes (id, topic, hash, data) VALUES "
_ROWS: Final = "SELECT id, hash, data FROM envelopes WHERE "
_BY_TIME: Final = _ROWS + "id > ? AND id <= ? ORDER BY id LIMIT ?"
_BY_TOPIC: Final = _ROWS + "topic = ? AND id > ? AND id <= ? ORDER BY id LIMIT ?"
_BY_ID: Final = _ROWS + "id = ?"
_IDS_OF_TOPIC: Final = (
    "SELECT id FROM envelopes WHERE topic = ? AND id > ? AND id <= ? ORDER BY id LIMIT ?"
)
_WALK: Final = "SELECT id, topic FROM envelopes WHERE id > ? AND id <= ? ORDER BY id LIMIT ?"
_NEXT_TOPIC: Final = "SELECT min(topic) FROM envelopes WHERE topic >= ?"
_HASH_AT: Final = "SELECT hash FROM envelopes WHERE id = ?"


def first_id_of(second: int) -> int:
    """Return the least id of envelopes sent in a second (uint32)."""
    return second << _PREFIX_BITS


def id_of(sent: int, identity: bytes) -> int:
    """Return the id of an envelope by the second it was sent and its hash, unless it is taken."""
    return sent << _PREFIX_BITS | int.from_bytes(identity[:4], "big") >> 1


def _probes(first: int) -> Iterator[int]:
    """Yield the ids at which an envelope may stand: of its own second, from its own id on."""
    second, prefix = first & ~_PREFIX_MASK, first & _PREFIX_MASK
    for step in range(_PREFIX_MASK + 1):
        yield second | (prefix + step) & _PREFIX_MASK


def insert_rows(db: sqlite3.Connection, rows: list[StoredRow]) -> int:
    """Insert rows that are not there yet; return how many those were."""
    statement = _INSERT + ",".join(["(?,?,?,?)"] * len(rows))
    added = db.execute(statement, list(chain.from_iterable(rows))).rowcount
    if added < len(rows):
        # Some ids are taken: by the same envelopes, or by others that share 31 bits with them.
        added += sum(_insert_elsewhere(db, row) for row in rows)
    return added


def _insert_elsewhere(db: sqlite3.Connection, row: StoredRow) -> bool:
    for identifier in _probes(row[0]):
        taken = db.execute(_HASH_AT, (identifier,)).fetchone()
        if taken is None:
            db.execute(_INSERT + "(?,?,?,?)", (identifier, *row[1:]))
            return True
        if taken[0] == row[2]:
            return False
    return False


def matching_topics(db: sqlite3.Connection, bloom: bytes) -> list[bytes] | None:
    """Find the topics in the table that a bloom filter lets through; None: too many to list."""
    candidates = CandidateTopics(bloom)
    wanted = parse_bloom(bloom)
    found: list[bytes] = []
    candidate = candidates.at_or_after(0)
    for _ in range(_MAX_LEAPS):
        if candidate is None:
            return found
        number = db.execute(_NEXT_TOPIC, (candidate,)).fetchone()[0]
        if number is None:
            return found
        topic = number.to_bytes(TOPIC_SIZE, "big")
        if bloom_matches(wanted, topic_bloom(topic)):
            if len(found) == _MAX_TOPICS:
                return None
            found.append(topic)
        candidate = candidates.at_or_after(number + 1)
    return None


def read_page(
    db: sqlite3.Connection, query: Query, after: bytes, max_rows: int, max_bytes: int
) -> Page:
    """Read what `ArchiveStore.read` promises, within one snapshot."""
    start = first_id_of(query.lower) - 1
    if after:
        start = max(start, _position(db, after))
    end = first_id_of(query.upper) | _PREFIX_MASK
    span = start, end
    if query.topics is not None:
        numbers = {int.from_bytes(topic, "big") for topic in query.topics}
        if len(numbers) > _MAX_TOPICS:
            return _by_walk(db, numbers.__contains__, span, max_rows, max_bytes)
        return _by_topics(db, numbers, span, max_rows, max_bytes)
    if query.bloom:
        passes = _bloom_test(query.bloom)
        return _by_walk(db, passes, span, max_rows, max_bytes)
    rows = db.execute(_BY_TIME, (*span, max_rows))
    return _page(rows, max_rows, max_bytes)


def _position(db: sqlite3.Connection, cursor: bytes) -> int:
    """Return the last id that is not behind a cursor, whether or not its envelope is there.

    status-go goes to the first key from the cursor on and passes over it whatever it is, so that a
    cursor of an envelope that was removed since costs one envelope; every other cursor means the
    same there and here.
    """
    identity = cursor[TIME_SIZE:]
    first = id_of(int.from_bytes(cursor[:TIME_SIZE], "big"), identity)
    at_first = None
    for identifier in _probes(first):
        row = db.execute(_HASH_AT, (identifier,)).fetchone()
        if row is None:
            break
        if row[0] == identity:
            return identifier
        at_first = at_first or row[0]
    return first if at_first is not None and at_first < identity else first - 1


def _by_topics(
    db: sqlite3.Connection,
    numbers: set[int],
    span: tuple[int, int],
    max_rows: int,
    max_bytes: int,
) -> Page:
    if len(numbers) == 1:
        rows = db.execute(_BY_TOPIC, (*numbers, *span, max_rows))
        return _page(rows, max_rows, max_bytes)
    # Twice an even share at first: a topic that has more is asked again.
    stretch = max(8, 2 * max_rows // max(1, len(numbers)))
    streams = [_ids_of(db, number, span, stretch) for number in numbers]
    ids = islice(heapq.merge(*streams), max_rows)
    return _page(_rows_of(db, ids), max_rows, max_bytes)


def _ids_of(
    db: sqlite3.Connection, number: int, span: tuple[int, int], stretch: int
) -> Iterator[int]:
    start, end = span
    while True:
        ids = db.execute(_IDS_OF_TOPIC, (number, start, end, stretch)).fetchall()
        yield from (row[0] for row in ids)
        if len(ids) < stretch:
            return
        start = ids[-1][0]


def _rows_of(db: sqlite3.Connection, ids: Iterable[int]) -> Iterator[tuple[int, bytes, bytes]]:
    for identifier in ids:
        yield db.execute(_BY_ID, (identifier,)).fetchone()


def _bloom_test(bloom: bytes) -> Callable[[int], bool]:
    wanted = parse_bloom(bloom)
    return lambda number: bloom_matches(wanted, topic_bloom(number.to_bytes(TOPIC_SIZE, "big")))


def _by_walk(
    db: sqlite3.Connection,
    passes: Callable[[int], bool],
    span: tuple[int, int],
    max_rows: int,
    max_bytes: int,
) -> Page:
    ids: list[int] = []
    walked = 0
    for identifier, number in db.execute(_WALK, (*span, _MAX_WALK)):
        walked += 1
        if passes(number):
            ids.append(identifier)
            if len(ids) == max_rows:
                break
    page = _page(_rows_of(db, ids), max_rows, max_bytes)
    if page.resume is None and walked == _MAX_WALK:
        identity = db.execute(_HASH_AT, (identifier,)).fetchone()[0]
        return Page(page.rows, cursor_of(identifier >> _PREFIX_BITS, identity))
    return page


def _page(rows: Iterable[tuple[int, bytes, bytes]], max_rows: int, max_bytes: int) -> Page:
    """Take rows up to a number and a size."""
    taken: list[Row] = []
    size = 0
    for identifier, identity, raw in rows:
        taken.append((cursor_of(identifier >> _PREFIX_BITS, identity), raw))
        size += len(raw)
        if len(taken) == max_rows or size >= max_bytes:
            return Page(taken, taken[-1][0])
    return Page(taken, None)
