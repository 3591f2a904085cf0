"""The seam between devp2p and the protocols above it.

devp2p carries packets of capabilities; what they mean is the business of a `Subprotocol`. Calls go
down and up synchronously in the event loop: a packet is handed over the moment its frame is
whole, so the relay path has no queue between the socket and the pool.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import Protocol

from statusnode.crypto.keys import PublicKey


@dataclass(frozen=True, slots=True, order=True)
class Capability:
    """A protocol name and version, as a Hello lists them."""

    name: str
    version: int

    def __str__(self) -> str:
        return f"{self.name}/{self.version}"


class DisconnectReason(IntEnum):
    """Why a session ends (RLPx, "Disconnect")."""

    REQUESTED = 0
    NETWORK_ERROR = 1
    PROTOCOL_BREACH = 2
    USELESS_PEER = 3
    TOO_MANY_PEERS = 4
    ALREADY_CONNECTED = 5
    INCOMPATIBLE_VERSION = 6
    INVALID_IDENTITY = 7
    QUITTING = 8
    UNEXPECTED_IDENTITY = 9
    SELF = 10
    READ_TIMEOUT = 11
    SUBPROTOCOL_ERROR = 16


class SubprotocolError(Exception):
    """Raised by a packet handler: the session ends with `DisconnectReason.SUBPROTOCOL_ERROR`."""


class PeerConnection(Protocol):
    """What a subprotocol sees of one session."""

    @property
    def public_key(self) -> PublicKey: ...

    @property
    def client_name(self) -> str: ...

    @property
    def remote_address(self) -> tuple[str, int]: ...

    @property
    def inbound(self) -> bool: ...

    @property
    def trusted(self) -> bool:
        """Whether the node's operator trusts this peer at the devp2p level."""
        ...

    @property
    def compresses(self) -> bool:
        """Whether the session uses snappy."""
        ...

    @property
    def write_backlog(self) -> int:
        """Bytes handed to `send` that the kernel has not taken yet."""
        ...

    def send(self, code: int, payload: bytes, compressed: bytes | None = None) -> None:
        """Write one packet; `code` counts from the start of the capability.

        `compressed` may hold the snappy form of `payload`, so that one compression serves many
        peers; it is ignored where the session does not compress. Never blocks: a subprotocol
        watches `write_backlog` and the pause calls; one that does not loses the peer at a hard
        limit. Writing to a session that has ended is silently nothing.
        """
        ...

    def disconnect(self, reason: DisconnectReason) -> None:
        """End the session; the reason is sent if the peer still reads.

        No packet is handed over after this call; `connection_lost` follows from the event loop,
        never from within.
        """
        ...

    def pause_reading(self) -> None:
        """Hand over no further packets until `resume_reading`."""
        ...

    def resume_reading(self) -> None: ...


class PacketHandler(Protocol):
    """A subprotocol's side of one session."""

    def packet_received(self, code: int, payload: bytes) -> None:
        """Take one packet; `payload` is its decompressed RLP.

        Raises:
            SubprotocolError: the session must end. Any other error ends it too, without a reason,
                and is reported to the event loop as the fault that it is.
        """
        ...

    def writing_paused(self) -> None:
        """The peer reads too slowly: send nothing more until `writing_resumed`."""
        ...

    def writing_resumed(self) -> None: ...

    def connection_lost(self, reason: DisconnectReason | None) -> None:
        """The session has ended; called exactly once, from the event loop, nothing follows.

        The reason is None where the socket just closed, or where the peer gave one that no
        specification knows.
        """
        ...


class Subprotocol(Protocol):
    """One version of one capability that a node offers."""

    @property
    def capability(self) -> Capability: ...

    @property
    def length(self) -> int:
        """How many packet codes it reserves."""
        ...

    def peer_connected(self, peer: PeerConnection) -> PacketHandler:
        """Start this subprotocol on a session that has shaken hands; may send at once."""
        ...
