"""What a subprotocol holds of a session: the session, seen from its own block of codes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from statusnode.crypto.keys import PublicKey
from statusnode.devp2p.capabilities import Channel
from statusnode.devp2p.protocol import DisconnectReason

if TYPE_CHECKING:
    from statusnode.devp2p.connection import Connection


class PeerLink:
    """`protocol.PeerConnection`, on a real connection."""

    __slots__ = ("_channel", "_connection")

    def __init__(self, connection: Connection, channel: Channel) -> None:
        self._connection = connection
        self._channel = channel

    @property
    def public_key(self) -> PublicKey:
        """The peer's identity."""
        return self._connection.public_key

    @property
    def client_name(self) -> str:
        """What the peer calls itself."""
        hello = self._connection.session.hello
        return "" if hello is None else hello.client_name

    @property
    def remote_address(self) -> tuple[str, int]:
        """The peer's end of the TCP connection."""
        return self._connection.remote_address

    @property
    def inbound(self) -> bool:
        """Whether the peer dialed us."""
        return self._connection.inbound

    @property
    def trusted(self) -> bool:
        """Whether the node's operator trusts this peer at the devp2p level."""
        standing = self._connection.standing
        return standing.trusted or standing.fleet

    @property
    def compresses(self) -> bool:
        """Whether the session uses snappy."""
        return self._connection.session.compresses

    @property
    def write_backlog(self) -> int:
        """Bytes handed to `send` that the kernel has not taken yet."""
        return self._connection.write_backlog

    def send(self, code: int, payload: bytes, compressed: bytes | None = None) -> None:
        """Write one packet; see `protocol.PeerConnection.send`."""
        self._connection.send(self._channel, code, payload, compressed)

    def disconnect(self, reason: DisconnectReason) -> None:
        """End the session; the reason is sent if the peer still reads."""
        self._connection.disconnect(reason)

    def pause_reading(self) -> None:
        """Hand over no further packets until `resume_reading`."""
        self._connection.pause_reading()

    def resume_reading(self) -> None:
        """Hand over packets again."""
        self._connection.resume_reading()
