"""`web3_…`: who the node is, and a hash."""

from __future__ import annotations

from statusnode.crypto.keccak import keccak256
from statusnode.rpc.backend import Backend
from statusnode.rpc.dispatch import Method, Namespace
from statusnode.rpc.values import Result, hex_bytes, to_hex


def web3(backend: Backend) -> Namespace:
    """Make the namespace."""
    return Namespace(
        "web3",
        {
            "clientVersion": Method(lambda: backend.server.client_name),
            "sha3": Method(_sha3, hex_bytes),
        },
    )


def _sha3(data: bytes) -> Result:
    return to_hex(keccak256(data))
