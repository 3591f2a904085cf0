"""Sessions, without sockets: two cores that talk, one core that is lied to.

    dialing side                              listening side
    auth                             ──▶
                                     ◀──      ack, Hello           (plain)
    Hello                            ──▶                           (plain)
    code | snappy(payload)           ◀─▶      code | snappy(payload)

A refusal stands in place of the Hello, or behind it.
"""

from __future__ import annotations

import random
from collections.abc import Sequence

import pytest
from cramjam import snappy
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from statusnode.codec import rlp
from statusnode.crypto.keys import PrivateKey, PublicKey
from statusnode.devp2p.capabilities import Offer
from statusnode.devp2p.events import Ended, Event, Identified, Introduced, Packet
from statusnode.devp2p.frame import MAX_FRAME_SIZE, FrameError, FrameReader, FrameWriter
from statusnode.devp2p.handshake import Initiator
from statusnode.devp2p.messages import Hello, parse_disconnect
from statusnode.devp2p.protocol import Capability, DisconnectReason
from statusnode.devp2p.session import TRANSITIONS, Session, SessionStateError, State, Trigger

KEY_A, KEY_B = PrivateKey(b"\x0a" * 32), PrivateKey(b"\x0b" * 32)
WAKU = [Offer(Capability("waku", 0), 128), Offer(Capability("waku", 1), 128)]
BOTH = [*WAKU, Offer(Capability("shh", 6), 128)]


def make_pair(
    ours: Sequence[Offer] = WAKU, theirs: Sequence[Offer] = WAKU
) -> tuple[Session, Session]:
    return Session(KEY_A, "A", ours, remote_key=KEY_B.public_key), Session(KEY_B, "B", theirs)


def advance(session: Session) -> list[Event]:
    """Read all events, and go on wherever the session asks."""
    events = []
    while (event := session.next_event()) is not None:
        events.append(event)
        if isinstance(event, Identified):
            session.greet()
        elif isinstance(event, Introduced):
            session.open()
    return events


def settle(left: Session, right: Session) -> tuple[list[Event], list[Event]]:
    """Carry bytes both ways until none are left."""
    seen: tuple[list[Event], list[Event]] = ([], [])
    while left.pending or right.pending:
        right.receive_data(left.data_to_send())
        seen[1].extend(advance(right))
        left.receive_data(right.data_to_send())
        seen[0].extend(advance(left))
    return seen


def open_pair(
    ours: Sequence[Offer] = WAKU, theirs: Sequence[Offer] = WAKU
) -> tuple[Session, Session]:
    left, right = make_pair(ours, theirs)
    settle(left, right)
    assert left.state is right.state is State.OPEN
    return left, right


class Liar:
    """A peer that writes any frame it likes to a session that was dialed."""

    def __init__(self, key: PrivateKey = KEY_A, recipient: PublicKey = KEY_B.public_key) -> None:
        self.key = key
        self.session = Session(KEY_B, "B", WAKU)
        initiator = Initiator(key, recipient)
        self.session.receive_data(initiator.auth)
        event = self.session.next_event()
        assert event == Identified(key.public_key)
        data = self.session.data_to_send()
        ack = data[: 2 + int.from_bytes(data[:2], "big")]
        secrets = initiator.feed(ack)
        assert secrets is not None
        self.writer, self.reader = FrameWriter(secrets), FrameReader(secrets)

    def hello(self, version: int = 5, **changes: object) -> list[Event]:
        fields: dict[str, object] = {
            "name": "liar",
            "capabilities": [["waku", 1]],
            "port": 0,
            "key": self.key.public_key.data,
        }
        fields.update(changes)
        return self.frame(0, rlp.encode([version, *fields.values()]))  # type: ignore[list-item]

    def open(self, version: int = 5) -> None:
        self.session.greet()
        assert isinstance(self.hello(version)[-1], Introduced)
        self.received()

    def frame(self, code: int, payload: bytes) -> list[Event]:
        self.session.receive_data(b"".join(self.writer.seal(rlp.encode(code), payload)))
        return advance(self.session)

    def compressed(self, code: int, payload: bytes) -> list[Event]:
        return self.frame(code, bytes(snappy.compress_raw(payload)))

    def received(self) -> list[tuple[int, bytes]]:
        """Read what the session wrote: codes, and payloads as they came."""
        self.reader.feed(self.session.data_to_send())
        frames = []
        while (frame := self.reader.read()) is not None:
            body, size = frame
            code, end = rlp.decode_prefix(body)
            frames.append((rlp.as_uint(code), body[end:size]))
        return frames


