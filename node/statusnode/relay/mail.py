"""The seam between the relay and a mailserver (packets 125 to 127 of Waku, VAC-10).

The relay carries mail packets and knows nothing of what is in them. All calls happen in the event
loop; none may block.
"""

from __future__ import annotations

from typing import Protocol

from statusnode.messages.envelope import Envelope


class LinkLostError(ConnectionError):
    """The peer went away while something was being sent to it."""


class MailLink(Protocol):
    """What a mailserver sees of one peer."""

    @property
    def node_id(self) -> bytes: ...

    @property
    def write_backlog(self) -> int:
        """Bytes that were sent and that the kernel has not taken yet."""
        ...

    def send_direct(self, raw_envelopes: list[bytes]) -> None:
        """Send raw envelopes as one direct-message packet (127); never blocks."""
        ...

    def send_completion(self, data: bytes) -> None:
        """Send the end of an answer (125); `data` is the payload before RLP."""
        ...

    async def drained(self) -> None:
        """Wait until the peer has read enough for more to be sent.

        Raises:
            LinkLostError: it went away.
        """
        ...


class MailHandler(Protocol):
    """A mailserver, as the relay sees it."""

    def archive(self, envelope: Envelope) -> None:
        """Take an envelope that the relay has accepted for the first time."""
        ...

    def request_received(self, link: MailLink, payload: bytes) -> None:
        """Take the payload of a mail request (126), RLP as it came; judge it elsewhere."""
        ...

    def link_lost(self, link: MailLink) -> None:
        """Forget a peer: nothing can be sent to it any more."""
        ...
