"""A node that can be asked over RPC: real server, relay and transports, on loopback ports."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from statusnode.crypto.keys import PrivateKey
from statusnode.devp2p.server import Server, ServerConfig
from statusnode.messages.keystore import KeyStore
from statusnode.messages.mining import Miner
from statusnode.relay.filters import FilterRegistry
from statusnode.relay.host import RelayHost
from statusnode.relay.mail import MailHandler
from statusnode.relay.settings import RelaySettings
from statusnode.rpc.backend import Backend, Messaging
from statusnode.rpc.http import HttpSettings
from statusnode.rpc.server import RpcServer, RpcSettings

CLIENT_NAME = "Statusd/v0.68.4/linux-amd64/test"
MODULES = frozenset({"admin", "waku", "wakuext", "web3"})


@dataclass(frozen=True, slots=True)
class RpcNode:
    """The parts that tests look at."""

    backend: Backend
    server: Server
    messaging: Messaging
    rpc: RpcServer
    http_port: int
    ipc_path: Path


@asynccontextmanager
async def rpc_node(
    folder: Path,
    *,
    key: PrivateKey | None = None,
    http: HttpSettings | None = None,
    relay: RelaySettings | None = None,
    now: Callable[[], float] = time.time,
    listen: str = "127.0.0.1:0",
    mail: MailHandler | None = None,
) -> AsyncIterator[RpcNode]:
    """Run a node whose socket and data are in `folder`."""
    key = key or PrivateKey.generate()
    filters, miner = FilterRegistry(), Miner()
    host = RelayHost(relay or RelaySettings(), now, filters, mail)
    server = Server(ServerConfig(CLIENT_NAME, listen), key, host.subprotocols(), now)
    await server.start()
    messaging = Messaging(host, filters, KeyStore(), miner)
    backend = Backend(server, key, folder, messaging, now)
    ipc_path = folder / "geth.ipc"
    settings = RpcSettings(http or HttpSettings("127.0.0.1", 0, MODULES), True, ipc_path)
    rpc = RpcServer(backend, settings)
    await rpc.start()
    assert rpc.http_address is not None
    try:
        yield RpcNode(backend, server, messaging, rpc, rpc.http_address[1], ipc_path)
    finally:
        await rpc.stop()
        await miner.close()
        await server.stop()
