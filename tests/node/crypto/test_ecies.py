"""ECIES: opens what the specification publishes, and nothing that was changed on its way."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from statusnode.codec import rlp
from statusnode.crypto import ecies
from statusnode.crypto.keys import PrivateKey

# EIP-8, "Test Vectors": two static keys, and the auth message in EIP-8 format with version 4
# (Auth 2). Its first two bytes are the size, which is authenticated but not encrypted.
KEY_A = PrivateKey.from_hex("49a7b37aa6f6645917e7b807e9d1c00d4fa71f18343b0d4122a4d2df64dd6fee")
KEY_B = PrivateKey.from_hex("b71c71a67e1177ad4e901695e1b4b9ee17ae16c6668d313eac2f96dbcda3f291")
AUTH_2 = bytes.fromhex(
    "01b304ab7578555167be8154d5cc456f567d5ba302662433674222360f08d5f1534499d3678b513b0fca474f3a"
    "514b18e75683032eb63fccb16c156dc6eb2c0b1593f0d84ac74f6e475f1b8d56116b849634a8c458705bf83a62"
    "6ea0384d4d7341aae591fae42ce6bd5c850bfe0b999a694a49bbbaf3ef6cda61110601d3b4c02ab6c30437257a"
    "6e0117792631a4b47c1d52fc0f8f89caadeb7d02770bf999cc147d2df3b62e1ffb2c9d8c125a3984865356266b"
    "ca11ce7d3a688663a51d82defaa8aad69da39ab6d5470e81ec5f2a7a47fb865ff7cca21516f9299a07b1bc63ba"
    "56c7a1a892112841ca44b6e0034dee70c9adabc15d76a54f443593fafdc3b27af8059703f88928e199cb122362"
    "a4b35f62386da7caad09c001edaeb5f8a06d2b26fb6cb93c52a9fca51853b68193916982358fe1e5369e249875"
    "bb8d0d0ec36f917bc5e1eafd5896d46bd61ff23f1a863a8a8dcd54c7b109b771c8e61ec9c8908c733c0263440e"
    "2aa067241aaa433f0bb053c7b31a838504b148f570c0ad62837129e547678c5190341e4f1693956c3bf7678318"
    "e2d5b5340c9e488eefea198576344afbdf66db5f51204a6961a63ce072c8926c"
)


def test_the_auth_message_of_eip_8_opens() -> None:
    size, sealed = AUTH_2[:2], AUTH_2[2:]

    body, _ = rlp.decode_prefix(ecies.decrypt(sealed, KEY_B, size))

    assert isinstance(body, list)
    assert body[1] == KEY_A.public_key.data
    assert body[2] == bytes.fromhex(
        "7e968bba13b6c50e2c4cd7f241cc0d64d1ac25c7f5952df231ac6a2bda8ee5d6"
    )  # the initiator's nonce
    assert rlp.as_uint(body[3]) == 4


def test_the_size_that_goes_with_it_is_authenticated() -> None:
    with pytest.raises(ecies.DecryptionError):
        ecies.decrypt(AUTH_2[2:], KEY_B, b"\x01\xb5")


@given(message=st.binary(max_size=300), mac_data=st.binary(max_size=4))
def test_what_is_sealed_opens_for_its_recipient_alone(message: bytes, mac_data: bytes) -> None:
    sealed = ecies.encrypt(message, KEY_A.public_key, mac_data)

    assert len(sealed) == len(message) + ecies.OVERHEAD
    assert ecies.decrypt(sealed, KEY_A, mac_data) == message
    with pytest.raises(ecies.DecryptionError):
        ecies.decrypt(sealed, KEY_B, mac_data)


@given(bit=st.integers(min_value=0, max_value=(ecies.OVERHEAD + 16) * 8 - 1))
def test_no_bit_can_be_changed(bit: int) -> None:
    sealed = bytearray(ecies.encrypt(bytes(16), KEY_A.public_key))
    sealed[bit // 8] ^= 1 << bit % 8

    with pytest.raises(ecies.DecryptionError):
        ecies.decrypt(bytes(sealed), KEY_A)


@given(st.binary(max_size=400))
def test_garbage_is_refused(data: bytes) -> None:
    with pytest.raises(ecies.DecryptionError):
        ecies.decrypt(data, KEY_A)


def test_two_seals_of_one_message_have_nothing_in_common() -> None:
    first, second = (ecies.encrypt(b"hello", KEY_A.public_key) for _ in range(2))

    assert first[:65] != second[:65]
    assert first[81:86] != second[81:86]