# The state table.


@pytest.mark.parametrize("state", list(State))
@pytest.mark.parametrize("trigger", list(Trigger))
def test_the_table_leads_forward_only(state: State, trigger: Trigger) -> None:
    target = TRANSITIONS[state].get(trigger)
    assert target is None or list(State).index(target) > list(State).index(state)


def test_every_state_but_the_last_can_end() -> None:
    assert all(
        (Trigger.END in triggers) is (state is not State.ENDED)
        for state, triggers in TRANSITIONS.items()
    )


def test_asking_for_too_much_too_early_is_an_error_that_names_the_state() -> None:
    session = Session(KEY_A, "A", WAKU)
    with pytest.raises(SessionStateError, match="GREET in the state SHAKING"):
        session.greet()
    with pytest.raises(SessionStateError, match="OPEN in the state SHAKING"):
        session.open()
    with pytest.raises(SessionStateError, match="SHAKING"):
        session.ping()


# Two honest sides.


def test_two_sessions_meet() -> None:
    left, right = make_pair()
    events = settle(left, right)
    assert [type(event) for event in events[0]] == [Identified, Introduced]
    assert [type(event) for event in events[1]] == [Identified, Introduced]
    assert left.public_key == KEY_B.public_key
    assert right.public_key == KEY_A.public_key
    assert right.hello == Hello(
        5, "A", (Capability("waku", 0), Capability("waku", 1)), 0, KEY_A.public_key.data
    )
    assert left.compresses
    assert [str(channel.capability) for channel in left.channels] == ["waku/1"]


def test_packets_of_two_capabilities_find_their_way() -> None:
    left, right = open_pair(BOTH, BOTH)
    shh, waku = left.channels
    left.send(waku, 127, b"\xc1\x80")
    left.send(shh, 0, b"\xc0")
    assert settle(left, right)[1] == [Packet(1, 127, b"\xc1\x80"), Packet(0, 0, b"\xc0")]


def test_a_packet_may_be_given_compressed() -> None:
    left, right = open_pair()
    payload = b"status " * 1000
    left.send(left.channels[0], 1, payload, bytes(snappy.compress_raw(payload)))
    assert left.pending < len(payload)
    assert settle(left, right)[1] == [Packet(0, 1, payload)]


def test_a_ping_is_answered_and_tells_the_owner_nothing() -> None:
    left, right = open_pair()
    frames = left.frames_received
    left.ping()
    assert settle(left, right) == ([], [])
    assert left.frames_received == frames + 1


def test_a_disconnect_reaches_the_other_side_and_nothing_follows() -> None:
    left, right = open_pair()
    left.send(left.channels[0], 1, b"\xc0")
    left.disconnect(DisconnectReason.QUITTING)
    left.disconnect(DisconnectReason.SELF)
    assert settle(left, right)[1] == [
        Packet(0, 1, b"\xc0"),
        Ended(8, by_peer=True, detail="client quitting"),
    ]
    assert right.state is State.ENDED
    right.receive_data(b"whatever")
    assert right.next_event() is None
    with pytest.raises(SessionStateError):
        left.send(left.channels[0], 1, b"\xc0")


