"""One node: every part of it, put together, started in order and stopped in the reverse.

Nothing of a protocol is decided here. What a part needs of another is handed over at its making;
what it needs of the configuration comes from `settings`. Entering the node starts it, leaving it
stops it; a start that fails takes back what had been started.
"""

from __future__ import annotations

import asyncio
import json
import logging
import time
from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Final, Self

from statusnode.config.changes import changes
from statusnode.config.model import NodeConfig
from statusnode.config.redaction import redacted
from statusnode.crypto.keys import PrivateKey
from statusnode.devp2p.client import DialError, dial
from statusnode.devp2p.server import Server
from statusnode.messages.keystore import KeyStore
from statusnode.messages.mining import Miner
from statusnode.node import settings
from statusnode.node.errors import StartError
from statusnode.node.identity import FolderLock, load_node_key, make_folders
from statusnode.node.logs import level_of
from statusnode.node.peering import Peering
from statusnode.node.readiness import Facts, missing
from statusnode.records.enode import Enode
from statusnode.relay.filters import FilterRegistry
from statusnode.relay.host import RelayHost

if TYPE_CHECKING:
    from statusnode.mailserver.server import MailServer
    from statusnode.metrics.text import Family
    from statusnode.rpc.server import RpcServer

_log: Final = logging.getLogger(__name__)
_SELF_CHECK_SECONDS: Final = 5.0
_SELF_CHECK_PAUSE_SECONDS: Final = 1.0
# What is dialed where every address is listened on.
_DIALED_FOR: Final = {"0.0.0.0": ("127.0.0.1",), "::": ("127.0.0.1", "::1")}  # noqa: S104


@dataclass(frozen=True, slots=True)
class Options:
    """What the command line decides beside the configuration."""

    metrics_port: int | None = None
    """None: no metrics are served."""
    recover: bool = False
    """Move a corrupt archive aside."""


