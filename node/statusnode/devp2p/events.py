"""What a session tells its owner, in the order in which it happened."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple, TypeAlias

from statusnode.crypto.keys import PublicKey
from statusnode.devp2p.capabilities import Channel
from statusnode.devp2p.messages import Hello


@dataclass(frozen=True, slots=True)
class Identified:
    """The encryption handshake is done. The session waits: `greet` it or `disconnect` it."""

    public_key: PublicKey


@dataclass(frozen=True, slots=True)
class Introduced:
    """Both Hellos are exchanged. The session waits: `open` it or `disconnect` it."""

    hello: Hello
    channels: tuple[Channel, ...]


class Packet(NamedTuple):
    """A packet of a capability. A tuple, because there is one for every frame."""

    channel: int
    """Index into the session's channels."""
    code: int
    """Counted from the start of the capability."""
    payload: bytes


@dataclass(frozen=True, slots=True)
class Ended:
    """The session is over; nothing follows."""

    reason: int | None
    """What a Disconnect said, which may be no known reason; None where the socket just closes."""
    by_peer: bool
    detail: str
    """The cause in words."""


Event: TypeAlias = Identified | Introduced | Packet | Ended
