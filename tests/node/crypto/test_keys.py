"""secp256k1 keys, signatures and shared secrets, as devp2p writes them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from statusnode.crypto.keys import (
    KeyFormatError,
    PrivateKey,
    PublicKey,
    recover,
    verify,
)

ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
# A signature of go-ethereum's own tests (crypto/signature_test.go).
DIGEST = bytes.fromhex("ce0677bb30baa8cf067c88db9811f4333d131bf8bcf12fe7065d211dce971008")
SIGNATURE = bytes.fromhex(
    "90f27b8b488db00b00606796d2987f6a5f59ae62ea05effe84fef5b8b0e54998"
    "4a691139ad57a3f0b906637673aa2f63d1f55cb1a69199d4009eea23ceaddc93"
    "01"
)
SIGNER = bytes.fromhex(
    "e32df42865e97135acfb65f3bae71bdc86f4d49150ad6a440b6f15878109880a"
    "0a2b2667f7e725ceea70c673093bf67663e0312623c8e091b13cf2c0f11ef652"
)

private_keys = st.integers(min_value=1, max_value=ORDER - 1).map(
    lambda number: PrivateKey(number.to_bytes(32, "big"))
)
digests = st.binary(min_size=32, max_size=32)


def test_the_signer_of_a_published_signature_is_recovered() -> None:
    assert recover(DIGEST, SIGNATURE) == PublicKey(SIGNER)
    assert verify(DIGEST, SIGNATURE[:64], PublicKey(SIGNER))


def test_the_key_of_the_number_one_is_the_generator() -> None:
    key = PrivateKey((1).to_bytes(32, "big"))

    assert key.public_key.compressed.hex() == (
        "0279be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798"
    )


def test_the_shared_secret_is_the_x_coordinate_with_its_leading_zeros() -> None:
    # With the private key 1 the secret is the peer's own X; one in 256 begins with a zero byte.
    one = PrivateKey((1).to_bytes(32, "big"))
    peers = (PrivateKey(number.to_bytes(32, "big")).public_key for number in range(2, 10_000))
    peer = next(peer for peer in peers if peer.data[0] == 0)

    assert one.shared_secret(peer) == peer.data[:32]


@given(private_keys, digests)
def test_a_signature_names_its_key(key: PrivateKey, digest: bytes) -> None:
    signature = key.sign(digest)

    assert len(signature) == 65
    assert signature[64] in (0, 1)
    assert int.from_bytes(signature[32:64], "big") <= ORDER // 2
    assert recover(digest, signature) == key.public_key
    assert verify(digest, signature[:64], key.public_key)
    assert key.sign(digest) == signature


@given(private_keys, digests, st.integers(min_value=0, max_value=511))
def test_a_changed_signature_is_not_the_keys(key: PrivateKey, digest: bytes, bit: int) -> None:
    signature = bytearray(key.sign(digest)[:64])
    signature[bit // 8] ^= 1 << bit % 8

    assert not verify(digest, bytes(signature), key.public_key)


@given(private_keys, private_keys)
def test_both_sides_get_the_same_secret(first: PrivateKey, second: PrivateKey) -> None:
    secret = first.shared_secret(second.public_key)

    assert len(secret) == 32
    assert secret == second.shared_secret(first.public_key)


@given(private_keys)
def test_every_form_of_a_key_reads_back(key: PrivateKey) -> None:
    public = key.public_key

    assert PublicKey(public.data) == public
    assert PublicKey.from_point(public.compressed) == public
    assert PublicKey.from_point(public.uncompressed) == public
    assert hash(PublicKey(public.data)) == hash(public)
    assert PrivateKey.from_hex(f"0x{key.data.hex()}\n").data == key.data


@given(st.binary(max_size=70))
def test_garbage_is_no_public_key(data: bytes) -> None:
    for read in (PublicKey, PublicKey.from_point):
        try:
            key = read(data)
        except KeyFormatError:
            continue
        assert data in (key.data, key.compressed, key.uncompressed)


@given(st.binary(max_size=70), st.binary(min_size=65, max_size=65))
def test_garbage_is_no_signature(digest: bytes, signature: bytes) -> None:
    digest = digest[:32].ljust(32, b"\0")
    try:
        key = recover(digest, signature)
    except KeyFormatError:
        return
    assert isinstance(key, PublicKey)


@pytest.mark.parametrize("number", [0, ORDER, ORDER + 1, 2**256 - 1])
def test_a_number_outside_the_group_is_no_key(number: int) -> None:
    with pytest.raises(KeyFormatError):
        PrivateKey(number.to_bytes(32, "big"))


@pytest.mark.parametrize("text", ["", "12", "zz" * 32, "0x" + "11" * 31, "11" * 33])
def test_text_that_is_no_key_is_not_repeated_in_the_message(text: str) -> None:
    with pytest.raises(KeyFormatError) as error:
        PrivateKey.from_hex(text)

    assert not text or text not in str(error.value)


def test_a_secret_is_never_shown() -> None:
    key = PrivateKey.generate()

    assert key.data.hex() not in repr(key) + str(key) + f"{key}"
    assert PrivateKey.generate().data != key.data


def test_a_recovery_id_above_one_is_refused() -> None:
    with pytest.raises(KeyFormatError):
        recover(DIGEST, SIGNATURE[:64] + b"\x02")
    with pytest.raises(KeyFormatError):
        recover(DIGEST, SIGNATURE[:64])
