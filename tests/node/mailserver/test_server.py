"""The mailserver as the relay and its peers see it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from statusnode.crypto.keys import PrivateKey
from statusnode.mailserver.archive import ArchiveCorruptError, ArchiveUnavailableError
from statusnode.mailserver.delivery import Delivery
from statusnode.mailserver.request import MailRequest
from statusnode.mailserver.response import Completion, Failure, decode
from statusnode.mailserver.server import MailServer, MailSettings
from statusnode.messages import payload, sealing
from statusnode.messages.bloom import FULL_BLOOM, bloom_bytes, bloom_of
from statusnode.messages.envelope import Envelope
from support.mailserver_archives import (
    NOW,
    TOPIC,
    DirectArchive,
    RecordedLink,
    cursor,
    in_key_order,
    mail,
)

PASSWORD = "status-offline-inbox"
KEY = bytes.fromhex("765df27c0765526f920ba742ff4b9452bb0064e016435ffccd81186aa6feaae8")
SETTINGS = MailSettings(PASSWORD, min_pow=0.0)
EVERYTHING = bloom_bytes(FULL_BLOOM)
ALL = MailRequest(0, NOW + 100, EVERYTHING)
ID = b"\x11" * 32
SIGNER = PrivateKey(b"\x11" * 32)
# One byte of topic, one filter of its own: 00 and 40 share no byte of a bloom filter.
TOPICS = [bytes([64 * n, 8 + 64 * n, 16 + 64 * n, 0]) for n in range(4)]


class Clock:
    """Monotonic seconds that pass when told to."""

    def __init__(self) -> None:
        self.seconds = 1000.0

    def __call__(self) -> float:
        return self.seconds


@pytest.fixture
def archive(tmp_path: Path) -> DirectArchive:
    return DirectArchive(tmp_path)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@asynccontextmanager
async def serving(
    archive: DirectArchive, settings: MailSettings, clock: Callable[[], float]
) -> AsyncIterator[MailServer]:
    server = MailServer(settings, archive, lambda: NOW, clock)
    await server.start()
    try:
        yield server
    finally:
        await server.stop()


@pytest.fixture
async def server(archive: DirectArchive, clock: Clock) -> AsyncIterator[MailServer]:
    async with serving(archive, SETTINGS, clock) as server:
        yield server


def fill(server: MailServer, count: int, size: int = 100) -> list[Envelope]:
    """Archive some envelopes; return them in the order of answers."""
    envelopes = [mail(TOPICS[n % 4], sent=NOW - n % 50, size=size) for n in range(count)]
    for envelope in envelopes:
        server.archive(envelope)
    return in_key_order(envelopes)


async def ask(
    server: MailServer, request: MailRequest, link: RecordedLink | None = None
) -> tuple[list[bytes], Completion | Failure]:
    """Ask in the plain form; return the envelopes and the end of the answer."""
    link = link or RecordedLink()
    server.request_received(link, request.encode_plain(ID))
    end = decode(await link.answer())
    assert end.request_id == ID
    return link.envelopes, end


def seal(
    content: bytes, *, key: bytes = KEY, signer: PrivateKey | None = SIGNER, expiry: int = NOW
) -> Envelope:
    data = sealing.seal_symmetric(payload.encode(content, signer=signer), key)
    return Envelope.build(expiry, 50, bytes(4), data, 0)


async def refusal(server: MailServer, envelope: Envelope) -> str:
    link = RecordedLink()
    server.request_received(link, envelope.raw)
    end = decode(await link.answer())
    assert isinstance(end, Failure)
    assert end.request_id == envelope.hash
    assert link.packets == []
    return end.text


async def test_what_was_posted_before_a_request_is_in_its_answer(server: MailServer) -> None:
    envelopes = fill(server, 20)
    found, end = await ask(server, ALL)
    assert found == [e.raw for e in envelopes]
    assert end == Completion(ID, envelopes[-1].hash)
    counters = server.counters
    assert (counters.archived, counters.archived_envelopes) == (20, 20)
    assert (counters.delivery_attempts, counters.envelopes) == (1, 1)
    assert (counters.delivered_envelopes, counters.requests_batched) == (20, 1)
    assert sum(counters.delivery_duration_seconds.counts) == 1
    assert counters.sent_envelope_batch_size_bytes.total == sum(map(len, found))


async def test_an_empty_archive_answers_with_zeros(server: MailServer) -> None:
    assert await ask(server, ALL) == ([], Completion(ID))


async def test_a_limit_of_five_comes_as_four_and_one_with_a_cursor(server: MailServer) -> None:
    envelopes = fill(server, 5)
    link = RecordedLink()
    found, end = await ask(server, replace(ALL, limit=5), link)
    assert [len(packet) for packet in link.packets] == [4, 1]
    assert end == Completion(ID, envelopes[4].hash, cursor(envelopes[4]))
    assert found == [e.raw for e in envelopes]
    assert await ask(server, replace(ALL, limit=5, cursor=cursor(envelopes[4]))) == (
        [],
        Completion(ID),
    )


async def test_pages_follow_each_other_without_gap_or_overlap(server: MailServer) -> None:
    envelopes = fill(server, 100)
    collected: list[bytes] = []
    request = replace(ALL, limit=7)
    while True:
        found, end = await ask(server, request)
        collected += found
        assert isinstance(end, Completion)
        if not end.cursor:
            break
        request = replace(request, cursor=end.cursor)
    assert collected == [e.raw for e in envelopes]


async def test_a_cursor_of_another_size_is_ignored(server: MailServer) -> None:
    envelopes = fill(server, 3)
    for odd in (b"\xff" * 35, b"\xff" * 40):
        found, _ = await ask(server, replace(ALL, cursor=odd))
        assert found == [e.raw for e in envelopes]


async def test_no_limit_means_a_thousand(server: MailServer) -> None:
    envelopes = fill(server, 1001)
    found, end = await ask(server, ALL)
    assert len(found) == 1000
    assert end == Completion(ID, envelopes[999].hash, cursor(envelopes[999]))


async def test_large_envelopes_come_in_several_packets_that_peers_accept(
    archive: DirectArchive, clock: Clock
) -> None:
    settings = replace(SETTINGS, max_message_size=10_000)
    async with serving(archive, settings, clock) as server:
        envelopes = fill(server, 20, size=3_000)
        link = RecordedLink()
        found, _ = await ask(server, ALL, link)
        assert found == [e.raw for e in envelopes]
        assert [len(packet) for packet in link.packets] == [3, 3, 3, 3, 3, 3, 2]


async def test_a_request_by_bloom_gets_the_topics_behind_it(server: MailServer) -> None:
    envelopes = fill(server, 40)
    found, _ = await ask(server, replace(ALL, bloom=bloom_bytes(bloom_of(TOPICS[1:3]))))
    assert found == [e.raw for e in envelopes if e.topic in TOPICS[1:3]]


async def test_a_request_by_topic_gets_that_topic_alone(server: MailServer) -> None:
    envelopes = fill(server, 40)
    found, _ = await ask(server, replace(ALL, topics=(TOPICS[2],)))
    assert found == [e.raw for e in envelopes if e.topic == TOPICS[2]]


async def test_a_topic_has_to_pass_the_bloom_filter_too(server: MailServer) -> None:
    envelopes = fill(server, 40)
    bloom = bloom_bytes(bloom_of(TOPICS[:2]))
    found, _ = await ask(server, replace(ALL, bloom=bloom, topics=(TOPICS[1], TOPICS[2])))
    assert found == [e.raw for e in envelopes if e.topic == TOPICS[1]]


async def test_only_the_range_asked_for_is_answered_and_no_end_means_now(
    server: MailServer,
) -> None:
    early, ahead, future = mail(sent=NOW - 9), mail(sent=NOW + 60), mail(sent=NOW + 61)
    for envelope in (early, ahead, future):
        server.archive(envelope)
    found, _ = await ask(server, MailRequest(NOW - 9, 0, EVERYTHING))
    assert found == [early.raw, ahead.raw]
    found, _ = await ask(server, MailRequest(NOW, 2**32 - 1, EVERYTHING))
    assert found == [ahead.raw, future.raw]


async def test_a_sealed_request_is_answered_under_its_hash(server: MailServer) -> None:
    envelopes = fill(server, 3)
    link = RecordedLink()
    # Long expired: that does not matter.
    sealed = seal(replace(ALL, batch=False).encode(), expiry=NOW - 10_000)
    server.request_received(link, sealed.raw)
    end = decode(await link.answer())
    assert end == Completion(sealed.hash, envelopes[-1].hash)
    assert link.packets == [[e.raw] for e in envelopes]  # not batched: one at a time
    assert server.counters.requests_batched == 0


async def test_refusals_of_sealed_requests_have_the_references_sentences(
    archive: DirectArchive, clock: Clock
) -> None:
    async with serving(archive, replace(SETTINGS, min_pow=1e-9), clock) as server:
        good = ALL.encode()
        assert await refusal(server, seal(good, key=b"\x01" * 32)) == (
            "failed to decrypt p2p request"
        )
        assert await refusal(server, seal(good, signer=None)) == (
            "check message signature failed: wrong signature of p2p request"
        )
        text = await refusal(server, seal(b"\xc0"))
        assert text.startswith("failed to decode data: ")
        assert await refusal(server, seal(MailRequest(2, 1, EVERYTHING).encode())) == (
            "query range is invalid: lower > upper"
        )
        assert server.counters.delivery_failures["validation"] == 4
        assert server.counters.delivery_attempts == 0
        server.reconfigure(replace(SETTINGS, min_pow=1e9))
        assert await refusal(server, seal(good)) == "PoW too low"


@pytest.mark.parametrize(
    ("request_", "reason"),
    [
        (MailRequest(2, 1, EVERYTHING), "query range is invalid: lower > upper"),
        (MailRequest(1, 2, b"", (TOPIC,)), "bloom filter is empty"),
        (MailRequest(1, 2, EVERYTHING, limit=1001), "limit exceeds the maximum allowed value"),
        (MailRequest(1, 2, bytes(63)), "bloom filter has 63 bytes, not 64"),
    ],
)
async def test_invalid_requests_are_refused(
    server: MailServer, request_: MailRequest, reason: str
) -> None:
    assert await ask(server, request_) == ([], Failure(ID, f"request is invalid: {reason}"))
    assert server.counters.sync_failures["req_invalid"] == 1
    # What is refused was handled too, as status-go counts.
    assert sum(server.counters.delivery_duration_seconds.counts) == 1


async def test_what_is_no_request_gets_no_answer(server: MailServer) -> None:
    link = RecordedLink()
    for garbage in (b"", b"\xc0", b"garbage", EVERYTHING):
        server.request_received(link, garbage)
    await ask(server, ALL, link)
    assert link.completions == []


async def test_a_peer_that_asks_too_often_is_told_so(archive: DirectArchive, clock: Clock) -> None:
    async with serving(archive, replace(SETTINGS, rate_limit_seconds=5), clock) as server:
        limited = Failure(ID, "rate limit exceeded")
        assert await ask(server, ALL) == ([], Completion(ID))
        clock.seconds += 4
        assert await ask(server, ALL) == ([], limited)
        other = RecordedLink(node_id=b"\x02" * 32)
        assert await ask(server, ALL, other) == ([], Completion(ID))
        clock.seconds += 1.5
        assert await ask(server, ALL) == ([], Completion(ID))
        assert server.counters.delivery_failures["peer_req_limit"] == 1
        # A request that is refused for what it is leaves the window alone.
        clock.seconds += 6
        await ask(server, replace(ALL, limit=1001))
        assert await ask(server, ALL) == ([], Completion(ID))


async def test_requests_of_a_peer_are_answered_one_after_another(server: MailServer) -> None:
    fill(server, 4)
    link = RecordedLink()
    ids = [bytes([n]) * 32 for n in range(8)]
    for request_id in ids:
        server.request_received(link, ALL.encode_plain(request_id))
    ends = [decode(await link.answer()) for _ in ids]
    assert [end.request_id for end in ends] == ids
    assert len(link.envelopes) == 8 * 4


async def test_too_many_waiting_requests_are_refused(server: MailServer) -> None:
    link = RecordedLink()
    link.reads.clear()
    fill(server, 2)
    for n in range(20):
        server.request_received(link, ALL.encode_plain(bytes([n]) * 32))
    refused = [decode(data) for data in link.completions]
    assert refused == [
        Failure(bytes([n]) * 32, "too many requests are waiting") for n in range(8, 20)
    ]
    link.completions.clear()
    link.reads.set()
    for n in range(8):
        assert decode(await link.answer()).request_id == bytes([n]) * 32


async def test_a_peer_that_does_not_read_gets_no_second_packet_and_then_an_error(
    server: MailServer, archive: DirectArchive
) -> None:
    server._delivery = Delivery(archive, server.counters, server._clock, hand_over_seconds=0.05)
    fill(server, 4)
    slow, other = RecordedLink(), RecordedLink(node_id=b"\x02" * 32)
    slow.reads.clear()
    server.request_received(slow, replace(ALL, limit=4).encode_plain(ID))
    assert len((await ask(server, ALL, other))[0]) == 4
    end = decode(await slow.answer())
    assert end == Failure(ID, "timed out sending envelopes")
    assert [len(packet) for packet in slow.packets] == [3]
    assert server.counters.delivery_failures["process"] == 1


async def test_a_peer_that_goes_away_ends_its_answer(server: MailServer) -> None:
    fill(server, 4)
    gone = RecordedLink()
    gone.reads.clear()
    server.request_received(gone, replace(ALL, limit=4).encode_plain(ID))
    async with asyncio.timeout(30):
        while not gone.packets:  # noqa: ASYNC110 - what is waited for has no event
            await asyncio.sleep(0.002)
    server.link_lost(gone)
    gone.reads.set()
    assert len((await ask(server, ALL, RecordedLink()))[0]) == 4
    assert gone.completions == []
    assert len(gone.packets) == 1


async def test_an_archive_that_cannot_be_read_is_told_without_details(
    server: MailServer, archive: DirectArchive
) -> None:
    archive.failure = ArchiveCorruptError("/secret/path is corrupt")
    assert await ask(server, ALL) == ([], Failure(ID, "the archive cannot be read"))
    assert server.counters.delivery_failures["iterator"] == 1
    archive.failure = None
    assert await ask(server, ALL) == ([], Completion(ID))


async def test_a_full_disk_unreadies_the_node_and_old_mail_is_still_served(
    server: MailServer, archive: DirectArchive, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = fill(server, 3)
    assert len((await ask(server, ALL))[0]) == 3
    assert server.open

    async def full(_: object) -> int:
        raise ArchiveUnavailableError("the disk is full")

    with monkeypatch.context() as context:
        context.setattr(archive, "add", full)
        server.archive(mail())
        found, end = await ask(server, ALL)
        assert found == [e.raw for e in old]
        assert end == Completion(ID, old[-1].hash)
        assert not server.open
        assert server.counters.archived == 3


async def test_stopping_commits_what_waits_and_ends_answers(
    archive: DirectArchive, clock: Clock
) -> None:
    link = RecordedLink()
    async with serving(archive, SETTINGS, clock) as server:
        fill(server, 4)
        link.reads.clear()
        server.request_received(link, replace(ALL, limit=4).encode_plain(ID))
        server.request_received(RecordedLink(), ALL.encode_plain(ID))
        assert server.open
    assert not server.open
    assert server.counters.archived == 4
    server.request_received(link, ALL.encode_plain(ID))
    assert archive.store.open() == 4
    archive.store.close()


async def test_whoever_waits_for_the_server_learns_when_it_stops_and_what_ended_it(
    archive: DirectArchive, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with serving(archive, SETTINGS, clock) as server:
        waiting = asyncio.create_task(server.wait())
        await asyncio.sleep(0)
        assert not waiting.done()
    await waiting

    class BugError(Exception):
        pass

    async def broken(_: object) -> int:
        raise BugError

    monkeypatch.setattr(archive, "add", broken)
    server = MailServer(SETTINGS, archive, lambda: NOW, clock)
    await server.start()
    waiting = asyncio.create_task(server.wait())
    server.archive(mail())
    with pytest.raises(ExceptionGroup) as ended:
        await waiting
    assert ended.group_contains(BugError)
    assert not server.open
    with pytest.raises(ExceptionGroup):
        await server.stop()


async def test_an_archive_that_cannot_be_opened_stops_the_start(
    archive: DirectArchive, clock: Clock
) -> None:
    archive.failure = ArchiveCorruptError("corrupt")
    server = MailServer(SETTINGS, archive, lambda: NOW, clock)
    with pytest.raises(ArchiveCorruptError):
        await server.start()
    assert not server.open
    await server.stop()


def test_settings_never_show_the_password() -> None:
    assert PASSWORD not in repr(SETTINGS)
