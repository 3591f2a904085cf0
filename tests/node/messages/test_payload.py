"""The plain text of a message against status-go's own, and the rules of its parts.

A signed "hi" from the wire, once opened:

    05                 flags: one byte of size, signed
    02                 payload size
    68 69              payload
    ..                 187 random bytes, so that everything has 256
    .. 00              signature r, s, v over all of the above
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from statusnode.crypto.keys import SIGNATURE_SIZE, PrivateKey, PublicKey
from statusnode.messages import payload
from statusnode.messages.payload import Payload, PayloadError

VECTORS = json.loads((Path(__file__).parent / "vectors" / "sealed_envelopes.json").read_text())
SIGNER = PrivateKey(b"\x11" * 32)
WITH_PLAINTEXT = [vector for vector in VECTORS["envelopes"] if vector["plaintext"]]


@pytest.mark.parametrize("vector", WITH_PLAINTEXT, ids=lambda vector: vector["name"])
def test_plain_texts_of_the_reference_are_read(vector: dict) -> None:
    opened = payload.decode(bytes.fromhex(vector["plaintext"]))

    assert opened.content == bytes.fromhex(vector["payload"])
    assert len(opened.padding) == vector["padding_length"]
    signer = vector.get("signer")
    assert opened.signer == (PublicKey.from_point(bytes.fromhex(signer)) if signer else None)


@pytest.mark.parametrize("vector", WITH_PLAINTEXT, ids=lambda vector: vector["name"])
def test_the_same_parts_give_the_plain_text_of_the_reference(vector: dict) -> None:
    plaintext = bytes.fromhex(vector["plaintext"])
    opened = payload.decode(plaintext)
    signer = None
    if opened.signer:
        keys = {key["public_key"]: key["private_key"] for key in VECTORS["keys"]}
        signer = PrivateKey.from_hex(keys[opened.signer.uncompressed.hex()])

    assert payload.encode(opened.content, padding=opened.padding, signer=signer) == plaintext


@given(content=st.binary(max_size=70_000), signed=st.booleans())
def test_what_is_encoded_is_decoded(content: bytes, signed: bool) -> None:
    signer = SIGNER if signed else None

    plaintext = payload.encode(content, signer=signer)

    opened = payload.decode(plaintext)
    assert opened.content == content
    assert opened.signer == (SIGNER.public_key if signed else None)
    assert len(plaintext) % payload.PADDING_BLOCK == 0
    assert 1 <= len(opened.padding) <= payload.PADDING_BLOCK


@given(content=st.binary(max_size=300), padding=st.binary(min_size=1, max_size=300))
def test_given_padding_is_kept_as_it_is(content: bytes, padding: bytes) -> None:
    opened = payload.decode(payload.encode(content, padding=padding, signer=SIGNER))

    assert opened == Payload(content, padding, SIGNER.public_key)


@pytest.mark.parametrize(
    ("size", "flags"), [(0, 1), (255, 1), (256, 2), (65535, 2), (65536, 3), (0xFFFFFF, 3)]
)
def test_the_size_field_is_as_short_as_it_can_be(size: int, flags: int) -> None:
    plaintext = payload.encode(bytes(size), padding=b"p")

    assert plaintext[0] == flags
    assert len(plaintext) == 1 + flags + size + 1


def test_a_payload_that_no_size_field_can_hold_is_refused() -> None:
    with pytest.raises(PayloadError, match="at most 16777215 bytes"):
        payload.encode(bytes(0x1000000))


def test_an_absent_size_field_means_an_empty_payload() -> None:
    assert payload.decode(b"\x00rest") == Payload(b"", b"rest", None)


def test_a_changed_byte_gives_another_signer_or_none() -> None:
    plaintext = bytearray(payload.encode(b"content", signer=SIGNER))
    plaintext[5] ^= 1

    try:
        signer = payload.decode(bytes(plaintext)).signer
    except PayloadError:
        signer = None

    assert signer != SIGNER.public_key


@pytest.mark.parametrize(
    "plaintext",
    [
        b"",
        b"\x01",
        b"\x01\x02a",
        b"\x03\x01\x00",
        b"\x05" + bytes(SIGNATURE_SIZE),
        b"\x05\x00pad" + bytes(64) + b"\x05",
    ],
    ids=["empty", "no size", "short content", "short size", "only a signature", "bad signature"],
)
def test_what_is_cut_short_or_signed_by_nobody_is_refused(plaintext: bytes) -> None:
    with pytest.raises(PayloadError):
        payload.decode(plaintext)


@given(st.binary(max_size=200))
def test_any_bytes_are_read_or_refused(plaintext: bytes) -> None:
    try:
        opened = payload.decode(plaintext)
    except PayloadError:
        return
    assert len(opened.content) + len(opened.padding) < len(plaintext)
