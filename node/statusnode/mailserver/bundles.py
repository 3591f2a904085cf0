"""How an answer is cut into packets.

Envelopes gather in a bundle until the next would bring it to the size of a packet. The one that
reaches the limit of the request closes the bundle before it and makes one of its own; its cursor
ends the answer, *even if nothing follows*. So a limit of 5 gives packets of 4 and 1. Clients of
status-go page by these rules, and both kinds of server must cut alike.

Unlike status-go's, a bundle never makes a packet above the limit of message sizes, which peers
answer by hanging up: the header of its list is counted in, and an envelope too large for any packet
is passed over.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from statusnode.mailserver.archive import TIME_SIZE, Row
from statusnode.relay.messages import LIST_HEADER_ROOM, fits

_NO_HASH: Final = bytes(32)


class Bundler:
    """Takes the rows of one answer, in order, and gives its bundles."""

    def __init__(self, limit: int, max_packet_size: int) -> None:
        """Prepare for at most `limit` envelopes, in packets of at most `max_packet_size` bytes."""
        self._limit = limit
        self._max_packet_size = max_packet_size
        self._bundle: list[bytes] = []
        self._bundle_size = 0
        self.count = 0
        """Envelopes taken so far."""
        self.size = 0
        """Bytes of them."""
        self.oversized = 0
        """Envelopes passed over because no packet can carry them."""
        self.last_hash = _NO_HASH
        """Of the last envelope taken."""
        self.cursor = b""
        """Where the next page begins: set once the limit is reached."""

    @property
    def room(self) -> int:
        """How many more envelopes there may be."""
        return self._limit - self.count

    def add(self, row: Row) -> Iterator[list[bytes]]:
        """Take a row; give each bundle that is whole now."""
        cursor, raw = row
        self.last_hash = cursor[TIME_SIZE:]
        self.count += 1
        if not self.room:
            self.cursor = cursor
        if not fits(len(raw), self._max_packet_size):
            self.oversized += 1
            return
        self.size += len(raw)
        too_large = self._bundle_size + len(raw) > self._max_packet_size - LIST_HEADER_ROOM
        if (too_large or not self.room) and self._bundle:
            yield self._take()
        self._bundle.append(raw)
        self._bundle_size += len(raw)

    def finish(self) -> list[bytes]:
        """Give the last bundle; it may be empty."""
        return self._take()

    def _take(self) -> list[bytes]:
        bundle, self._bundle, self._bundle_size = self._bundle, [], 0
        return bundle
