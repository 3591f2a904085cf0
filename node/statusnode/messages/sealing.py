"""Sealing and opening the data of an envelope, with a shared key or for one key pair (Waku VAC-6).

A symmetric message is AES-256-GCM without associated data: ciphertext ‖ tag 16 ‖ nonce 12, the
nonce at the end. An asymmetric one is ECIES as RLPx has it. What the plain text means is the
business of `payload`; which keys exist, of `keystore`.
"""

from __future__ import annotations

import hashlib
import secrets
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from statusnode.crypto import ecies
from statusnode.crypto.keys import PrivateKey, PublicKey

SYMMETRIC_KEY_SIZE: Final = 32
_NONCE_SIZE: Final = 12
_TAG_SIZE: Final = 16
_ASYMMETRIC_PREFIX: Final = 0x04
# The odd number is the protocol's: every client derives the keys of public chats with it.
_PASSWORD_ITERATIONS: Final = 65356


class OpeningError(ValueError):
    """Data that was not sealed for this key, or was changed on its way."""


class SymmetricKeyError(ValueError):
    """Bytes that cannot serve as a symmetric key; the message never repeats them."""


def check_symmetric_key(key: bytes) -> bytes:
    """Return `key` if it may be used: 32 bytes, not all of them zero.

    Raises:
        SymmetricKeyError: it may not; an all-zero key is the mark of one that was never set.
    """
    if len(key) != SYMMETRIC_KEY_SIZE or not any(key):
        raise SymmetricKeyError("invalid symmetric key")
    return key


def derive_symmetric_key(password: str) -> bytes:
    """Derive the key that everybody with this password, or chat name, has.

    Takes tens of milliseconds of CPU on purpose, with the interpreter lock released: a caller on
    an event loop runs it in a thread.
    """
    return hashlib.pbkdf2_hmac("sha256", password.encode(), b"", _PASSWORD_ITERATIONS)


def seal_symmetric(plaintext: bytes, key: bytes) -> bytes:
    """Seal `plaintext` for all who have `key`; the result is 28 bytes longer.

    Raises:
        SymmetricKeyError: `key` cannot serve as one.
    """
    nonce = secrets.token_bytes(_NONCE_SIZE)
    return AESGCM(check_symmetric_key(key)).encrypt(nonce, plaintext, None) + nonce


def open_symmetric(data: bytes, key: bytes) -> bytes:
    """Open what `seal_symmetric` made with `key`.

    Raises:
        OpeningError: it was not made with `key`.
        SymmetricKeyError: `key` cannot serve as one.
    """
    cipher = AESGCM(check_symmetric_key(key))
    if len(data) < _TAG_SIZE + _NONCE_SIZE:
        raise OpeningError(f"symmetric data has at least {_TAG_SIZE + _NONCE_SIZE} bytes")
    try:
        return cipher.decrypt(data[-_NONCE_SIZE:], data[:-_NONCE_SIZE], None)
    except InvalidTag as error:
        raise OpeningError("the data was not sealed with this key") from error


def seal_asymmetric(plaintext: bytes, recipient: PublicKey) -> bytes:
    """Seal `plaintext` for the owner of `recipient`; the result is `ecies.OVERHEAD` longer."""
    return ecies.encrypt(plaintext, recipient)


def may_be_asymmetric(data: bytes) -> bool:
    """Tell cheaply whether `data` could be an asymmetric message at all.

    Only one symmetric message in 256 passes, so a node with a key pair pays for elliptic curves
    only where they can matter.
    """
    return len(data) >= ecies.OVERHEAD and data[0] == _ASYMMETRIC_PREFIX


def open_asymmetric(data: bytes, key: PrivateKey) -> bytes:
    """Open what `seal_asymmetric` made for `key`.

    Raises:
        OpeningError: it was not made for `key`.
    """
    try:
        return ecies.decrypt(data, key)
    except ecies.DecryptionError as error:
        raise OpeningError(str(error)) from error
