"""The two base encodings of node records and trees, both without padding (RFC 4648).

Base64 with the URL alphabet writes records and signatures (EIP-778, EIP-1459); reading is strict,
so one record has one text. Base32 writes hashes and keys of trees; its spare last bits are ignored
as Go ignores them, since an abbreviated hash may be cut anywhere.
"""

from __future__ import annotations

import base64
import re
from typing import Final

_BASE64: Final = re.compile(r"[A-Za-z0-9_-]*")
_BASE32: Final = re.compile(r"[A-Z2-7]*")


class BaseEncodingError(ValueError):
    """Text that is not of the encoding it should be."""


def base64url_encode(data: bytes) -> str:
    """Write `data` with the URL alphabet, without padding."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode("ascii")


def base64url_decode(text: str) -> bytes:
    """Read what `base64url_encode` wrote.

    Raises:
        BaseEncodingError: a foreign character, padding, an impossible length, or spare bits set.
    """
    if not _BASE64.fullmatch(text):
        raise BaseEncodingError("base64url knows letters, digits, - and _ alone")
    if len(text) % 4 == 1:
        raise BaseEncodingError(f"no base64 text has {len(text)} characters")
    data = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    if base64url_encode(data) != text:
        raise BaseEncodingError("the last character of the base64 text has spare bits set")
    return data


def base32_encode(data: bytes) -> str:
    """Write `data` in upper case, without padding."""
    return base64.b32encode(data).rstrip(b"=").decode("ascii")


def base32_decode(text: str) -> bytes:
    """Read upper-case base32; bits that fill no byte are ignored.

    Raises:
        BaseEncodingError: a character outside A to Z and 2 to 7; lower case is outside.
    """
    if not _BASE32.fullmatch(text):
        raise BaseEncodingError("base32 knows A to Z and 2 to 7 alone")
    return base64.b32decode(text + "A" * (-len(text) % 8))[: len(text) * 5 // 8]
