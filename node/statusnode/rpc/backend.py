"""What the namespaces work on: the parts of a running node, handed over once."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from statusnode.crypto.keys import PrivateKey
from statusnode.devp2p.server import Server
from statusnode.messages.keystore import KeyStore
from statusnode.messages.mining import Miner
from statusnode.records.enr import Record
from statusnode.relay.filters import FilterRegistry
from statusnode.relay.host import RelayHost


@dataclass(frozen=True, slots=True)
class Messaging:
    """What a node that runs Waku has more than others."""

    relay: RelayHost
    filters: FilterRegistry
    keys: KeyStore
    miner: Miner


@dataclass(frozen=True, slots=True)
class Backend:
    """The parts of one node."""

    server: Server
    key: PrivateKey = field(repr=False)
    """The node's own; signs mail requests and the node's record."""
    data_dir: Path
    messaging: Messaging | None
    """None: Waku is off, and so are its namespaces."""
    now: Callable[[], float]
    """Unix seconds."""
    record: Callable[[], Record | None] = lambda: None
    """The record that the operator signed for the node; None: the node makes one to show."""
