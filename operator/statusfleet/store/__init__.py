"""What a fleet must remember: identities, sequence numbers, the published tree."""

from typing import Protocol

from statusfleet.store.errors import (
    ConflictError,
    CorruptKeyError,
    CorruptStateError,
    FolderError,
    FolderInUseError,
    LostKeyError,
    NewerVersionError,
    SequenceError,
    StoreError,
)
from statusfleet.store.folder import FolderReader, FolderStore
from statusfleet.store.state import Leave, RootTtl, State, TreeState, Underway
from statusnode.crypto.keys import PrivateKey


class Store(Protocol):
    """What `reconcile` needs of a memory, wherever it is kept.

    A memory in a cluster lets the API's own errors (`KubeError`) through besides those named.
    """

    async def read(self) -> State:
        """Return the remembered state; raises StoreError."""
        ...

    async def write(self, wish: State) -> State:
        """Remember `wish` by compare-and-swap on its revision; raises StoreError."""
        ...

    async def ensure_member_key(self, member: str) -> PrivateKey:
        """Return a member's key, made now if it has none; raises StoreError."""
        ...

    async def ensure_tree_key(self) -> PrivateKey:
        """Return the key that signs the tree, made now if there is none; raises StoreError."""
        ...

    async def ensure_canary_key(self) -> PrivateKey:
        """Return the canary's key, made now if there is none; raises StoreError."""
        ...


__all__ = [
    "ConflictError",
    "CorruptKeyError",
    "CorruptStateError",
    "FolderError",
    "FolderInUseError",
    "FolderReader",
    "FolderStore",
    "Leave",
    "LostKeyError",
    "NewerVersionError",
    "RootTtl",
    "SequenceError",
    "State",
    "Store",
    "StoreError",
    "TreeState",
    "Underway",
]
