"""Frames against bytes that go-ethereum wrote, against themselves, and against damage.

    header (16) | header tag (16) | body, padded to 16n | body tag (16)

The header opens to 3 bytes of size, c2 80 80, zeros; the body to the RLP of the code and the
payload. The golden frames were written by `p2p/rlpx` of go-ethereum 1.17.10 with the secrets below.
"""

from __future__ import annotations

import random
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from statusnode.crypto.keccak import keccak_state
from statusnode.crypto.keys import PrivateKey
from statusnode.devp2p.frame import MAX_FRAME_SIZE, FrameError, FrameReader, FrameWriter
from statusnode.devp2p.handshake import Secrets

NOBODY = PrivateKey(b"\x01" * 32).public_key

GOLDEN = [
    # code as RLP, payload, frame
    (
        b"\x80",
        b"\xc0",
        (
            "20ec0d0a99842f40a665fc6888640935 2bc65b00c21b810dddc5397b7d214eab"
            "c530a70806f870662817e81396801b55 b5ae329d94b39a46adf6efa62fab9376"
        ),
    ),
    (
        b"\x11",
        b"a packet of more than one block",
        (
            "c4ca3ea5612f9d99011abd05dbf2da8f e6470bdeddc6991620be14cb60e134fb"
            "e001afee99c735890dc52cfd2430ff2c c5dda502017d9eda048b34d88dd5d1fe"
            "eb47aca4fed2fa618ec635b33a387672"
        ),
    ),
    (
        b"\x81\xc8",
        b"",
        (
            "d6f79b52eb31fcf314943f30326571b8 a525fc96a1c8df74731f0214bd023795"
            "511f410848e32f67f1159b27cfd929f6 5c0f7b678d5e372cb19958d86f1cb1df"
        ),
    ),
]


def secrets(egress: bytes = b"egress", ingress: bytes = b"ingress") -> Secrets:
    return Secrets(NOBODY, b"\x11" * 32, b"\x22" * 32, keccak_state(egress), keccak_state(ingress))


def pair() -> tuple[FrameWriter, FrameReader]:
    return FrameWriter(secrets()), FrameReader(secrets(b"ingress", b"egress"))


def seal(writer: FrameWriter, code: bytes, payload: bytes) -> bytes:
    return b"".join(writer.seal(code, payload))


def bodies(reader: FrameReader) -> Iterator[bytes]:
    while (frame := reader.read()) is not None:
        body, size = frame
        yield body[:size]


def test_frames_are_those_that_go_ethereum_writes() -> None:
    writer, reader = pair()
    for code, payload, expected in GOLDEN:
        data = seal(writer, code, payload)
        assert data == bytes.fromhex(expected)
        reader.feed(data)
        assert list(bodies(reader)) == [code + payload]


@given(
    payloads=st.lists(
        st.binary(max_size=200) | st.binary(min_size=3000, max_size=4000), max_size=8
    ),
    cuts=st.lists(st.integers(1, 5000), max_size=12),
)
def test_frames_cross_whatever_pieces_they_arrive_in(
    payloads: list[bytes], cuts: list[int]
) -> None:
    writer, reader = pair()
    data = b"".join(seal(writer, b"\x10", payload) for payload in payloads)
    received, position = [], 0
    for cut in [*cuts, len(data) + 1]:
        reader.feed(data[position : position + cut])
        position += cut
        received += bodies(reader)
    assert received == [b"\x10" + payload for payload in payloads]


def test_a_frame_may_arrive_byte_by_byte() -> None:
    writer, reader = pair()
    data = seal(writer, b"\x10", b"x" * 40) + seal(writer, b"\x11", b"y")
    received = []
    for index in range(len(data)):
        reader.feed(data[index : index + 1])
        received += bodies(reader)
    assert received == [b"\x10" + b"x" * 40, b"\x11y"]


@pytest.mark.parametrize(
    ("position", "complaint"), [(0, "header"), (20, "header"), (40, "body"), (-1, "body")]
)
def test_damage_is_noticed_wherever_it_is(position: int, complaint: str) -> None:
    writer, reader = pair()
    data = bytearray(seal(writer, b"\x10", b"payload"))
    data[position] ^= 1
    reader.feed(bytes(data))
    with pytest.raises(FrameError, match=complaint):
        reader.read()


def test_a_repeated_frame_is_noticed() -> None:
    writer, reader = pair()
    data = seal(writer, b"\x10", b"payload")
    reader.feed(data + data)
    assert reader.read() is not None
    with pytest.raises(FrameError):
        reader.read()


def test_a_frame_above_the_limit_is_refused_at_its_header() -> None:
    writer, reader = pair()
    reader.limit = 100
    reader.feed(seal(writer, b"\x10", bytes(100))[:32])
    with pytest.raises(FrameError, match="101 bytes, where 100 are most"):
        reader.read()


def test_the_largest_frame_crosses_and_a_larger_one_is_not_written() -> None:
    writer, reader = pair()
    payload = bytes(MAX_FRAME_SIZE - 1)
    data = seal(writer, b"\x10", payload)
    for start in range(0, len(data), 1 << 20):
        reader.feed(data[start : start + (1 << 20)])
    assert reader.read() == (b"\x10" + payload + b"\x00", MAX_FRAME_SIZE)
    with pytest.raises(FrameError, match="are most"):
        writer.seal(b"\x10", payload + b"x")


def test_an_empty_frame_is_read_as_such() -> None:
    writer, reader = pair()
    reader.feed(seal(writer, b"", b""))
    assert reader.read() == (b"", 0)


def test_noise_never_becomes_a_frame() -> None:
    source = random.Random(8)
    for _ in range(300):
        writer, reader = pair()
        good = seal(writer, b"\x10", source.randbytes(source.randrange(100)))
        noise = bytearray(good + source.randbytes(200))
        noise[source.randrange(len(good))] ^= 1 << source.randrange(8)
        reader.feed(bytes(noise))
        with pytest.raises(FrameError):
            reader.read()
