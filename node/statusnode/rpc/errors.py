"""Errors that a caller gets as an answer (JSON-RPC 2.0, "Error object").

Codes and texts are those of go-ethereum's `rpc` package, which clients of Status know.
"""

from __future__ import annotations

from typing import Final

from statusnode.crypto.keys import KeyFormatError
from statusnode.messages.bloom import BloomError
from statusnode.messages.envelope import EnvelopeError
from statusnode.messages.keystore import UnknownKeyError
from statusnode.messages.mining import MiningError
from statusnode.messages.payload import PayloadError
from statusnode.messages.sealing import SymmetricKeyError
from statusnode.records.enode import EnodeError
from statusnode.records.enr import RecordError
from statusnode.relay.filters import UnknownFilterError
from statusnode.relay.host import NoSuchPeerError
from statusnode.relay.standards import StandardsError


class RpcError(Exception):
    """A call failed; the text goes to the caller."""

    code = -32000


class ParseError(RpcError):
    """What came is not JSON."""

    code = -32700


class InvalidRequestError(RpcError):
    """What came is JSON, but no request."""

    code = -32600


class MethodNotFoundError(RpcError):
    """There is no such method."""

    code = -32601

    def __init__(self, method: str) -> None:
        super().__init__(f"the method {method} does not exist/is not available")


class SubscriptionNotFoundError(RpcError):
    """There is no such kind of subscription."""

    code = -32601

    def __init__(self, name: str, namespace: str) -> None:
        super().__init__(f'no "{name}" subscription in {namespace} namespace')


class InvalidParamsError(RpcError):
    """The parameters do not fit the method."""

    code = -32602


ANSWERED: Final[tuple[type[Exception], ...]] = (
    RpcError,
    # Of the floors below: their text is fit for the caller as it is, and never holds a key.
    BloomError,
    EnodeError,
    EnvelopeError,
    KeyFormatError,
    MiningError,
    NoSuchPeerError,
    PayloadError,
    RecordError,
    StandardsError,
    SymmetricKeyError,
    UnknownFilterError,
    UnknownKeyError,
)
