"""Where the relay hands what it accepts to the node's own readers."""

from __future__ import annotations

from typing import Protocol

from statusnode.messages.envelope import Envelope


class FilterSink(Protocol):
    """Message filters, as the relay sees them."""

    def offer(self, envelope: Envelope, direct: bool) -> None:
        """Take an envelope on first sight; called for every one, so it must be quick.

        `direct` says that it came as a direct (peer-to-peer) message, of a peer that the node
        trusts and past all checks.
        """
        ...
