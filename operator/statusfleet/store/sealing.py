"""Files that only their owner can read: the age format (age-encryption.org/v1), as `age` reads it.

For a passphrase, or for X25519 recipients (`age1…`), whose identities (`AGE-SECRET-KEY-1…`) open
them. The encryption is pyrage's, the Rust implementation of age.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pyrage as _untyped  # type: ignore[import-untyped]

from statusfleet.store.errors import StoreError

_age: Any = _untyped


class SealError(StoreError):
    """A file that cannot be opened or made: wrong passphrase or identity, damaged, no recipient."""


def seal_for_passphrase(data: bytes, passphrase: str) -> bytes:
    """Encrypt, as text; takes about a second on purpose."""
    sealed: bytes = _age.passphrase.encrypt(data, passphrase, armored=True)
    return sealed


def seal_for_recipients(data: bytes, recipients: Sequence[str]) -> bytes:
    """Encrypt, as text; any of the recipients can open it.

    Raises:
        SealError: one is no recipient.
    """
    parsed = []
    for text in recipients:
        try:
            parsed.append(_age.x25519.Recipient.from_str(text))
        except _age.RecipientError as error:
            raise SealError(f"{text} is no age recipient: {error}") from error
    sealed: bytes = _age.encrypt(data, parsed, armored=True)
    return sealed


def open_with_passphrase(sealed: bytes, passphrase: str) -> bytes:
    """Decrypt; raises SealError."""
    try:
        data: bytes = _age.passphrase.decrypt(sealed, passphrase)
    except _age.DecryptError as error:
        raise SealError(f"it cannot be opened with this passphrase: {error}") from error
    return data


def open_with_identities(sealed: bytes, identities: str) -> bytes:
    """Decrypt with the content of an age identity file; raises SealError."""
    lines = [line.strip() for line in identities.splitlines()]
    parsed = []
    for number, line in enumerate(lines, 1):
        if not line or line.startswith("#"):
            continue
        try:
            parsed.append(_age.x25519.Identity.from_str(line))
        except _age.IdentityError:
            raise SealError(f"line {number} is no age identity") from None
    try:
        data: bytes = _age.decrypt(sealed, parsed)
    except _age.DecryptError as error:
        raise SealError(f"it cannot be opened with these identities: {error}") from error
    return data
