"""Envelopes from peer to peer through one relay, in virtual time.

      A ──┐            ┌── B   wants all
          ├── relay ───┼── C   wants a topic
Status ↔  │  Messages  └── D   wants a bloom filter
"""

from __future__ import annotations

from dataclasses import replace

import cramjam
import pytest

from statusnode.codec import rlp
from statusnode.crypto.keccak import keccak256
from statusnode.devp2p.protocol import SubprotocolError
from statusnode.messages.bloom import bloom_bytes, bloom_of
from statusnode.messages.envelope import Envelope
from statusnode.relay.acceptance import Acceptance
from statusnode.relay.packets import PacketCode
from statusnode.relay.settings import LimiterSettings, RateLimits, RelaySettings
from statusnode.relay.status import WAKU_0, WAKU_1, Dialect, StatusOptions
from support.relay_peers import EVERYTHING, NOW, FakePeer, RelayWorld, envelope

A, B = bytes.fromhex("01010101"), bytes.fromhex("02020202")
BOTH = pytest.mark.parametrize("dialect", [WAKU_0, WAKU_1], ids=["waku0", "waku1"])


def only(*topics: bytes) -> StatusOptions:
    return StatusOptions(pow_requirement=0.0, topic_interest=topics)


# --- handshake


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        (RelaySettings(), "ddca80883ec0c6f7a0b5ed8dc20280c20380c504c3808080c506c3808080"),
        (
            RelaySettings(bloom_filter_mode=True),
            "ddca80883ec0c6f7a0b5ed8dc20280c20380c504c3808080c506c3808080",
        ),
        (
            RelaySettings(light_client=True),
            "ddca80883ec0c6f7a0b5ed8dc20280c20380c504c3808080c506c3808080",
        ),
        (
            RelaySettings(full_node=True),
            "f862ca80883ec0c6f7a0b5ed8df84301b840" + "ff" * 64 + "c20280c20380c504c3808080"
            "c506c3808080",
        ),
    ],
)
def test_our_status_goes_out_at_once(settings: RelaySettings, expected: str) -> None:
    peer = RelayWorld(settings).connect(None)
    assert [(code, payload.hex()) for code, payload in peer.packets] == [(0, expected)]


def test_rate_limits_are_told() -> None:
    limits = LimiterSettings(RateLimits(100, 50), RateLimits(1_000_000, 500_000))
    peer = RelayWorld(RelaySettings(limiter=limits)).connect(None)
    told = WAKU_1.parse_status(peer.packets[0][1])
    assert told.packet_limits == RateLimits(100, 50)
    assert told.byte_limits == RateLimits(1_000_000, 500_000)


@BOTH
def test_anything_before_the_status_ends_the_session(dialect: Dialect) -> None:
    peer = RelayWorld().connect(None, dialect)
    with pytest.raises(SubprotocolError):
        peer.messages(envelope())


@BOTH
@pytest.mark.parametrize(
    "options",
    [
        StatusOptions(pow_requirement=float("inf")),
        StatusOptions(pow_requirement=-1.0),
        StatusOptions(bloom_filter=bytes(63)),
    ],
)
def test_a_bad_status_ends_the_session(dialect: Dialect, options: StatusOptions) -> None:
    with pytest.raises(SubprotocolError):
        RelayWorld().connect(options, dialect)


def test_a_silent_peer_is_sent_nothing_and_counted_nowhere() -> None:
    world = RelayWorld()
    silent, talker = world.connect(None), world.connect()
    talker.messages(envelope())
    world.advance()
    assert silent.received == []
    assert [link.node_id for link in world.host.links()] == [talker.node_id]


def test_a_later_status_changes_nothing() -> None:
    world = RelayWorld()
    peer, talker = world.connect(), world.connect()
    peer.packet(PacketCode.STATUS, WAKU_1.encode_status(only()))
    talker.messages(one := envelope())
    world.advance()
    assert peer.received == [one.raw]


