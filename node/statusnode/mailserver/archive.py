"""What a mailserver asks of its archive: values, errors, and the seam to a database.

An envelope is found again by its **key**: the second it was sent (uint32, big-endian) ‖ its hash ‖
its topic, 40 bytes, as status-go writes it. The first 36 bytes name it uniquely and are the
**cursor** that clients page with. Everything is answered in ascending order of keys.

A store is synchronous and knows no event loop: it runs in a process of its own (`worker`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Protocol, TypeAlias

TIME_SIZE: Final = 4
HASH_SIZE: Final = 32
CURSOR_SIZE: Final = TIME_SIZE + HASH_SIZE
MAX_TIME: Final = 0xFFFFFFFF

Entry: TypeAlias = tuple[int, bytes, bytes, bytes]
"""One envelope to archive: second of sending, hash, topic, raw RLP. A plain tuple, since every
archived envelope crosses a pipe as one."""

Row: TypeAlias = tuple[bytes, bytes]
"""One envelope found: cursor (36 bytes), raw RLP."""


class ArchiveError(Exception):
    """The archive cannot do what was asked; the message is a sentence for whoever runs the node."""


class ArchiveUnavailableError(ArchiveError):
    """It cannot now, and may later: the disk is full, the device fails, the process died."""


class ArchiveCorruptError(ArchiveError):
    """What is on disk is no intact archive."""


class ArchiveVersionError(ArchiveError):
    """What is on disk was written by a newer version of this program."""


def cursor_of(sent: int, identity: bytes) -> bytes:
    """Return the cursor of an envelope by the second it was sent and its hash."""
    return sent.to_bytes(TIME_SIZE, "big") + identity


@dataclass(frozen=True, slots=True)
class Query:
    """Which envelopes are wanted: a range of time, and topics or a bloom filter."""

    lower: int
    """First second, of those in which envelopes were sent."""
    upper: int
    """Last second, included."""
    topics: tuple[bytes, ...] | None = None
    """Only these; None: whatever `bloom` lets through."""
    bloom: bytes = b""
    """64 bytes; empty: everything. Looked at only where `topics` is None."""


@dataclass(frozen=True, slots=True)
class Page:
    """A part of an answer."""

    rows: list[Row]
    resume: bytes | None
    """The cursor after which to go on reading; None: nothing is left in the range."""


class ArchiveStore(Protocol):
    """A database of envelopes. Every method may raise `ArchiveError`."""

    def open(self) -> int:
        """Open it, made new where there is none; return how many envelopes are in it."""
        ...

    def add(self, entries: list[Entry]) -> int:
        """Add envelopes, durably: all of them, or none if it raises.

        Returns how many were not there before.
        """
        ...

    def matching_topics(self, bloom: bytes) -> list[bytes] | None:
        """Return the archived topics that a bloom filter lets through; None: too many to list."""
        ...

    def read(self, query: Query, after: bytes, max_rows: int, max_bytes: int) -> Page:
        """Read envelopes behind the cursor `after` (empty: from the start of the range).

        A page ends after `max_rows` rows, or with the row that brings it to `max_bytes`. It may be
        short, or empty, before the range is at its end: one call does a bounded amount of work.
        """
        ...

    def prune(self, before: int, count: int) -> int:
        """Remove up to `count` envelopes sent before a second, oldest first; return how many."""
        ...

    def close(self) -> None: ...
