"""The end of a mailserver's answer (packet 125): one byte string in two forms.

    success   request id 32 | hash of the last envelope 32 (zeros: none) | cursor 0 or 36
    failure   "ERROR=" | request id 32 | sentence

Source: status-go 0.68.4, `waku/mailserver.go`; the tolerance towards short successes is its too.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from statusnode.mailserver.archive import CURSOR_SIZE, HASH_SIZE

_FAILURE_PREFIX: Final = b"ERROR="
_NO_HASH: Final = bytes(HASH_SIZE)
_MAX_SUCCESS_SIZE: Final = 2 * HASH_SIZE + CURSOR_SIZE


class ResponseError(ValueError):
    """Bytes that are no answer of a mailserver."""


@dataclass(frozen=True, slots=True)
class Completion:
    """All that was asked for has been sent, or as much of it as the limit allows."""

    request_id: bytes
    last_hash: bytes = _NO_HASH
    """Of the last envelope sent; zeros where there was none."""
    cursor: bytes = b""
    """Where the next page begins; empty: this was the last one."""

    def encode(self) -> bytes:
        """Write the payload, before RLP."""
        return self.request_id + self.last_hash + self.cursor


@dataclass(frozen=True, slots=True)
class Failure:
    """The request was refused or could not be answered."""

    request_id: bytes
    text: str

    def encode(self) -> bytes:
        """Write the payload, before RLP."""
        return _FAILURE_PREFIX + self.request_id + self.text.encode()


def decode(data: bytes) -> Completion | Failure:
    """Read the payload of a mail response.

    Raises:
        ResponseError: it is too short, or too long.
    """
    head = len(_FAILURE_PREFIX)
    if data.startswith(_FAILURE_PREFIX) and len(data) >= head + HASH_SIZE:
        text = data[head + HASH_SIZE :].decode(errors="replace")
        return Failure(data[head : head + HASH_SIZE], text)
    if not HASH_SIZE <= len(data) <= _MAX_SUCCESS_SIZE:
        raise ResponseError(f"unexpected payload size: {len(data)}")
    rest = data[HASH_SIZE:]
    last_hash = rest[:HASH_SIZE] if len(rest) >= HASH_SIZE else _NO_HASH
    cursor = rest[HASH_SIZE:] if len(rest) == HASH_SIZE + CURSOR_SIZE else b""
    return Completion(data[:HASH_SIZE], last_hash, cursor)