# --- relaying


@BOTH
def test_a_new_envelope_reaches_everyone_but_its_sender_within_milliseconds(
    dialect: Dialect,
) -> None:
    world = RelayWorld()
    sender, *others = [world.connect(EVERYTHING, dialect) for _ in range(4)]
    world.advance()
    sender.messages(one := envelope())
    world.advance(0.0021)
    assert [peer.received for peer in others] == [[one.raw]] * 3
    assert sender.received == []


def test_nothing_is_sent_to_a_peer_that_has_it() -> None:
    world = RelayWorld()
    first, second, third = world.connect(), world.connect(), world.connect()
    world.advance()
    one, two = envelope(), envelope()
    first.messages(one, two)
    second.messages(two)
    world.advance(0.5)
    third.messages(one)
    world.advance(0.5)
    assert first.received == []
    assert second.received == [one.raw]
    assert third.received == [one.raw, two.raw]


def test_an_envelope_twice_in_a_packet_is_one_envelope() -> None:
    world = RelayWorld()
    sender, other = world.connect(), world.connect()
    one = envelope()
    sender.messages(one, one)
    world.advance()
    assert other.received == [one.raw]
    assert world.host.counters.envelopes_cached == {"hit": 1, "miss": 1, "clear": 0}


def test_raw_bytes_are_passed_on_compressed_once_for_all_who_compress() -> None:
    world = RelayWorld()
    sender = world.connect()
    packed = [world.connect(peer=FakePeer(compresses=True)) for _ in range(2)]
    plain = world.connect()
    world.advance()
    sender.messages(envelope(size=1000))
    world.advance()
    first, second = (peer.compressed[-1] for peer in packed)
    assert first is second
    assert first is not None
    assert bytes(cramjam.snappy.decompress_raw(first)) == plain.packets[-1][1]
    assert plain.compressed == [None, None]


@pytest.mark.parametrize(
    ("options", "wanted", "unwanted"),
    [
        (only(A), A, B),
        (replace(EVERYTHING, topic_interest=(A,)), A, B),
        (replace(only(A), light_node=True), A, B),
        (StatusOptions(0.0, bloom_of([A]).to_bytes(64, "little")), A, B),
        (StatusOptions(0.0, b"\x08" + bytes(63)), bytes((1, 2, 3, 0)), bytes((4, 5, 6, 0))),
        (StatusOptions(0.0, b""), A, None),
        (StatusOptions(0.0), A, None),
        (StatusOptions(0.0, bytes(64)), None, B),
        (only(), None, B),
    ],
)
@BOTH
def test_a_peer_gets_what_it_wants_and_nothing_else(
    dialect: Dialect, options: StatusOptions, wanted: bytes | None, unwanted: bytes | None
) -> None:
    world = RelayWorld()
    sender, peer = world.connect(), world.connect(options, dialect)
    sent = {topic: envelope(topic) for topic in (unwanted, wanted) if topic is not None}
    sender.messages(*sent.values())
    world.advance(0.5)
    assert peer.received == ([sent[wanted].raw] if wanted is not None else [])


@pytest.mark.parametrize("requirement", [None, 0.02])
def test_a_peer_gets_the_proof_of_work_it_requires(requirement: float | None) -> None:
    world = RelayWorld()
    sender, peer = world.connect(), world.connect(StatusOptions(requirement))
    least = requirement or 0.001
    poor = next(one for one in map(with_nonce, range(10_000)) if one.pow < least)
    rich = next(one for one in map(with_nonce, range(100_000)) if one.pow >= least)
    sender.messages(poor, rich)
    world.advance(0.5)
    assert peer.received == [rich.raw]


def with_nonce(nonce: int) -> Envelope:
    return envelope(nonce=nonce)


# --- backlog and changes


