"""The plain text in a sealed envelope: flags, payload, padding, signature (Waku VAC-6).

    flags 1 | payload size 1..3, little-endian | payload | padding | signature 65, if flag 0x04

Bits 0 and 1 of the flags tell how many bytes the size field has. The signature covers everything
before it, with its flag set. This module never encrypts: that is `sealing`. Facts beyond the
specification are status-go's behaviour: random padding up to the next multiple of 256 (never
none), and an absent size field meaning an empty payload.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from typing import Final

from statusnode.crypto.keccak import keccak256
from statusnode.crypto.keys import (
    SIGNATURE_SIZE,
    KeyFormatError,
    PrivateKey,
    PublicKey,
    recover,
)

MAX_PAYLOAD_SIZE: Final = 0xFFFFFF
PADDING_BLOCK: Final = 256
_SIZE_FIELD_MASK: Final = 0x03
_SIGNED: Final = 0x04


class PayloadError(ValueError):
    """Bytes that are no message payload, or a payload too large to be one."""


@dataclass(frozen=True, slots=True)
class Payload:
    """What an opened message says, and who signed it (None: nobody)."""

    content: bytes
    padding: bytes
    signer: PublicKey | None


def encode(content: bytes, *, padding: bytes = b"", signer: PrivateKey | None = None) -> bytes:
    """Lay out a plain text, signed if `signer` is given.

    Without `padding`, random bytes bring the whole, signature included, to the next multiple of
    `PADDING_BLOCK`, so that the size tells little about the content; given padding is kept as is.

    Raises:
        PayloadError: the content has more than `MAX_PAYLOAD_SIZE` bytes.
    """
    if len(content) > MAX_PAYLOAD_SIZE:
        raise PayloadError(f"a payload has at most {MAX_PAYLOAD_SIZE} bytes, not {len(content)}")
    size_field = len(content).to_bytes(max(1, (len(content).bit_length() + 7) // 8), "little")
    flags = len(size_field) | (_SIGNED if signer else 0)
    body = bytes((flags,)) + size_field + content
    if not padding:
        unpadded = len(body) + (SIGNATURE_SIZE if signer else 0)
        padding = secrets.token_bytes(PADDING_BLOCK - unpadded % PADDING_BLOCK)
    body += padding
    return body + signer.sign(keccak256(body)) if signer else body


def decode(plaintext: bytes) -> Payload:
    """Read a plain text and find its signer.

    Raises:
        PayloadError: it is cut short, or its signature can have been made by no key.
    """
    if not plaintext:
        raise PayloadError("a plain text has at least its flags")
    flags, end = plaintext[0], len(plaintext)
    signer = None
    if flags & _SIGNED:
        end -= SIGNATURE_SIZE
        if end <= 1:
            raise PayloadError("the plain text ends inside its signature")
        try:
            signer = recover(keccak256(plaintext[:end]), plaintext[end:])
        except KeyFormatError as error:
            raise PayloadError("no key can have made the signature") from error
    start = 1 + (flags & _SIZE_FIELD_MASK)
    if start > end:
        raise PayloadError("the plain text ends inside the size of its payload")
    stop = start + int.from_bytes(plaintext[1:start], "little")
    if stop > end:
        raise PayloadError(f"a payload of {stop - start} bytes does not fit in {end - start}")
    return Payload(plaintext[start:stop], plaintext[stop:end], signer)