@pytest.mark.parametrize("reason", [None, DisconnectReason.NETWORK_ERROR])
def test_a_network_error_is_never_written(reason: DisconnectReason | None) -> None:
    left, _ = open_pair()
    left.disconnect(reason)
    assert left.pending == 0
    assert left.state is State.ENDED


def test_a_packet_that_no_frame_can_hold_is_refused_to_the_sender() -> None:
    left, _ = open_pair()
    with pytest.raises(FrameError, match="are most"):
        left.send(left.channels[0], 1, bytes(MAX_FRAME_SIZE + 1))
    with pytest.raises(ValueError, match="128 is none"):
        left.send(left.channels[0], 128, b"")


@given(
    packets=st.lists(
        st.tuples(st.booleans(), st.integers(0, 127), st.binary(max_size=3000)), max_size=12
    ),
    cuts=st.randoms(use_true_random=False),
)
def test_packets_cross_in_order_however_the_bytes_are_cut(
    packets: list[tuple[bool, int, bytes]], cuts: random.Random
) -> None:
    left, right = make_pair(BOTH, BOTH)
    settle(left, right)
    for second, code, payload in packets:
        left.send(left.channels[second], code, payload)
    data = left.data_to_send()
    received: list[Event] = []
    while data:
        size = cuts.choice([1, 16, 40, 3000])
        right.receive_data(data[:size])
        data = data[size:]
        received += advance(right)
    assert received == [Packet(int(second), code, payload) for second, code, payload in packets]


class Conversation(RuleBasedStateMachine):
    """Two sessions under any order of sending, pinging and carrying bytes; then one ends."""

    @initialize()
    def begin(self) -> None:
        self.ends = open_pair(BOTH, WAKU)
        self.sent: tuple[list[Packet], list[Packet]] = ([], [])
        self.seen: tuple[list[Packet], list[Packet]] = ([], [])

    @rule(side=st.integers(0, 1), code=st.integers(0, 127), payload=st.binary(max_size=300))
    def send(self, side: int, code: int, payload: bytes) -> None:
        session = self.ends[side]
        if session.state is State.OPEN:
            session.send(session.channels[0], code, payload)
            self.sent[side].append(Packet(0, code, payload))

    @rule(side=st.integers(0, 1))
    def ping(self, side: int) -> None:
        if self.ends[side].state is State.OPEN:
            self.ends[side].ping()

    @rule(side=st.integers(0, 1), cut=st.floats(0, 1))
    def carry(self, side: int, cut: float) -> None:
        data = self.ends[side].data_to_send()
        middle = int(len(data) * cut)
        for piece in (data[:middle], data[middle:]):
            self.ends[1 - side].receive_data(piece)
            self.take(1 - side)

    @rule(side=st.integers(0, 1))
    def disconnect(self, side: int) -> None:
        self.ends[side].disconnect(DisconnectReason.REQUESTED)

    def take(self, side: int) -> None:
        for event in advance(self.ends[side]):
            if isinstance(event, Packet):
                self.seen[1 - side].append(event)
            else:
                assert event == Ended(0, by_peer=True, detail="disconnect requested")

    @invariant()
    def what_arrives_is_what_was_sent_so_far(self) -> None:
        for sent, seen in zip(self.sent, self.seen, strict=True):
            assert seen == sent[: len(seen)]


TestConversation = Conversation.TestCase


# The version of the Hello decides over compression.


@pytest.mark.parametrize(("version", "compresses"), [(4, False), (5, True), (9, True)])
def test_the_hello_of_the_peer_decides_over_compression(version: int, compresses: bool) -> None:
    liar = Liar()
    liar.open(version)
    session = liar.session
    assert session.compresses is compresses
    payload = b"\xc0" * 100
    if compresses:
        assert liar.compressed(17, payload) == [Packet(0, 1, payload)]
        assert liar.compressed(2, b"\xc0") == []
    else:
        assert liar.frame(17, payload) == [Packet(0, 1, payload)]
        assert liar.frame(2, b"\xc0") == []
    assert liar.received() == [(3, bytes(snappy.compress_raw(b"\xc0")) if compresses else b"\xc0")]
    session.send(session.channels[0], 5, payload, bytes(snappy.compress_raw(payload)))
    ((code, sent),) = liar.received()
    assert code == 21
    assert (sent == payload) is not compresses


