"""ECIES as devp2p defines it (RLPx, "ECIES Encryption"): secp256k1, AES-128-CTR, HMAC-SHA256.

Used by the RLPx handshake (with the size prefix as shared MAC data) and by asymmetric messages.
The wire form is ephemeral point (65) ‖ IV (16) ‖ ciphertext ‖ tag (32).
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from typing import Final

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from statusnode.crypto.keys import KeyFormatError, PrivateKey, PublicKey

_POINT_SIZE: Final = 65
_IV_SIZE: Final = 16
_TAG_SIZE: Final = 32
OVERHEAD: Final = _POINT_SIZE + _IV_SIZE + _TAG_SIZE


class DecryptionError(ValueError):
    """A ciphertext that was not made for this key, or was changed on its way."""


def encrypt(
    message: bytes,
    recipient: PublicKey,
    mac_data: bytes = b"",
    *,
    ephemeral: PrivateKey | None = None,
) -> bytes:
    """Seal `message` for `recipient`; the result is `OVERHEAD` bytes longer.

    `mac_data` is authenticated but not sent. `ephemeral` is given by tests alone.
    """
    ephemeral = ephemeral or PrivateKey.generate()
    cipher_key, mac_key = _derive(ephemeral.shared_secret(recipient))
    iv = secrets.token_bytes(_IV_SIZE)
    body = iv + _aes_ctr(cipher_key, iv, message)
    return ephemeral.public_key.uncompressed + body + _tag(mac_key, body, mac_data)


def decrypt(data: bytes, key: PrivateKey, mac_data: bytes = b"") -> bytes:
    """Open what `encrypt` made for `key`.

    Raises:
        DecryptionError: it was not made for this key, or not with this `mac_data`.
    """
    data = bytes(data)
    if len(data) < OVERHEAD:
        raise DecryptionError(f"a ciphertext has at least {OVERHEAD} bytes, not {len(data)}")
    if data[0] != 4:
        raise DecryptionError("a ciphertext begins with an uncompressed point")
    try:
        ephemeral = PublicKey(data[1:_POINT_SIZE])
    except KeyFormatError as error:
        raise DecryptionError("a ciphertext begins with a point of secp256k1") from error
    cipher_key, mac_key = _derive(key.shared_secret(ephemeral))
    body = data[_POINT_SIZE:-_TAG_SIZE]
    if not hmac.compare_digest(_tag(mac_key, body, mac_data), data[-_TAG_SIZE:]):
        raise DecryptionError("the ciphertext was not made for this key, or was changed")
    return _aes_ctr(cipher_key, body[:_IV_SIZE], body[_IV_SIZE:])


def _derive(secret: bytes) -> tuple[bytes, bytes]:
    """NIST SP 800-56 concatenation KDF, one round: the cipher key and the MAC key."""
    material = hashlib.sha256(b"\x00\x00\x00\x01" + secret).digest()
    return material[:16], hashlib.sha256(material[16:]).digest()


def _aes_ctr(key: bytes, iv: bytes, data: bytes) -> bytes:
    encryptor = Cipher(algorithms.AES(key), modes.CTR(iv)).encryptor()
    return encryptor.update(data) + encryptor.finalize()


def _tag(key: bytes, body: bytes, mac_data: bytes) -> bytes:
    return hmac.digest(key, body + mac_data, "sha256")
