"""What a server tells about its peers: values to show, to count and to export."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import Enum

from statusnode.crypto.keys import PublicKey
from statusnode.devp2p.connection import Connection
from statusnode.devp2p.protocol import Capability, DisconnectReason
from statusnode.records.enode import Enode


@dataclass(frozen=True, slots=True)
class PeerInfo:
    """One connected peer."""

    enode: Enode
    """The peer's address: as we dialed it, else the far end of its connection."""
    client_name: str
    capabilities: tuple[Capability, ...]
    """Everything that it announced."""
    running: tuple[Capability, ...]
    """What runs on this session."""
    local_address: tuple[str, int]
    remote_address: tuple[str, int]
    inbound: bool
    trusted: bool
    static: bool
    fleet: bool
    connected_at: float
    """Unix seconds."""

    @property
    def public_key(self) -> PublicKey:
        """The peer's identity."""
        return self.enode.public_key

    @property
    def node_id(self) -> bytes:
        """keccak256 of the identity, 32 bytes."""
        return self.enode.node_id


def peer_info(connection: Connection, dialed: Enode | None, connected_at: float) -> PeerInfo:
    """Return what is known of a peer: where we dialed it, if we did, and since when (Unix time)."""
    hello = connection.session.hello
    host, port = connection.remote_address
    if dialed is None:
        enode = Enode(connection.public_key, host, port, port)
    else:
        enode = replace(dialed, host=host)
    standing = connection.standing
    return PeerInfo(
        enode,
        "" if hello is None else hello.client_name,
        () if hello is None else hello.capabilities,
        tuple(channel.capability for channel in connection.session.channels),
        connection.local_address,
        connection.remote_address,
        connection.inbound,
        standing.trusted or standing.fleet,
        standing.static,
        standing.fleet,
        connected_at,
    )


@dataclass(frozen=True, slots=True)
class StaticNodeInfo:
    """One node that the server keeps dialing."""

    enode: Enode
    fleet: bool
    connected: bool
    """Whether there is a session with it, whoever dialed."""
    attempts: int
    """Dials that have ended, one way or another."""
    refusal: DisconnectReason | None
    """The reason with which it refused the last dial; it is there, then, but will not have us."""
    error: str
    """Why the last dial failed, in words; "" if it did not."""


class PeerEventKind(Enum):
    """What happened to a peer."""

    ADD = "add"
    DROP = "drop"


@dataclass(frozen=True, slots=True)
class PeerEvent:
    """A peer came or went."""

    kind: PeerEventKind
    peer: PeerInfo
    error: str = ""
    """Why it went."""