def test_a_new_peer_gets_what_is_alive_and_wanted() -> None:
    world = RelayWorld()
    sender = world.connect()
    short, long, other = envelope(A, ttl=2), envelope(A, ttl=50), envelope(B, ttl=50)
    sender.messages(short, long, other)
    world.advance(4)
    late = world.connect(only(A))
    world.advance()
    assert late.received == [long.raw]


def test_a_peer_that_comes_back_gets_its_backlog_again() -> None:
    world = RelayWorld()
    sender = world.connect()
    sender.messages(one := envelope())
    peer = world.connect()
    world.advance()
    assert peer.handler is not None
    peer.handler.connection_lost(None)
    again = world.connect()
    world.advance()
    assert again.received == [one.raw]


def test_a_large_backlog_comes_in_packets_that_peers_accept() -> None:
    world = RelayWorld(RelaySettings(max_message_size=20_000))
    sender = world.connect()
    sent = [envelope(size=900) for _ in range(100)]
    for one in sent:
        sender.messages(one)
    late = world.connect()
    world.advance(1)
    bundles = late.payloads(PacketCode.MESSAGES)
    assert set(late.received) == {one.raw for one in sent}
    assert len(late.received) == 100
    assert max(map(len, bundles)) <= 20_000
    assert len(bundles) < 7


def test_an_envelope_of_the_largest_size_is_passed_on_alone() -> None:
    world = RelayWorld()
    sender, peer = world.connect(), world.connect()
    large = envelope(size=(1 << 20) - 40, ttl=1)
    sender.messages(envelope())
    sender.messages(large)
    world.advance()
    assert large.raw in peer.received
    assert all(len(payload) <= 1 << 20 for payload in peer.payloads(PacketCode.MESSAGES))


@BOTH
def test_a_new_interest_gets_what_now_matches_and_was_not_sent_before(dialect: Dialect) -> None:
    world = RelayWorld()
    sender, peer = world.connect(), world.connect(only(A), dialect)
    a, b = envelope(A), envelope(B)
    sender.messages(a, b)
    world.advance()
    assert peer.received == [a.raw]
    peer.packet(PacketCode.STATUS_UPDATE, dialect.encode_update(StatusOptions(topic_interest=(B,))))
    world.advance()
    assert peer.received == [a.raw, b.raw]
    everything = StatusOptions(bloom_filter=b"\xff" * 64)
    peer.packet(PacketCode.STATUS_UPDATE, dialect.encode_update(everything))
    world.advance()
    sender.messages(late := envelope(A))
    world.advance()
    assert peer.received == [a.raw, b.raw, late.raw]


def test_an_interest_changed_while_something_is_pending_sends_nothing_twice() -> None:
    world = RelayWorld()
    sender, peer = world.connect(), world.connect(only(A))
    world.advance()
    one = envelope(A)
    sender.messages(one)
    peer.packet(PacketCode.STATUS_UPDATE, WAKU_1.encode_update(only(A, B)))
    world.advance()
    assert peer.received == [one.raw]


@pytest.mark.parametrize(
    "payload",
    [
        rlp.encode([[1, b"abc"]]),
        b"\xc2\x01",
        rlp.encode("x"),
        rlp.encode([[0, 0x7FF8000000000000]]),
    ],
)
def test_a_bad_update_is_counted_and_changes_nothing(payload: bytes) -> None:
    world = RelayWorld()
    sender, peer = world.connect(), world.connect(only(A))
    peer.packet(PacketCode.STATUS_UPDATE, payload)
    sender.messages(one := envelope(A), envelope(B))
    world.advance()
    assert peer.received == [one.raw]
    assert world.host.counters.envelopes_rejected["invalid_settings_changed"] == 1


# --- what is refused


def test_a_packet_with_one_bad_item_is_refused_whole_and_the_sender_stays() -> None:
    world = RelayWorld()
    sender, peer = world.connect(), world.connect()
    good = envelope()
    sender.packet(PacketCode.MESSAGES, rlp.encode_list([good.raw, b"\xc1\x01"]))
    sender.packet(PacketCode.MESSAGES, b"\xc5\x01")
    world.advance()
    assert peer.received == []
    assert world.host.counters.envelopes_rejected["invalid_data"] == 2
    sender.messages(good)
    world.advance()
    assert peer.received == [good.raw]