class Node:
    """A running node, from `async with` to its end."""

    def __init__(
        self, config: NodeConfig, options: Options, now: Callable[[], float] = time.time
    ) -> None:
        """Prepare a node; nothing is opened yet."""
        self._started_with = config
        self._config = config
        self._options = options
        self._now = now
        self._stack = AsyncExitStack()
        self._mail: MailServer | None = None
        self._answers_itself = False
        self._was_ready = False
        self._started_at = 0.0

    async def __aenter__(self) -> Self:
        """Start everything.

        Raises:
            StartError: a part cannot start; what had been started is stopped.
        """
        async with AsyncExitStack() as stack:
            await self._start(stack)
            self._stack = stack.pop_all()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Stop everything, the last started first."""
        await self._stack.__aexit__(kind, error, trace)

    async def run(self) -> None:
        """Do what has no end; returns only by cancellation."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._relay.run(), name="relay")
            group.create_task(self._server.wait(), name="devp2p")
            if self._mail is not None:
                group.create_task(self._mail.wait(), name="mailserver")
            group.create_task(self._check_itself(), name="self check")

    def apply(self, config: NodeConfig) -> None:
        """Take up a changed configuration; what needs a restart is named in a warning."""
        live = changes(self._config, config).live
        restart = changes(self._started_with, config).restart
        self._config = config
        if restart:
            _log.warning(
                "Changed keys that take effect only after a restart",
                extra={"keys": ", ".join(restart)},
            )
        if not live:
            return
        logging.getLogger().setLevel(level_of(config.log_level))
        self._live = self._live_settings()
        self._server.reconfigure(max_peers=config.max_peers)
        self._relay.reconfigure(self._live.relay)
        self._peering.apply(self._live.peers)
        if self._mail is not None:
            from statusnode.node.mail import mail_settings

            self._mail.reconfigure(mail_settings(config))
        _log.info("Configuration reloaded", extra={"keys": ", ".join(live)})

    def missing(self) -> list[str]:
        """Return what keeps the node from being ready, in words; nothing when it is."""
        found = missing(
            Facts(
                listening=self._server.listening,
                answers_itself=self._answers_itself,
                archive_open=None if self._mail is None else self._mail.open,
                fleet=[node for node in self._server.static_nodes() if node.fleet],
                seconds_up=asyncio.get_running_loop().time() - self._started_at,
                was_ready=self._was_ready,
            )
        )
        self._was_ready = self._was_ready or not found
        return found

    async def _start(self, stack: AsyncExitStack) -> None:
        config = self._config
        self._started_at = asyncio.get_running_loop().time()
        _log.debug("Configuration", extra={"config": json.dumps(redacted(config))})
        if config.enable_ntp_sync:
            _log.warning(
                "EnableNTPSync has no effect: keep the system's clock right, or peers refuse "
                "envelopes"
            )
        make_folders(config)
        stack.enter_context(FolderLock(config))
        self._key = load_node_key(config)
        self._live = self._live_settings()
        _log.info("Starting peer-to-peer node", extra={"instance": settings.client_name(config)})
        opening = self._open_mailserver(stack)
        self._make_relay(stack)
        self._make_server(stack)
        rpc = self._make_rpc()
        if opening is not None:
            await opening
        await self._listen()
        if rpc is not None:
            await self._start_rpc(stack, rpc)
        if self._options.metrics_port is not None:
            await self._start_metrics(stack, self._options.metrics_port)

    def _open_mailserver(self, stack: AsyncExitStack) -> asyncio.Task[None] | None:
        """Begin to open the archive, in its own process, while this one imports what it needs."""
        if not (self._config.waku.enabled and self._config.waku.enable_mail_server):
            return None
        from statusnode.node.mail import make_mailserver, open_mailserver

        self._mail = make_mailserver(self._config, self._now)
        stack.push_async_callback(self._mail.stop)
        move_aside = self._options.recover
        return asyncio.create_task(
            open_mailserver(self._mail, self._config, move_aside=move_aside), name="archive"
        )

    def _make_relay(self, stack: AsyncExitStack) -> None:
        self._filters = FilterRegistry()
        self._keystore = KeyStore()
        self._miner = Miner()
        stack.push_async_callback(self._miner.close)
        self._relay = RelayHost(self._live.relay, self._now, self._filters, self._mail)

    def _make_server(self, stack: AsyncExitStack) -> None:
        protocols = self._relay.subprotocols() if self._config.waku.enabled else []
        self._server = Server(settings.server_config(self._config), self._key, protocols, self._now)
        self._peering = Peering(self._server)
        self._peering.apply(self._live.peers)
        stack.push_async_callback(self._server.stop)

    async def _listen(self) -> None:
        try:
            await self._server.start()
        except OSError as error:
            raise StartError(f"ListenAddr: {error.strerror or error}") from error

    def _make_rpc(self) -> RpcServer | None:
        config = self._config
        if not (config.ipc_enabled or (config.http_enabled and config.http_host)):
            return None
        from statusnode.node.endpoints import rpc_settings
        from statusnode.rpc.backend import Backend, Messaging
        from statusnode.rpc.server import RpcServer

        messaging = Messaging(self._relay, self._filters, self._keystore, self._miner)
        backend = Backend(
            server=self._server,
            key=self._key,
            data_dir=Path(config.data_dir),
            messaging=messaging if config.waku.enabled else None,
            now=self._now,
            record=lambda: self._live.record,
        )
        return RpcServer(backend, rpc_settings(config))

    async def _start_rpc(self, stack: AsyncExitStack, rpc: RpcServer) -> None:
        from statusnode.node.endpoints import places, rpc_settings

        try:
            await rpc.start()
        except OSError as error:
            where = places(rpc_settings(self._config))
            raise StartError(f"cannot serve JSON-RPC ({where}): {error}") from error
        stack.push_async_callback(rpc.stop)

    async def _start_metrics(self, stack: AsyncExitStack, port: int) -> None:
        from statusnode.metrics.server import MetricsServer, Sources

        fleet = self._config.status_fleet
        host = fleet.metrics_host if fleet else ""
        sources = Sources(self._families, lambda: self._server.listening, self.missing)
        metrics = MetricsServer(host, port, sources)
        try:
            await metrics.start()
        except OSError as error:
            reason = error.strerror or error
            raise StartError(f"-metrics-port: cannot listen on {host}:{port}: {reason}") from error
        stack.push_async_callback(metrics.stop)
        _log.info("Metrics endpoint opened", extra={"address": f"{host}:{metrics.port}"})

    def _families(self) -> list[Family]:
        from statusnode.metrics.mail import mail_families
        from statusnode.metrics.peers import peer_families, traffic_families
        from statusnode.metrics.process import process_families
        from statusnode.metrics.relay import relay_families
        from statusnode.metrics.text import gauge

        mail = self._mail
        return [
            *relay_families(self._relay.counters),
            *(mail_families(mail.counters, mail.archive_name) if mail else ()),
            *traffic_families(self._server.counters),
            *peer_families(self._server.peers(), self._server.max_peers),
            *process_families(),
            gauge("statusd_ready", "1 while the node is ready.", float(not self.missing())),
        ]

    async def _check_itself(self) -> None:
        """Shake hands with ourselves, as a stranger would, until it works once."""
        address = self._server.listen_address
        if address is None:
            return
        host, port = address
        while True:
            for dialed in _DIALED_FOR.get(host, (host,)):
                if await self._answers(Enode(self._key.public_key, dialed, port, 0)):
                    self._answers_itself = True
                    return
            _log.warning("The node does not answer itself", extra={"host": host, "port": port})
            await asyncio.sleep(_SELF_CHECK_PAUSE_SECONDS)

    @staticmethod
    async def _answers(own: Enode) -> bool:
        try:
            session = await dial(own, PrivateKey.generate(), [], _SELF_CHECK_SECONDS)
        except DialError as error:
            # A stranger without a protocol is sent away: with a reason, if all is well.
            return error.reason is not None
        session.abort("the self check is done")
        return True

    def _live_settings(self) -> settings.LiveSettings:
        live = settings.live_settings(self._config, self._key.public_key)
        for problem in live.problems:
            _log.error("Bad entry in the configuration", extra={"err": problem})
        return live
