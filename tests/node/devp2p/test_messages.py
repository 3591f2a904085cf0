"""Hello and Disconnect.

Hello       f8.. 05 | "Statusd/…" | [["waku", 1]] | 80 | b840 public key (64)
Disconnect  c1 04
"""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from statusnode.codec import rlp
from statusnode.devp2p.messages import (
    Hello,
    IdentityError,
    MessageError,
    describe_reason,
    known_reason,
    parse_disconnect,
    serialize_disconnect,
)
from statusnode.devp2p.protocol import Capability, DisconnectReason

KEY = bytes(range(1, 65))

# EIP-8: a version of the future and two items that nobody knows.
EIP8_HELLO = bytes.fromhex(
    "f87137916b6e6574682f76302e39312f706c616e39cdc5836574683dc6846d6f726b1682270fb840"
    "fda1cff674c90c9a197539fe3dfb53086ace64f83ed7c6eabec741f7f381cc803e52ab2cd55d5569"
    "bce4347107a310dfd5f88a010cd2ffd1005ca406f1842877c883666f6f836261720304"
)

capabilities = st.builds(Capability, st.text(max_size=8), st.integers(0, 2**64 - 1))
hellos = st.builds(
    Hello,
    st.integers(0, 2**64 - 1),
    st.text(max_size=40),
    st.lists(capabilities, max_size=5).map(tuple),
    st.integers(0, 0xFFFF),
    st.binary(min_size=64, max_size=64).filter(any),
)


def test_the_hello_of_eip_8_is_read() -> None:
    hello = Hello.parse(EIP8_HELLO)
    assert hello.version == 55
    assert hello.client_name == "kneth/v0.91/plan9"
    assert hello.capabilities == (Capability("eth", 61), Capability("mork", 22))
    assert hello.listen_port == 9999
    assert hello.public_key.hex().startswith("fda1cff674c90c9a")


@given(hellos)
def test_a_hello_survives_the_wire(hello: Hello) -> None:
    assert Hello.parse(hello.serialize()) == hello


def test_a_name_that_is_no_utf_8_is_shown_as_well_as_can_be() -> None:
    assert Hello.parse(rlp.encode([5, b"\xff\xfe", [], 0, KEY])).client_name == "��"


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b"\x80",
        b"\xc0",
        rlp.encode([5, b"x", [], 0]),
        rlp.encode([5, b"x", [[b"waku"]], 0, KEY]),
        rlp.encode([5, b"x", [[b"waku", 1, 2]], 0, KEY]),
        rlp.encode([5, b"x", [b"waku"], 0, KEY]),
        rlp.encode([5, b"x", [[b"waku", b"\x00\x01"]], 0, KEY]),
        rlp.encode([[5], b"x", [], 0, KEY]),
        rlp.encode([5, b"x", [], 0, [KEY]]),
        rlp.encode([5, b"x" * 3000, [], 0, KEY]),
        rlp.encode([5, b"x", [], 0, KEY]) + b"\x00",
    ],
)
def test_what_is_no_hello_is_refused(payload: bytes) -> None:
    with pytest.raises(MessageError):
        Hello.parse(payload)


@pytest.mark.parametrize("key", [b"", bytes(63), bytes(65), bytes(64), KEY[:-1]])
def test_a_hello_without_an_identity_is_told_apart(key: bytes) -> None:
    with pytest.raises(IdentityError):
        Hello.parse(rlp.encode([5, b"x", [], 0, key]))


@pytest.mark.parametrize(
    ("payload", "reason"),
    [
        ("c104", 4),
        ("c108", 8),
        ("c110", 16),
        ("c180", 0),
        ("c111", 17),  # no such reason
        ("c3820100", 256),
        ("c20405", 4),
        ("c0", 0),
        ("04", 0),  # a bare integer
        ("", 0),
        ("c100", 0),  # not canonical
        ("c1c0", 0),
        ("f90400", 0),  # cut off
    ],
)
def test_a_disconnect_is_read_whatever_it_says(payload: str, reason: int) -> None:
    assert parse_disconnect(bytes.fromhex(payload)) == reason


@pytest.mark.parametrize("reason", list(DisconnectReason))
def test_every_reason_is_written_read_and_named(reason: DisconnectReason) -> None:
    assert parse_disconnect(serialize_disconnect(reason)) == reason
    assert known_reason(int(reason)) is reason
    assert "unknown" not in describe_reason(reason)


def test_an_unknown_reason_has_no_name_but_words() -> None:
    assert known_reason(17) is None
    assert known_reason(None) is None
    assert describe_reason(17) == "unknown disconnect reason 17"


def test_noise_is_a_message_error_and_nothing_else() -> None:
    source = random.Random(8)
    for _ in range(3000):
        data = bytearray(EIP8_HELLO)
        for _ in range(source.randrange(1, 6)):
            data[source.randrange(len(data))] = source.randrange(256)
        parse_disconnect(bytes(data[: source.randrange(len(data))]))
        try:
            Hello.parse(bytes(data))
        except (MessageError, IdentityError):
            continue
