"""The messages of the devp2p base protocol: Hello, Disconnect, Ping, Pong.

Reading is as lenient as EIP-8 asks (any version, further items) and as strict as Go's decoder where
it is strict. Source: RLPx, "p2p Capability".
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Final

from statusnode.codec import rlp
from statusnode.crypto.keys import PUBLIC_KEY_SIZE
from statusnode.devp2p.protocol import Capability, DisconnectReason

P2P_VERSION: Final = 5
SNAPPY_VERSION: Final = 5
"""A peer whose Hello has this version or a later one compresses every message after it."""
BASE_LENGTH: Final = 16
"""Codes that the base protocol reserves; capabilities begin behind them."""
MAX_HELLO_SIZE: Final = 2048
EMPTY: Final = b"\xc0"
"""Payload of Ping and Pong: an empty list."""


class BaseCode(IntEnum):
    """Codes of the base protocol; 4 to 15 mean nothing and are ignored."""

    HELLO = 0
    DISCONNECT = 1
    PING = 2
    PONG = 3


class MessageError(Exception):
    """A Hello that cannot be read; the connection just closes."""


class IdentityError(Exception):
    """A Hello without an identity; answered with `DisconnectReason.INVALID_IDENTITY`."""


@dataclass(frozen=True, slots=True)
class Hello:
    """What a node says of itself. A status node never tells its port: it is always 0."""

    version: int
    client_name: str
    capabilities: tuple[Capability, ...]
    listen_port: int
    public_key: bytes

    def serialize(self) -> bytes:
        """Return the payload of a Hello."""
        return rlp.encode(
            [
                self.version,
                self.client_name,
                [[capability.name, capability.version] for capability in self.capabilities],
                self.listen_port,
                self.public_key,
            ]
        )

    @classmethod
    def parse(cls, payload: bytes) -> Hello:
        """Read a Hello; items behind the fifth are ignored.

        Raises:
            MessageError: it is too large or not of the right shape.
            IdentityError: its public key has not 64 bytes, or is all zero.
        """
        if len(payload) > MAX_HELLO_SIZE:
            raise MessageError(f"a Hello of {len(payload)} bytes, where {MAX_HELLO_SIZE} are most")
        try:
            items = rlp.decode_list(payload)
            if len(items) < 5:
                raise MessageError(f"a Hello of {len(items)} items, where 5 are the least")
            hello = cls(
                rlp.as_uint(items[0]),
                rlp.as_bytes(items[1]).decode("utf-8", "replace"),
                tuple(_capability(item) for item in rlp.as_list(items[2])),
                rlp.as_uint(items[3]),
                rlp.as_bytes(items[4]),
            )
        except rlp.RLPError as error:
            raise MessageError(f"the Hello: {error}") from error
        if len(hello.public_key) != PUBLIC_KEY_SIZE or not any(hello.public_key):
            raise IdentityError(f"a Hello with an identity of {len(hello.public_key)} bytes")
        return hello


def _capability(item: rlp.Decoded) -> Capability:
    fields = rlp.as_list(item)
    if len(fields) != 2:
        raise rlp.RLPError(f"a capability has a name and a version, not {len(fields)} items")
    return Capability(rlp.as_bytes(fields[0]).decode("utf-8", "replace"), rlp.as_uint(fields[1]))


def serialize_disconnect(reason: DisconnectReason) -> bytes:
    """Return the payload of a Disconnect."""
    return rlp.encode([int(reason)])


def parse_disconnect(payload: bytes) -> int:
    """Read the reason, which may be a number that no specification knows.

    Whatever is not a list with a number in front counts as 0, a bare integer too: the session
    ends in any case, so there is nobody left to complain to.
    """
    try:
        items: Sequence[rlp.Decoded] = rlp.decode_list(payload)
        return rlp.as_uint(items[0]) if items else int(DisconnectReason.REQUESTED)
    except rlp.RLPError:
        return int(DisconnectReason.REQUESTED)


def describe_reason(reason: int) -> str:
    """Say a reason in words, as a log line or a peer event shows it."""
    known = known_reason(reason)
    return f"unknown disconnect reason {reason}" if known is None else _TEXTS[known]


_TEXTS: Final = {
    DisconnectReason.REQUESTED: "disconnect requested",
    DisconnectReason.NETWORK_ERROR: "network error",
    DisconnectReason.PROTOCOL_BREACH: "breach of protocol",
    DisconnectReason.USELESS_PEER: "useless peer",
    DisconnectReason.TOO_MANY_PEERS: "too many peers",
    DisconnectReason.ALREADY_CONNECTED: "already connected",
    DisconnectReason.INCOMPATIBLE_VERSION: "incompatible p2p protocol version",
    DisconnectReason.INVALID_IDENTITY: "invalid node identity",
    DisconnectReason.QUITTING: "client quitting",
    DisconnectReason.UNEXPECTED_IDENTITY: "unexpected identity",
    DisconnectReason.SELF: "connected to self",
    DisconnectReason.READ_TIMEOUT: "read timeout",
    DisconnectReason.SUBPROTOCOL_ERROR: "subprotocol error",
}
_KNOWN: Final = frozenset(map(int, DisconnectReason))


def known_reason(reason: int | None) -> DisconnectReason | None:
    """Return a reason as what it is, or None where it is none that the specification knows."""
    return DisconnectReason(reason) if reason in _KNOWN else None
