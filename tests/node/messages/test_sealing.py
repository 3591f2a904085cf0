"""Sealing and opening, against envelopes that status-go made and the keys that open them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from statusnode.codec import rlp
from statusnode.crypto import ecies
from statusnode.crypto.keccak import keccak256
from statusnode.crypto.keys import PrivateKey
from statusnode.messages import payload, sealing
from statusnode.messages.sealing import OpeningError, SymmetricKeyError

VECTORS = Path(__file__).parent / "vectors"
ENVELOPES = json.loads((VECTORS / "sealed_envelopes.json").read_text())["envelopes"]
CHATS = json.loads((VECTORS / "chat_keys.json").read_text())["chats"]
KEY = bytes(range(32))
OWNER = PrivateKey(b"\x22" * 32)


def envelope_data(vector: dict) -> bytes:
    return rlp.as_bytes(rlp.decode_list(bytes.fromhex(vector["envelope"]["rlp"]))[3])


@pytest.mark.parametrize("vector", ENVELOPES, ids=lambda vector: vector["name"])
def test_envelopes_of_the_reference_are_opened(vector: dict) -> None:
    data, keys = envelope_data(vector), vector["open_with"]

    if "sym_key" in keys:
        plaintext = sealing.open_symmetric(data, bytes.fromhex(keys["sym_key"]))
    else:
        plaintext = sealing.open_asymmetric(data, PrivateKey.from_hex(keys["private_key"]))

    content = payload.decode(plaintext).content
    if vector["payload"] is None:  # too long to be written down
        assert len(content) == vector["payload_length"]
        assert keccak256(content).hex() == vector["payload_keccak256"]
    else:
        assert content.hex() == vector["payload"]


@pytest.mark.parametrize("chat", CHATS[:4], ids=lambda chat: chat["name"])
def test_a_chat_name_gives_the_key_of_the_reference(chat: dict) -> None:
    assert sealing.derive_symmetric_key(chat["name"]).hex() == chat["sym_key"]


def test_the_public_password_of_mailservers_gives_its_known_key() -> None:
    assert sealing.derive_symmetric_key("status-offline-inbox").hex() == (
        "765df27c0765526f920ba742ff4b9452bb0064e016435ffccd81186aa6feaae8"
    )


@given(st.binary(max_size=70_000))
def test_who_has_the_key_opens_what_was_sealed(plaintext: bytes) -> None:
    data = sealing.seal_symmetric(plaintext, KEY)

    assert len(data) == len(plaintext) + 28
    assert sealing.open_symmetric(data, KEY) == plaintext


@given(st.binary(max_size=70_000))
def test_the_owner_opens_what_was_sealed_for_them(plaintext: bytes) -> None:
    data = sealing.seal_asymmetric(plaintext, OWNER.public_key)

    assert len(data) == len(plaintext) + ecies.OVERHEAD
    assert sealing.may_be_asymmetric(data)
    assert sealing.open_asymmetric(data, OWNER) == plaintext


def test_the_same_text_is_never_sealed_alike_twice() -> None:
    assert sealing.seal_symmetric(b"text", KEY) != sealing.seal_symmetric(b"text", KEY)


@pytest.mark.parametrize("key", [b"", bytes(31), bytes(32), bytes(33)], ids=len)
def test_a_key_of_another_size_or_of_zeros_is_refused(key: bytes) -> None:
    with pytest.raises(SymmetricKeyError, match="invalid symmetric key"):
        sealing.seal_symmetric(b"text", key)
    with pytest.raises(SymmetricKeyError, match="invalid symmetric key"):
        sealing.open_symmetric(bytes(100), key)


def test_nobody_else_opens_a_message() -> None:
    with pytest.raises(OpeningError):
        sealing.open_symmetric(sealing.seal_symmetric(b"text", KEY), bytes(reversed(KEY)))
    with pytest.raises(OpeningError):
        sealing.open_asymmetric(
            sealing.seal_asymmetric(b"text", OWNER.public_key), PrivateKey(b"\x33" * 32)
        )


@given(data=st.binary(max_size=300))
def test_any_bytes_are_opened_or_refused(data: bytes) -> None:
    with pytest.raises(OpeningError):
        sealing.open_symmetric(data, KEY)
    with pytest.raises(OpeningError):
        sealing.open_asymmetric(data, OWNER)


def test_symmetric_data_costs_no_elliptic_curve() -> None:
    assert not sealing.may_be_asymmetric(b"\x04" * (ecies.OVERHEAD - 1))
    assert not sealing.may_be_asymmetric(b"\x05" * 300)
