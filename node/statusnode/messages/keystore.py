"""The keys that a node was told: key pairs and symmetric keys, each under an id.

They live in memory and are gone when the node stops, as status-go has it. An id is 64 hex digits:
random for a symmetric key; for a key pair derived from its public key, so that the public key's
hex text (0x04…) serves as an id too. Nothing here is ever logged or shown.
"""

from __future__ import annotations

import hashlib
import secrets
from typing import Final

from statusnode.crypto.keys import PrivateKey, PublicKey
from statusnode.messages.sealing import SYMMETRIC_KEY_SIZE

_ID_SIZE: Final = 32
_ID_ITERATIONS: Final = 4096


class UnknownKeyError(LookupError):
    """An id under which the store has no key."""


class KeyStore:
    """Key pairs and symmetric keys by id."""

    def __init__(self) -> None:
        self._key_pairs: dict[str, PrivateKey] = {}
        self._symmetric_keys: dict[str, bytes] = {}

    def new_key_pair(self) -> str:
        """Make a key pair and return its id."""
        return self.add_key_pair(PrivateKey.generate())

    def add_key_pair(self, key: PrivateKey) -> str:
        """Keep a key pair and return its id; adding it again changes nothing."""
        key_id = key_pair_id(key.public_key)
        self._key_pairs[key_id] = key
        return key_id

    def key_pair(self, key_id: str) -> PrivateKey:
        """Return a key pair by its id or its public key's hex text.

        Raises:
            UnknownKeyError: there is none.
        """
        try:
            return self._key_pairs[_canonical_id(key_id)]
        except KeyError as error:
            raise UnknownKeyError("invalid id") from error

    def has_key_pair(self, key_id: str) -> bool:
        """Tell whether `key_pair` would find one."""
        return _canonical_id(key_id) in self._key_pairs

    def delete_key_pair(self, key_id: str) -> bool:
        """Forget a key pair; tell whether there was one."""
        return self._key_pairs.pop(_canonical_id(key_id), None) is not None

    def new_symmetric_key(self) -> str:
        """Make a symmetric key and return its id."""
        return self.add_symmetric_key(secrets.token_bytes(SYMMETRIC_KEY_SIZE))

    def add_symmetric_key(self, key: bytes) -> str:
        """Keep a symmetric key of 32 bytes under a new random id, and return that.

        Raises:
            ValueError: it has another size.
        """
        if len(key) != SYMMETRIC_KEY_SIZE:
            raise ValueError(f"wrong key size: {len(key)}")
        key_id = secrets.token_hex(_ID_SIZE)
        self._symmetric_keys[key_id] = bytes(key)
        return key_id

    def symmetric_key(self, key_id: str) -> bytes:
        """Return a symmetric key.

        Raises:
            UnknownKeyError: there is none under this id.
        """
        try:
            return self._symmetric_keys[key_id]
        except KeyError as error:
            raise UnknownKeyError("non-existent key ID") from error

    def has_symmetric_key(self, key_id: str) -> bool:
        """Tell whether `symmetric_key` would find one."""
        return key_id in self._symmetric_keys

    def delete_symmetric_key(self, key_id: str) -> bool:
        """Forget a symmetric key; tell whether there was one."""
        return self._symmetric_keys.pop(key_id, None) is not None


def key_pair_id(key: PublicKey) -> str:
    """Return the id under which a store keeps the key pair of this public key."""
    return _derived_id("0x" + key.uncompressed.hex())


def _canonical_id(key_id: str) -> str:
    """Anything that is not as long as an id is taken for the text an id is derived from."""
    return key_id if len(key_id) == 2 * _ID_SIZE else _derived_id(key_id)


def _derived_id(text: str) -> str:
    return hashlib.pbkdf2_hmac("sha256", text.encode(), b"", _ID_ITERATIONS, _ID_SIZE).hex()