def test_what_is_not_accepted_is_counted_by_type_and_goes_nowhere() -> None:
    world = RelayWorld(RelaySettings(min_pow=0.001, max_message_size=2000))
    sender, peer = world.connect(), world.connect()
    sender.messages(
        envelope(sent=NOW + 60, ttl=1),
        envelope(sent=NOW - 90, ttl=1),
        envelope(sent=NOW - 10, ttl=1),
        next(one for one in map(with_nonce, range(10_000)) if one.pow < 0.001),
    )
    world.advance()
    assert peer.received == []
    failures = world.host.counters.envelopes_cache_failures
    assert {kind: count for kind, count in failures.items() if count} == {
        "in_future": 1,
        "very_old": 1,
        "expired": 1,
        "low_pow": 1,
    }
    assert world.host.counters.envelopes_received == 4


def test_a_packet_above_the_size_ends_the_session() -> None:
    world = RelayWorld(RelaySettings(max_message_size=1000))
    peer = world.connect()
    peer.packet(99, bytes(1000))
    with pytest.raises(SubprotocolError):
        peer.packet(99, bytes(1001))


def test_packets_of_unknown_codes_are_ignored() -> None:
    world = RelayWorld()
    peer = world.connect()
    for code in range(2, 128):
        if code != PacketCode.STATUS_UPDATE:
            peer.packet(code, b"\xc3whatever")
    assert world.host.counters.envelopes_rejected == dict.fromkeys(
        ("failed_read", "invalid_data", "invalid_settings_changed"), 0
    )


def test_envelopes_of_a_soft_blacklisted_peer_are_dropped_and_it_stays() -> None:
    bad = FakePeer()
    world = RelayWorld(RelaySettings(soft_blacklist=frozenset({bad.node_id})))
    world.connect(peer=bad)
    peer = world.connect()
    bad.messages(envelope())
    peer.messages(one := envelope())
    world.advance()
    assert peer.received == []
    assert bad.received == [one.raw]


def test_above_a_rate_limit_with_tolerance_the_session_ends() -> None:
    limits = LimiterSettings(packet_limits=RateLimits(0, 2), tolerance=1)
    world = RelayWorld(RelaySettings(limiter=limits))
    peer = world.connect()
    peer.messages(envelope())
    peer.messages(envelope())
    with pytest.raises(SubprotocolError):
        peer.messages(envelope())


# --- own settings and own envelopes


def test_changes_are_told_to_every_peer_in_its_dialect() -> None:
    world = RelayWorld()
    new, old = world.connect(), world.connect(dialect=WAKU_0)
    world.host.set_min_pow(0.002)
    assert new.packets[-1] == (22, rlp.encode([[0, 0x3F60624DD2F1A9FC]]))
    assert old.packets[-1] == (22, rlp.encode([["0", 0x3F60624DD2F1A9FC]]))
    world.host.add_topic_interest([A])
    assert new.packets[-1] == (22, rlp.encode([[5, [A]]]))
    bloom = bloom_bytes(bloom_of([B]))
    world.host.set_bloom_filter(bloom)
    assert old.packets[-1] == (22, rlp.encode([["1", bloom]]))
    assert world.host.info().min_pow == 0.002


def test_a_light_flag_is_told_to_later_peers_only() -> None:
    world = RelayWorld()
    peer = world.connect()
    world.host.set_light(True)
    assert len(peer.packets) == 1
    later = world.connect(replace(EVERYTHING, light_node=True))
    assert WAKU_1.parse_status(later.packets[0][1]).light_node is True
    assert len(world.host.links()) == 2


