"""secp256k1 keys as devp2p uses them.

A public key travels as 64 bytes (X‖Y), a signature as 65 bytes (r‖s‖v with v in {0, 1}), a shared
secret is the 32-byte X coordinate (facts of RLPx and EIP-778). Signatures are deterministic
(RFC 6979) and low-s, so they equal those of Go byte for byte.
"""

from __future__ import annotations

import secrets
from functools import cached_property
from typing import Final

import coincurve
from coincurve import ecdsa

from statusnode.crypto.keccak import keccak256

PUBLIC_KEY_SIZE: Final = 64
PRIVATE_KEY_SIZE: Final = 32
SIGNATURE_SIZE: Final = 65
_MAX_RECOVERY_ID: Final = 1


class KeyFormatError(ValueError):
    """Bytes that are no secp256k1 key or signature."""


class PublicKey:
    """A point of secp256k1, equal and hashed by its 64 bytes."""

    def __init__(self, data: bytes) -> None:
        """Take 64 bytes X‖Y.

        Raises:
            KeyFormatError: the length is wrong or the point is not on the curve.
        """
        if len(data) != PUBLIC_KEY_SIZE:
            raise KeyFormatError(f"a public key has {PUBLIC_KEY_SIZE} bytes, not {len(data)}")
        self.data = bytes(data)
        try:
            self.point = coincurve.PublicKey(b"\x04" + self.data)
        except ValueError as error:
            raise KeyFormatError("the public key is not a point of secp256k1") from error

    @classmethod
    def from_point(cls, data: bytes) -> PublicKey:
        """Take a SEC 1 point, compressed (33 bytes) or not (65 bytes).

        Raises:
            KeyFormatError: it is none.
        """
        try:
            return cls(coincurve.PublicKey(bytes(data)).format(compressed=False)[1:])
        except ValueError as error:
            raise KeyFormatError("the bytes are no point of secp256k1") from error

    @property
    def compressed(self) -> bytes:
        """33 bytes, as ENR and EIP-1459 write it."""
        return self.point.format(compressed=True)

    @property
    def uncompressed(self) -> bytes:
        """65 bytes, with the leading 0x04."""
        return b"\x04" + self.data

    @cached_property
    def node_id(self) -> bytes:
        """The node id: keccak256 of the 64 bytes."""
        return keccak256(self.data)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, PublicKey) and self.data == other.data

    def __hash__(self) -> int:
        return hash(self.data)

    def __repr__(self) -> str:
        return f"PublicKey({self.data.hex()[:16]}…)"


class PrivateKey:
    """A secp256k1 secret. Its text forms never show it."""

    def __init__(self, data: bytes) -> None:
        """Take the 32-byte secret.

        Raises:
            KeyFormatError: the length is wrong, or the number is 0 or not below the group order.
        """
        if len(data) != PRIVATE_KEY_SIZE:
            raise KeyFormatError(f"a private key has {PRIVATE_KEY_SIZE} bytes, not {len(data)}")
        try:
            self._key = coincurve.PrivateKey(bytes(data))
        except ValueError as error:
            raise KeyFormatError("the number is no private key of secp256k1") from error

    @classmethod
    def generate(cls) -> PrivateKey:
        """Make a key from the system's randomness."""
        while True:
            try:
                return cls(secrets.token_bytes(PRIVATE_KEY_SIZE))
            except KeyFormatError:  # one chance in 2**128
                continue

    @classmethod
    def from_hex(cls, text: str) -> PrivateKey:
        """Read 64 hex digits, with or without 0x, as node key files hold them.

        Raises:
            KeyFormatError: the text is no such key; the message never repeats it.
        """
        try:
            data = bytes.fromhex(text.strip().removeprefix("0x"))
        except ValueError as error:
            raise KeyFormatError("a private key is written as 64 hex digits") from error
        return cls(data)

    @property
    def data(self) -> bytes:
        """The 32-byte secret."""
        return self._key.secret

    @cached_property
    def public_key(self) -> PublicKey:
        """The key's public half."""
        return PublicKey(self._key.public_key.format(compressed=False)[1:])

    def sign(self, digest: bytes) -> bytes:
        """Sign a 32-byte digest: 65 bytes r‖s‖v, v in {0, 1}."""
        return self._key.sign_recoverable(digest, hasher=None)

    def shared_secret(self, peer: PublicKey) -> bytes:
        """Return the ECDH secret with `peer`: the X coordinate, 32 bytes, zero-padded."""
        return peer.point.multiply(self._key.secret).format(compressed=False)[1:33]

    def __repr__(self) -> str:
        return f"PrivateKey(of {self.public_key!r})"


def recover(digest: bytes, signature: bytes) -> PublicKey:
    """Return the key that made `signature` (65 bytes r‖s‖v) over the 32-byte `digest`.

    Raises:
        KeyFormatError: no key can have made it.
    """
    if len(signature) != SIGNATURE_SIZE:
        raise KeyFormatError(f"a signature has {SIGNATURE_SIZE} bytes, not {len(signature)}")
    if signature[64] > _MAX_RECOVERY_ID:
        raise KeyFormatError(f"a signature ends with 0 or 1, not {signature[64]}")
    try:
        point = coincurve.PublicKey.from_signature_and_message(
            bytes(signature), bytes(digest), hasher=None
        )
    except Exception as error:
        raise KeyFormatError("no key can have made this signature") from error
    return PublicKey(point.format(compressed=False)[1:])


def verify(digest: bytes, signature: bytes, key: PublicKey) -> bool:
    """Tell whether `key` made the 64 bytes r‖s of `signature` over the 32-byte `digest`."""
    if len(signature) != SIGNATURE_SIZE - 1:
        return False
    try:
        der = ecdsa.cdata_to_der(ecdsa.deserialize_compact(bytes(signature)))
        return key.point.verify(der, bytes(digest), hasher=None)
    except ValueError:
        return False