def test_a_hello_may_hold_more_items_than_we_know() -> None:
    liar = Liar()
    liar.session.greet()
    assert isinstance(liar.hello(more="future", and_more=[b"x"])[-1], Introduced)


# Refusals, and what they look like.


def test_a_refusal_before_hello_is_the_first_frame_and_plain() -> None:
    liar = Liar()
    liar.session.disconnect(DisconnectReason.TOO_MANY_PEERS)
    assert liar.received() == [(1, b"\xc1\x04")]


def test_a_refusal_after_hello_is_compressed_as_agreed() -> None:
    liar = Liar()
    liar.session.greet()
    liar.session.receive_data(
        b"".join(liar.writer.seal(b"\x80", Hello(5, "x", (), 0, KEY_A.public_key.data).serialize()))
    )
    event = liar.session.next_event()
    assert isinstance(event, Introduced)
    assert event.channels == ()
    liar.session.disconnect(DisconnectReason.USELESS_PEER)
    (hello_code, _), (code, payload) = liar.received()
    assert (hello_code, code) == (0, 1)
    assert bytes(snappy.decompress_raw(payload)) == b"\xc1\x03"


@pytest.mark.parametrize("key", [bytes(64), b"", b"\x01" * 63])
def test_a_hello_without_identity_is_refused_plainly_after_our_hello(key: bytes) -> None:
    liar = Liar()
    liar.session.greet()
    (event,) = liar.hello(key=key)
    assert isinstance(event, Ended)
    assert (event.reason, event.by_peer) == (7, False)
    assert [(code, payload) for code, payload in liar.received() if code] == [(1, b"\xc1\x07")]


def test_a_hello_of_another_identity_is_refused() -> None:
    liar = Liar()
    liar.session.greet()
    (event,) = liar.hello(key=KEY_B.public_key.data)
    assert isinstance(event, Ended)
    assert event.reason == DisconnectReason.UNEXPECTED_IDENTITY
    _, (code, payload) = liar.received()
    assert (code, parse_disconnect(bytes(snappy.decompress_raw(payload)))) == (1, 9)


def test_a_disconnect_in_place_of_the_hello_is_heard() -> None:
    liar = Liar()
    liar.session.greet()
    assert liar.frame(1, b"\xc1\x04") == [Ended(4, by_peer=True, detail="too many peers")]


@pytest.mark.parametrize(
    ("payload", "reason"),
    [(b"\xc1\x08", 8), (b"\xc1\x11", 17), (b"\x04", 0), (b"", 0), (b"\xff\xff", 0)],
)
@pytest.mark.parametrize("plain", [False, True])
def test_a_disconnect_is_heard_whatever_its_form(payload: bytes, reason: int, plain: bool) -> None:
    liar = Liar()
    liar.open()
    (event,) = liar.frame(1, payload) if plain else liar.compressed(1, payload)
    assert isinstance(event, Ended)
    assert (event.reason, event.by_peer) == (reason, True)
    assert liar.received() == []


# Packets that are not as they should be.


def test_codes_4_to_15_and_a_second_hello_mean_nothing() -> None:
    liar = Liar()
    liar.open()
    for code in (0, 3, *range(4, 16)):
        assert liar.compressed(code, b"\xc0") == []
    assert liar.compressed(16, b"\xc0") == [Packet(0, 0, b"\xc0")]


@pytest.mark.parametrize("code", [16 + 128, 255, 256, 2**64 - 1])
def test_a_code_outside_all_capabilities_ends_the_session_without_a_reason(code: int) -> None:
    liar = Liar()
    liar.open()
    (event,) = liar.compressed(code, b"\xc0")
    assert event == Ended(None, by_peer=False, detail=f"code {code} lies outside all capabilities")
    assert liar.received() == []