def test_own_envelopes_are_judged_and_sent_to_all_once() -> None:
    world = RelayWorld(RelaySettings(min_pow=0.000002))
    peers = [world.connect() for _ in range(2)]
    world.advance()
    one = envelope()
    assert world.host.submit(one) is Acceptance.NEW
    assert world.host.submit(one) is Acceptance.KNOWN
    assert world.host.submit(envelope(sent=NOW - 100)) is Acceptance.VERY_OLD
    world.advance()
    assert [peer.received for peer in peers] == [[one.raw]] * 2
    assert world.host.info().pooled == 1


def test_an_own_envelope_that_no_packet_can_carry_is_refused() -> None:
    world = RelayWorld(RelaySettings(max_message_size=1000))
    one = envelope(size=980)
    assert one.size == 1000
    assert world.host.submit(one) is Acceptance.OVERSIZED


def test_settings_are_taken_over_live() -> None:
    peer = FakePeer()
    world = RelayWorld()
    world.connect(peer=peer)
    world.host.reconfigure(
        RelaySettings(
            min_pow=0.5,
            max_message_size=500,
            soft_blacklist=frozenset({peer.node_id}),
            limiter=LimiterSettings(RateLimits(7, 8, 9)),
            full_node=True,
        )
    )
    updates = [WAKU_1.parse_update(payload) for code, payload in peer.packets if code == 22]
    assert updates == [
        StatusOptions(pow_requirement=0.5),
        StatusOptions(packet_limits=RateLimits(7, 8, 9), byte_limits=RateLimits()),
    ]
    assert world.host.info().max_message_size == 500
    assert world.host.settings.full_node is False
    peer.messages(envelope())
    assert world.host.info().pooled == 0
    world.host.reconfigure(world.host.settings)
    assert len([code for code, _ in peer.packets if code == 22]) == 2


# --- time, counters, confirmations


def test_envelopes_expire_with_the_second_and_are_counted() -> None:
    world = RelayWorld()
    peer = world.connect()
    peer.messages(envelope(ttl=2), envelope(ttl=60, size=300))
    world.advance(4)
    assert world.host.info().pooled == 1
    assert 300 < world.host.info().pooled_bytes < 340
    counters = world.host.counters
    assert counters.envelopes_cached == {"hit": 0, "miss": 2, "clear": 1}
    assert (counters.size_buckets[:3], counters.size_sum) == ([1, 1, 0], 440)


def test_a_full_pool_lets_go_of_what_lives_longest() -> None:
    world = RelayWorld(RelaySettings(pool_bytes=2000))
    sender, peer = world.connect(), world.connect()
    world.advance()
    for ttl in range(1, 31):
        sender.messages(envelope(ttl=ttl))
    world.advance(0.1)
    assert len(peer.received) == 30
    assert world.host.info().pooled == 30 - world.host.counters.envelopes_evicted < 18


def test_a_packet_is_confirmed_where_confirmations_are_on() -> None:
    world = RelayWorld(RelaySettings(confirmations=True))
    peer = world.connect()
    good, old = envelope(), envelope(sent=NOW - 100)
    peer.messages(good, old)
    batch = keccak256(rlp.encode_list([good.raw, old.raw]))
    assert peer.packets[1:] == [
        (12, rlp.encode([1, [batch, [[old.hash, 21, "very old envelope"]]]])),
        (11, rlp.encode(batch)),
    ]


def test_nothing_is_confirmed_by_default() -> None:
    world = RelayWorld()
    peer = world.connect()
    peer.messages(envelope())
    world.advance(1)
    assert [code for code, _ in peer.packets] == [0]


def test_a_flood_is_flushed_by_size_without_waiting() -> None:
    world = RelayWorld()
    sender, peer = world.connect(), world.connect()
    world.advance()
    for _ in range(30):
        sender.messages(*(envelope(size=1000) for _ in range(10)))
    assert len(peer.received) >= 256
    world.advance()
    assert len(peer.received) == 300
