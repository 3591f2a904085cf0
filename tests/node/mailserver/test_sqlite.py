"""The archive in SQLite: what it keeps, in what order, and how it finds it again."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from statusnode.mailserver import sqlite_rows
from statusnode.mailserver.archive import (
    MAX_TIME,
    ArchiveCorruptError,
    ArchiveError,
    ArchiveUnavailableError,
    ArchiveVersionError,
    Page,
    Query,
)
from statusnode.mailserver.sqlite import FILE_NAME, SCHEMA_VERSION, SqliteArchive, recover
from statusnode.messages.bloom import FULL_BLOOM, bloom_bytes, bloom_matches, bloom_of
from statusnode.messages.topic import topic_bloom
from support.mailserver_archives import NOW, TOPIC, cursor, entry, in_key_order, mail

ALL = Query(0, MAX_TIME)
OTHER_TOPIC = bytes.fromhex("aabbcc07")
BIG = 1 << 30


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / FILE_NAME


@pytest.fixture
def archive(path: Path) -> Iterator[SqliteArchive]:
    archive = SqliteArchive(path)
    archive.open()
    yield archive
    archive.close()


def raws(page: Page) -> list[bytes]:
    return [raw for _, raw in page.rows]


def read_all(archive: SqliteArchive, query: Query, max_rows: int = 7) -> list[bytes]:
    """Follow the pages of a query to its end."""
    found: list[bytes] = []
    after = b""
    while True:
        page = archive.read(query, after, max_rows, BIG)
        found += raws(page)
        if page.resume is None:
            return found
        after = page.resume


def test_what_is_added_is_there_after_opening_the_file_again(path: Path) -> None:
    first = SqliteArchive(path)
    assert first.open() == 0
    envelope = mail()
    assert first.add([entry(envelope)]) == 1
    first.close()

    second = SqliteArchive(path)
    assert second.open() == 1
    page = second.read(ALL, b"", 10, BIG)
    assert page.rows == [(cursor(envelope), envelope.raw)]
    assert page.resume is None
    second.close()


def test_commits_reach_the_disk_before_they_are_answered(archive: SqliteArchive) -> None:
    db = archive._db
    assert db is not None
    assert db.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    assert db.execute("PRAGMA synchronous").fetchone() == (2,)  # FULL


def test_an_envelope_is_archived_once(archive: SqliteArchive, path: Path) -> None:
    envelopes = [mail() for _ in range(300)]
    assert archive.add([entry(e) for e in envelopes[:200]]) == 200
    assert archive.add([entry(e) for e in envelopes[100:]]) == 100
    archive.close()
    assert archive.open() == 300
    assert read_all(archive, ALL, 64) == [e.raw for e in in_key_order(envelopes)]


def test_answers_are_in_ascending_order_of_time_and_hash(archive: SqliteArchive) -> None:
    envelopes = [mail(sent=NOW - n % 5) for n in range(50)]
    archive.add([entry(e) for e in envelopes])
    assert read_all(archive, ALL) == [e.raw for e in in_key_order(envelopes)]


def test_a_range_of_time_includes_both_its_ends(archive: SqliteArchive) -> None:
    envelopes = [mail(sent=NOW + n) for n in range(5)]
    archive.add([entry(e) for e in envelopes])
    assert read_all(archive, Query(NOW + 1, NOW + 3)) == [e.raw for e in envelopes[1:4]]


def test_the_last_second_of_time_can_be_archived_and_asked_for(archive: SqliteArchive) -> None:
    first, last = mail(sent=0), mail(sent=MAX_TIME)
    archive.add([entry(first), entry(last)])
    assert read_all(archive, ALL) == [first.raw, last.raw]
    assert read_all(archive, Query(MAX_TIME, MAX_TIME)) == [last.raw]


def test_envelopes_that_share_time_and_the_head_of_their_hash_are_both_kept(
    archive: SqliteArchive,
) -> None:
    head = b"\xff" * 4  # the last id of its second: the next one is the first
    twins = [(NOW, head + bytes([n]) * 28, TOPIC, bytes([n]) * 10) for n in range(5)]
    assert archive.add(twins[:3]) == 3
    assert archive.add(twins) == 2
    assert archive.add(twins) == 0
    assert sorted(read_all(archive, Query(NOW, NOW))) == [twin[3] for twin in twins]
    assert archive.read(Query(NOW + 1, MAX_TIME), b"", 10, BIG).rows == []
    for twin in twins:
        page = archive.read(Query(NOW, NOW), NOW.to_bytes(4, "big") + twin[1], 10, BIG)
        assert twin[3] not in raws(page)


def test_a_page_ends_with_its_last_row_or_the_row_that_fills_it(archive: SqliteArchive) -> None:
    envelopes = in_key_order([mail(size=1000) for _ in range(5)])
    archive.add([entry(e) for e in envelopes])
    by_rows = archive.read(ALL, b"", 2, BIG)
    assert raws(by_rows) == [e.raw for e in envelopes[:2]]
    assert by_rows.resume == cursor(envelopes[1])
    by_size = archive.read(ALL, b"", 10, 2500)
    assert raws(by_size) == [e.raw for e in envelopes[:3]]
    assert by_size.resume == cursor(envelopes[2])


def test_a_cursor_of_nothing_loses_no_envelope(archive: SqliteArchive) -> None:
    envelopes = in_key_order([mail() for _ in range(9)])
    archive.add([entry(e) for e in envelopes])
    for envelope in envelopes:
        rest = [e.raw for e in envelopes if cursor(e) > cursor(envelope)]
        assert raws(archive.read(ALL, cursor(envelope), 10, BIG)) == rest
        before = cursor(envelope)[:-1] + bytes([cursor(envelope)[-1] ^ 1])
        expected = [e.raw for e in envelopes if cursor(e) > before]
        assert raws(archive.read(ALL, before, 10, BIG)) == expected


def test_a_cursor_before_the_range_does_not_widen_it(archive: SqliteArchive) -> None:
    old, new = mail(sent=NOW - 100), mail()
    archive.add([entry(old), entry(new)])
    assert raws(archive.read(Query(NOW, NOW), bytes(36), 10, BIG)) == [new.raw]


@pytest.mark.parametrize("wanted", [1, 2, 3])
def test_topics_are_found_without_the_others(archive: SqliteArchive, wanted: int) -> None:
    topics = [bytes([n, 7, 7, 0]) for n in range(10)]
    envelopes = [mail(topics[n % 10], sent=NOW + n // 7) for n in range(200)]
    archive.add([entry(e) for e in envelopes])
    query = Query(NOW + 2, NOW + 25, tuple(topics[:wanted]))
    expected = [
        e for e in envelopes if e.topic in topics[:wanted] and NOW + 2 <= e.sent <= NOW + 25
    ]
    assert read_all(archive, query) == [e.raw for e in in_key_order(expected)]


def test_no_topic_finds_nothing(archive: SqliteArchive) -> None:
    archive.add([entry(mail())])
    assert archive.read(Query(0, MAX_TIME, ()), b"", 10, BIG) == Page([], None)


def test_a_topic_is_one_search_of_the_index(archive: SqliteArchive) -> None:
    db = archive._db
    assert db is not None
    arguments = {sqlite_rows._BY_TOPIC: (1, 2, 3, 4), sqlite_rows._IDS_OF_TOPIC: (1, 2, 3, 4)}
    for statement, values in arguments.items():
        plan = db.execute("EXPLAIN QUERY PLAN " + statement, values).fetchall()
        assert len(plan) == 1
        assert "INDEX by_topic (topic=? AND rowid>? AND rowid<?)" in plan[0][3]
    plan = db.execute("EXPLAIN QUERY PLAN " + sqlite_rows._NEXT_TOPIC, (1,)).fetchall()
    assert [row[3] for row in plan] == ["SEARCH envelopes USING COVERING INDEX by_topic (topic>?)"]


def test_topics_behind_a_bloom_filter_are_those_that_pass_it(archive: SqliteArchive) -> None:
    archive.add([entry(mail(TOPIC)), entry(mail(OTHER_TOPIC)), entry(mail(b"\xff\xff\xff\xff"))])
    assert archive.matching_topics(bloom_bytes(bloom_of([TOPIC]))) == [TOPIC]
    both = bloom_bytes(bloom_of([TOPIC, OTHER_TOPIC]))
    assert archive.matching_topics(both) == [TOPIC, OTHER_TOPIC]
    everything = archive.matching_topics(bloom_bytes(FULL_BLOOM))
    assert everything == [TOPIC, OTHER_TOPIC, b"\xff\xff\xff\xff"]
    assert archive.matching_topics(bytes(64)) == []


def test_a_filter_that_lets_too_much_through_lists_nothing(
    archive: SqliteArchive, monkeypatch: pytest.MonkeyPatch
) -> None:
    archive.add([entry(mail(bytes([0, 0, n, 0]))) for n in range(20)])
    monkeypatch.setattr(sqlite_rows, "_MAX_TOPICS", 19)
    assert archive.matching_topics(bloom_bytes(FULL_BLOOM)) is None
    monkeypatch.setattr(sqlite_rows, "_MAX_TOPICS", 20)
    assert len(archive.matching_topics(bloom_bytes(FULL_BLOOM)) or ()) == 20
    monkeypatch.setattr(sqlite_rows, "_MAX_LEAPS", 10)
    assert archive.matching_topics(bloom_bytes(FULL_BLOOM)) is None


def test_walking_by_bloom_goes_on_where_its_stretch_ended(
    archive: SqliteArchive, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite_rows, "_MAX_WALK", 10)
    envelopes = [mail(TOPIC if n % 25 == 0 else OTHER_TOPIC, sent=NOW + n) for n in range(100)]
    archive.add([entry(e) for e in envelopes])
    query = Query(0, MAX_TIME, None, bloom_bytes(bloom_of([TOPIC])))
    assert read_all(archive, query, 3) == [e.raw for e in envelopes[::25]]
    others = Query(0, MAX_TIME, None, bloom_bytes(bloom_of([OTHER_TOPIC])))
    assert read_all(archive, others, 3) == [e.raw for e in envelopes if e.topic == OTHER_TOPIC]


def test_a_request_that_lists_too_many_topics_is_answered_all_the_same(
    archive: SqliteArchive, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite_rows, "_MAX_TOPICS", 3)
    monkeypatch.setattr(sqlite_rows, "_MAX_WALK", 10)
    topics = [bytes([n, 7, 7, 0]) for n in range(10)]
    envelopes = [mail(topics[n % 10], sent=NOW + n) for n in range(60)]
    archive.add([entry(e) for e in envelopes])
    wanted = tuple(topics[2:7])
    expected = [e.raw for e in envelopes if e.topic in wanted]
    assert read_all(archive, Query(0, MAX_TIME, wanted)) == expected


@settings(max_examples=30, deadline=None)
@given(
    rows=st.lists(st.tuples(st.integers(0, 5), st.integers(0, 4)), max_size=40),
    lower=st.integers(0, 5),
    upper=st.integers(0, 5),
    chosen=st.sets(st.integers(0, 4)),
    max_rows=st.integers(1, 9),
)
def test_every_way_of_searching_finds_the_same(
    tmp_path_factory: pytest.TempPathFactory,
    rows: list[tuple[int, int]],
    lower: int,
    upper: int,
    chosen: set[int],
    max_rows: int,
) -> None:
    topics = [bytes([16 * n, 1, 2, 0]) for n in range(5)]
    envelopes = [mail(topics[topic], sent=NOW + second) for second, topic in rows]
    archive = SqliteArchive(tmp_path_factory.mktemp("archive") / FILE_NAME)
    archive.open()
    archive.add([entry(e) for e in envelopes])
    span = NOW + lower, NOW + upper
    wanted = tuple(topics[n] for n in sorted(chosen))
    within = in_key_order([e for e in envelopes if span[0] <= e.sent <= span[1]])
    expected = [e.raw for e in within if e.topic in wanted]
    bloom = bloom_of(wanted)
    passing = [e.raw for e in within if bloom_matches(bloom, topic_bloom(e.topic))]
    assert read_all(archive, Query(*span), max_rows) == [e.raw for e in within]
    assert read_all(archive, Query(*span, wanted), max_rows) == expected
    assert read_all(archive, Query(*span, None, bloom_bytes(bloom)), max_rows) == passing
    matching = tuple(archive.matching_topics(bloom_bytes(bloom)) or ())
    assert read_all(archive, Query(*span, matching), max_rows) == passing
    archive.close()
    archive.close()


def test_pruning_removes_the_oldest_first_and_only_what_is_older(archive: SqliteArchive) -> None:
    envelopes = [mail(sent=NOW + n) for n in range(10)]
    archive.add([entry(e) for e in envelopes])
    assert archive.prune(NOW + 5, 3) == 3
    assert read_all(archive, ALL) == [e.raw for e in envelopes[3:]]
    assert archive.prune(NOW + 5, 1000) == 2
    assert archive.prune(NOW + 5, 1000) == 0
    assert read_all(archive, ALL) == [e.raw for e in envelopes[5:]]
    archive.close()
    assert archive.open() == 5


def test_a_page_goes_on_after_its_envelopes_were_pruned(archive: SqliteArchive) -> None:
    envelopes = [mail(sent=NOW + n) for n in range(10)]
    archive.add([entry(e) for e in envelopes])
    page = archive.read(ALL, b"", 3, BIG)
    archive.prune(NOW + 5, 1000)
    assert page.resume is not None
    assert raws(archive.read(ALL, page.resume, 10, BIG)) == [e.raw for e in envelopes[5:]]


def test_a_full_disk_adds_nothing_and_heals(archive: SqliteArchive) -> None:
    db = archive._db
    assert db is not None
    kept = mail()
    archive.add([entry(kept)])
    (pages,) = db.execute("PRAGMA page_count").fetchone()
    db.execute(f"PRAGMA max_page_count = {pages}")
    large = [mail(size=50_000) for _ in range(3)]
    with pytest.raises(ArchiveUnavailableError, match="full"):
        archive.add([entry(e) for e in large])
    assert read_all(archive, ALL) == [kept.raw]
    db.execute("PRAGMA max_page_count = 1000000")
    assert archive.add([entry(e) for e in large]) == 3
    archive.close()
    assert archive.open() == 4


def test_a_newer_schema_is_refused(path: Path) -> None:
    archive = SqliteArchive(path)
    archive.open()
    archive.close()
    with sqlite3.connect(path) as db:
        db.execute(f"PRAGMA user_version = {SCHEMA_VERSION + 1}")
    db.close()
    with pytest.raises(ArchiveVersionError, match="newer version"):
        SqliteArchive(path).open()
    with pytest.raises(ArchiveVersionError):
        recover(path, "now")


def test_somebody_elses_database_is_refused_and_left_alone(path: Path) -> None:
    with sqlite3.connect(path) as db:
        db.execute("CREATE TABLE precious (x)")
    db.close()
    before = path.read_bytes()
    with pytest.raises(ArchiveError, match="not an archive of this program"):
        SqliteArchive(path).open()
    assert path.read_bytes() == before


def test_garbage_is_refused_with_a_remedy_and_moved_aside_only_then(path: Path) -> None:
    garbage = b"no database at all " * 1000
    path.write_bytes(garbage)
    with pytest.raises(ArchiveCorruptError, match=rf"{FILE_NAME} is corrupt .*--recover"):
        SqliteArchive(path).open()
    assert path.read_bytes() == garbage

    aside = recover(path, "20240101")
    assert aside == path.with_name(f"{FILE_NAME}.corrupt-20240101")
    assert aside.read_bytes() == garbage
    archive = SqliteArchive(path)
    assert archive.open() == 0
    archive.close()


def test_a_missing_table_is_corruption(path: Path) -> None:
    archive = SqliteArchive(path)
    archive.open()
    archive.close()
    with sqlite3.connect(path) as db:
        db.execute("DROP TABLE tally")
    db.close()
    with pytest.raises(ArchiveCorruptError, match="--recover"):
        archive.open()


def test_damage_in_the_middle_is_found_when_recovery_is_asked_for(path: Path) -> None:
    archive = SqliteArchive(path)
    archive.open()
    archive.add([entry(mail(size=1000)) for _ in range(500)])
    archive.close()
    data = bytearray(path.read_bytes())
    middle = len(data) // 2 // 4096 * 4096
    data[middle : middle + 20 * 4096] = b"\xa5" * (20 * 4096)
    path.write_bytes(data)
    assert recover(path, "x") is not None
    assert archive.open() == 0
    archive.close()


def test_an_intact_archive_is_never_moved(path: Path) -> None:
    assert recover(path, "x") is None
    archive = SqliteArchive(path)
    archive.open()
    archive.add([entry(mail())])
    archive.close()
    assert recover(path, "x") is None
    assert archive.open() == 1
    archive.close()


def test_a_folder_that_cannot_be_made_is_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ArchiveError, match="cannot make the folder"):
        SqliteArchive(tmp_path / "file" / FILE_NAME).open()


def test_a_closed_archive_says_so(path: Path) -> None:
    with pytest.raises(ArchiveUnavailableError, match="closed"):
        SqliteArchive(path).read(ALL, b"", 1, 1)