@pytest.mark.parametrize("code", [b"", b"\x00", b"\xc0", b"\x81\x10", b"\x89" + b"\xff" * 9])
def test_a_code_that_is_no_integer_ends_the_session(code: bytes) -> None:
    liar = Liar()
    liar.open()
    liar.session.receive_data(b"".join(liar.writer.seal(code, b"")))
    (event,) = advance(liar.session)
    assert isinstance(event, Ended)
    assert event.reason is None


@pytest.mark.parametrize(
    "block",
    [
        b"\xff\xff\xff\xff\x0f\x01\x02\x03",  # claims 4 GiB
        b"\x80\x80\x80\x0f\x01\x02\x03",  # claims 31 MiB
        b"\x80\x80\x80\x08" + b"\xfe\x01\x00" * 100,  # claims 2**24, one too many
        b"\x05abc",
        b"",
        b"\xff" * 12,
    ],
)
def test_a_snappy_block_that_lies_ends_the_session(block: bytes) -> None:
    liar = Liar()
    liar.open()
    (event,) = liar.frame(17, block)
    assert isinstance(event, Ended)
    assert event.reason is None


def test_a_snappy_bomb_opens_to_no_more_than_a_frame_may_hold() -> None:
    liar = Liar()
    liar.open()
    (event,) = liar.compressed(17, bytes(MAX_FRAME_SIZE))
    assert event == Packet(0, 1, bytes(MAX_FRAME_SIZE))
    (event,) = liar.compressed(17, bytes(MAX_FRAME_SIZE + 1))
    assert isinstance(event, Ended)


def test_a_hello_above_2048_bytes_is_refused_at_its_header() -> None:
    liar = Liar()
    liar.session.greet()
    whole = b"".join(liar.writer.seal(b"\x80", bytes(2049)))
    liar.session.receive_data(whole[:32])
    (event,) = advance(liar.session)
    assert isinstance(event, Ended)
    assert "2050 bytes" in event.detail


@pytest.mark.parametrize("code", [2, 3, 4, 16])
def test_nothing_but_a_hello_or_a_disconnect_comes_first(code: int) -> None:
    liar = Liar()
    liar.session.greet()
    (event,) = liar.frame(code, b"\xc0")
    assert isinstance(event, Ended)
    assert "where a Hello should be" in event.detail


def test_frames_wait_until_the_owner_has_decided() -> None:
    liar = Liar()
    assert liar.hello() == []
    liar.session.greet()
    (event,) = advance(liar.session)
    assert isinstance(event, Introduced)


def test_noise_in_any_state_ends_the_session_and_never_more() -> None:
    source = random.Random(8)
    for _ in range(150):
        left, right = make_pair(BOTH, WAKU)
        for _ in range(source.randrange(3)):
            right.receive_data(left.data_to_send())
            advance(right)
            left.receive_data(right.data_to_send())
            advance(left)
        for session in (left, right):
            session.receive_data(source.randbytes(source.randrange(1, 1500)))
            for event in advance(session):
                assert isinstance(event, Ended)
                assert session.state is State.ENDED


def test_noise_in_frames_that_are_well_sealed_never_raises() -> None:
    source = random.Random(8)
    for _ in range(60):
        liar = Liar()
        if source.random() < 0.2:
            liar.session.greet()
            liar.frame(source.randrange(3), source.randbytes(source.randrange(60)))
            continue
        liar.open()
        while liar.session.state is State.OPEN and source.random() < 0.97:
            code = source.choice([0x80, 2, 3, 16, 17, source.randrange(256)])
            payload = source.randbytes(source.randrange(40))
            if source.random() < 0.9:
                payload = bytes(snappy.compress_raw(payload))
            liar.session.receive_data(b"".join(liar.writer.seal(bytes((code,)), payload)))
            advance(liar.session)
