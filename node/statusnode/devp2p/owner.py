"""Who decides over connections and hears of them: a server, or a client of a single session."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from statusnode.devp2p.events import Ended
from statusnode.devp2p.protocol import DisconnectReason

if TYPE_CHECKING:
    from statusnode.devp2p.connection import Connection


class ConnectionOwner(Protocol):
    """Who decides over connections, and hears of them."""

    def identified(self, connection: Connection) -> DisconnectReason | None:
        """Say why this peer is refused before any Hello, or None to go on."""
        ...

    def introduced(self, connection: Connection) -> DisconnectReason | None:
        """Say why this peer is refused after its Hello, or None to go on."""
        ...

    def opened(self, connection: Connection) -> None:
        """The session is open; its subprotocols start right after this call."""
        ...

    def ended(self, connection: Connection, ending: Ended) -> None:
        """The session, opened or not, is over. Called once, from the event loop."""
        ...

    def detached(self, connection: Connection) -> None:
        """The socket is closed. Called once, after `ended`."""
        ...


@dataclass(slots=True)
class Standing:
    """What the node's operator thinks of a peer; may change while it is connected."""

    static: bool = False
    """We dialed it because it is a static node."""
    trusted: bool = False
    fleet: bool = False
    """It belongs to the same fleet: trusted, and not counted against the peer limit."""
