"""Keys under their ids, which are those of status-go."""

from __future__ import annotations

import pytest

from statusnode.crypto.keys import PrivateKey
from statusnode.messages.keystore import KeyStore, UnknownKeyError

# What status-go answers to waku_addPrivateKey with 0x11 thirty-two times.
ELEVENS = PrivateKey(b"\x11" * 32)
ELEVENS_ID = "1b01955c153ac64500b7f7b5fb5fb986d088a98b38e003982ec970fd74b54929"


def test_a_key_pair_has_the_id_of_the_reference() -> None:
    assert KeyStore().add_key_pair(ELEVENS) == ELEVENS_ID


def test_a_key_pair_is_found_by_its_id_and_by_its_public_key() -> None:
    store = KeyStore()
    store.add_key_pair(ELEVENS)
    public_text = "0x" + ELEVENS.public_key.uncompressed.hex()

    for key_id in (ELEVENS_ID, public_text):
        assert store.has_key_pair(key_id)
        assert store.key_pair(key_id).data == ELEVENS.data
    assert store.delete_key_pair(public_text)
    assert not store.has_key_pair(ELEVENS_ID)
    assert not store.delete_key_pair(ELEVENS_ID)


def test_adding_a_key_pair_twice_keeps_one() -> None:
    store = KeyStore()

    assert store.add_key_pair(ELEVENS) == store.add_key_pair(ELEVENS)
    assert store.delete_key_pair(ELEVENS_ID)
    assert not store.has_key_pair(ELEVENS_ID)


def test_new_key_pairs_differ() -> None:
    store = KeyStore()
    first, second = store.new_key_pair(), store.new_key_pair()

    assert first != second
    assert store.key_pair(first).data != store.key_pair(second).data


def test_a_symmetric_key_is_found_until_it_is_deleted() -> None:
    store = KeyStore()
    key_id = store.add_symmetric_key(b"k" * 32)

    assert len(bytes.fromhex(key_id)) == 32
    assert store.has_symmetric_key(key_id)
    assert store.symmetric_key(key_id) == b"k" * 32
    assert store.delete_symmetric_key(key_id)
    assert not store.has_symmetric_key(key_id)
    assert not store.delete_symmetric_key(key_id)


def test_the_same_symmetric_key_may_have_many_ids() -> None:
    store = KeyStore()

    assert store.add_symmetric_key(b"k" * 32) != store.add_symmetric_key(b"k" * 32)
    assert len(store.symmetric_key(store.new_symmetric_key())) == 32


def test_unknown_ids_are_named_as_the_reference_does() -> None:
    store = KeyStore()

    with pytest.raises(UnknownKeyError, match="invalid id"):
        store.key_pair("0x04")
    with pytest.raises(UnknownKeyError, match="non-existent key ID"):
        store.symmetric_key("none")


def test_a_symmetric_key_of_another_size_is_refused() -> None:
    with pytest.raises(ValueError, match="wrong key size: 31"):
        KeyStore().add_symmetric_key(bytes(31))
