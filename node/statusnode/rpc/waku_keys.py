"""The methods of `waku_…` that deal with keys (status-go, `waku/api.go`).

Keys given and taken are 0x-hex. Deriving keys takes time, so it happens in a thread.
"""

from __future__ import annotations

import asyncio
from typing import Final

from statusnode.crypto.keys import KeyFormatError, PrivateKey
from statusnode.messages.keystore import KeyStore
from statusnode.messages.sealing import derive_symmetric_key
from statusnode.rpc.dispatch import Method
from statusnode.rpc.errors import RpcError
from statusnode.rpc.values import Result, hex_bytes, text, to_hex

_PRIVATE_KEY_SIZE: Final = 32


def key_methods(keys: KeyStore) -> dict[str, Method]:
    """Make the methods."""
    calls = _Keys(keys)
    return {
        "newKeyPair": Method(keys.new_key_pair),
        "addPrivateKey": Method(calls.add_private_key, hex_bytes),
        "deleteKeyPair": Method(calls.delete_key_pair, text),
        "hasKeyPair": Method(keys.has_key_pair, text),
        "getPublicKey": Method(calls.public_key, text),
        "getPrivateKey": Method(calls.private_key, text),
        "newSymKey": Method(keys.new_symmetric_key),
        "addSymKey": Method(calls.add_symmetric_key, hex_bytes),
        "generateSymKeyFromPassword": Method(calls.derive_symmetric_key, text),
        "hasSymKey": Method(keys.has_symmetric_key, text),
        "getSymKey": Method(calls.symmetric_key, text),
        "deleteSymKey": Method(keys.delete_symmetric_key, text),
    }


class _Keys:
    def __init__(self, keys: KeyStore) -> None:
        self._keys = keys

    def add_private_key(self, data: bytes) -> Result:
        if len(data) != _PRIVATE_KEY_SIZE:
            raise RpcError(f"invalid length, need {8 * _PRIVATE_KEY_SIZE} bits")
        try:
            return self._keys.add_key_pair(PrivateKey(data))
        except KeyFormatError as error:
            what = ">=N" if any(data) else "zero or negative"
            raise RpcError(f"invalid private key, {what}") from error

    def delete_key_pair(self, key_id: str) -> Result:
        if not self._keys.delete_key_pair(key_id):
            raise RpcError(f"key pair {key_id} not found")
        return True

    def public_key(self, key_id: str) -> Result:
        return to_hex(self._keys.key_pair(key_id).public_key.uncompressed)

    def private_key(self, key_id: str) -> Result:
        return to_hex(self._keys.key_pair(key_id).data)

    def add_symmetric_key(self, data: bytes) -> Result:
        try:
            return self._keys.add_symmetric_key(data)
        except ValueError as error:
            raise RpcError(str(error)) from error

    async def derive_symmetric_key(self, password: str) -> Result:
        key = await asyncio.to_thread(derive_symmetric_key, password)
        return self._keys.add_symmetric_key(key)

    def symmetric_key(self, key_id: str) -> Result:
        return to_hex(self._keys.symmetric_key(key_id))
