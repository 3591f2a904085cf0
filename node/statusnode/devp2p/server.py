"""A node's devp2p server: it listens, dials, decides who may stay, and tells who is there.

Everything runs in one event loop and its calls are not for threads. Time comes from the loop, but
for the unix time shown to people. Sources: RLPx; go-ethereum `p2p/server.go` and `p2p/dial.go`, as
status-go 0.68 runs them (no dynamic dials: outbound sessions come from static nodes alone).
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from statusnode.crypto.keys import PrivateKey, PublicKey
from statusnode.devp2p.admission import outbound_wins, refusal
from statusnode.devp2p.capabilities import Offer
from statusnode.devp2p.connection import Connection
from statusnode.devp2p.counters import Counters
from statusnode.devp2p.dialer import Dialer
from statusnode.devp2p.events import Ended
from statusnode.devp2p.info import PeerEvent, PeerEventKind, PeerInfo, StaticNodeInfo, peer_info
from statusnode.devp2p.limits import Limits
from statusnode.devp2p.listener import DEFAULT_PENDING, Listener, PendingSlots, open_socket
from statusnode.devp2p.owner import Standing
from statusnode.devp2p.protocol import DisconnectReason, Subprotocol
from statusnode.devp2p.session import Session
from statusnode.records.enode import Enode

_log: Final = logging.getLogger(__name__)
_FALLBACK_HOST: Final = "127.0.0.1"


@dataclass(frozen=True, slots=True)
class ServerConfig:
    """What an operator chooses."""

    client_name: str
    listen_address: str = ""
    """HOST:PORT; an empty host is every address, port 0 any free one, "" no listening at all."""
    max_peers: int = 25
    """Static dials, trusted nodes and peers of the fleet are let in above it."""
    max_pending_peers: int = 0
    """Inbound handshakes at once; 0 means 50."""
    limits: Limits = field(default_factory=Limits)


@dataclass(slots=True)
class _Peer:
    """What the server remembers of a connection."""

    dialed: Enode | None
    connected_at: float = 0.0


class Server:
    """All sessions of one node."""

    def __init__(
        self,
        config: ServerConfig,
        key: PrivateKey,
        subprotocols: Sequence[Subprotocol],
        now: Callable[[], float] = time.time,
    ) -> None:
        self.counters: Final = Counters()
        self._config = config
        self._key = key
        self._now = now
        self._subprotocols = {protocol.capability: protocol for protocol in subprotocols}
        self._offers = [Offer(protocol.capability, protocol.length) for protocol in subprotocols]
        self._own_id = key.public_key.node_id
        self._dialer = Dialer(self, config.limits)
        self._slots = PendingSlots(
            config.max_pending_peers or DEFAULT_PENDING, config.limits, self.counters
        )
        self._listener: Listener | None = None
        self._address: tuple[str, int] | None = None
        self._connections: dict[Connection, _Peer] = {}
        self._identified: dict[bytes, list[Connection]] = {}
        self._peers: dict[bytes, Connection] = {}
        self._trusted: set[bytes] = set()
        self._fleet: set[bytes] = set()
        self._subscribers: list[Callable[[PeerEvent], None]] = []
        self._runner: asyncio.Task[None] | None = None
        self._stopping = False
        self._empty = asyncio.Event()
        self._empty.set()

    # Life.

    async def start(self) -> None:
        """Listen and begin to dial.

        Raises:
            OSError: the address cannot be listened on; the message names it.
        """
        if self._runner is not None:
            raise RuntimeError("a server starts once")
        if self._config.listen_address:
            self._listener = Listener(
                open_socket(self._config.listen_address),
                self._slots,
                lambda: self._make(None, Standing()),
                self._config.limits,
                self.counters,
            )
            self._address = self._listener.address
        self._runner = asyncio.create_task(self._run(), name="devp2p server")
        _log.info("Started P2P networking", extra={"self": str(self.self_enode)})

    async def wait(self) -> None:
        """Wait until the server has stopped; an error that ended it is raised here."""
        if self._runner is not None:
            await asyncio.wait({self._runner})
            if not self._runner.cancelled():
                self._runner.result()

    async def stop(self) -> None:
        """Disconnect every peer with reason 8 and close everything; takes about a second at most.

        Ends quietly where the server never started.
        """
        self._stopping = True
        if self._runner is not None:
            self._runner.cancel()
            await asyncio.wait({self._runner})
            if not self._runner.cancelled() and (error := self._runner.exception()) is not None:
                _log.error("The P2P server had failed", extra={"err": repr(error)})
        if self._listener is not None:
            self._listener.close()
            self._listener = None
        for connection in list(self._connections):
            if connection.is_open:
                connection.disconnect(DisconnectReason.QUITTING)
            elif connection.ending is None:
                connection.abort("server stopped")
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(2 * self._config.limits.disconnect_seconds):
                await self._empty.wait()
        for connection in list(self._connections):
            connection.abort("server stopped")

    async def _run(self) -> None:
        async with asyncio.TaskGroup() as group:
            if self._listener is not None:
                group.create_task(self._listener.run(), name="devp2p listener")
            group.create_task(self._dialer.run(), name="devp2p dialer")

    # What others may ask and do.

    @property
    def listening(self) -> bool:
        """Whether peers can dial us."""
        running = self._runner is not None and not self._runner.done()
        return running and self._listener is not None

    @property
    def listen_address(self) -> tuple[str, int] | None:
        """The address that is listened on, its port resolved; None without one."""
        return self._address

    @property
    def client_name(self) -> str:
        """What we call ourselves."""
        return self._config.client_name

    @property
    def self_enode(self) -> Enode:
        """Our enode with a loopback address, as nodes show it that know no better."""
        port = 0 if self._address is None else self._address[1]
        return Enode(self._key.public_key, _FALLBACK_HOST, port, 0)

    @property
    def max_peers(self) -> int:
        """The peer limit."""
        return self._config.max_peers

    def reconfigure(self, *, max_peers: int) -> None:
        """Change the peer limit; sessions above a lower one stay."""
        self._config = replace(self._config, max_peers=max_peers)

    def add_static(self, enode: Enode, *, fleet: bool = False) -> None:
        """Keep a session with this node; a fleet peer is also trusted, and redialed quickly."""
        if enode.node_id == self._own_id:
            _log.warning("A static node is this node itself", extra={"enode": enode})
            return
        self._dialer.add(enode, fleet=fleet)
        (self._fleet.add if fleet else self._fleet.discard)(enode.node_id)
        self._update_standing(enode.node_id)

    def remove_static(self, enode: Enode) -> None:
        """Dial this node no more, and end the session with it, whoever began it."""
        self._dialer.remove(enode.node_id)
        self._fleet.discard(enode.node_id)
        self.disconnect(enode.node_id, DisconnectReason.REQUESTED)

    def static_nodes(self) -> list[StaticNodeInfo]:
        """Return how it stands with each static node."""
        return self._dialer.nodes()

    def add_trusted(self, enode: Enode) -> None:
        """Let this node in above the peer limit."""
        self._trusted.add(enode.node_id)
        self._update_standing(enode.node_id)

    def remove_trusted(self, enode: Enode) -> None:
        """Trust this node no more; its session stays."""
        self._trusted.discard(enode.node_id)
        self._update_standing(enode.node_id)

    def disconnect(self, node_id: bytes, reason: DisconnectReason) -> bool:
        """End the session with a node; tell whether there was one."""
        connection = self._peers.get(node_id)
        if connection is None:
            return False
        connection.disconnect(reason)
        return True

    def peers(self) -> list[PeerInfo]:
        """Return all peers, in order of their ids."""
        return [self._info(self._peers[node_id]) for node_id in sorted(self._peers)]

    @property
    def peer_count(self) -> int:
        """How many peers are connected."""
        return len(self._peers)

    def subscribe(self, callback: Callable[[PeerEvent], None]) -> Callable[[], None]:
        """Call `callback` with each peer event, in the loop; returns how to stop that."""
        self._subscribers.append(callback)

        def unsubscribe() -> None:
            with contextlib.suppress(ValueError):
                self._subscribers.remove(callback)

        return unsubscribe

    # What the dialer asks.

    def peer(self, node_id: bytes) -> Connection | None:
        """Return the open session with a node."""
        return self._peers.get(node_id)

    async def connect(self, enode: Enode, standing: Standing) -> Connection:
        """Dial a node over TCP; the session begins by itself.

        Raises:
            OSError: there is no connection.
        """
        loop = asyncio.get_running_loop()
        standing.trusted = enode.node_id in self._trusted
        connection = self._make(enode, standing)
        try:
            async with asyncio.timeout(self._config.limits.dial_seconds):
                await loop.create_connection(lambda: connection, enode.host, enode.tcp)
        except (OSError, UnicodeError, asyncio.CancelledError) as error:
            if connection.attached:
                connection.abort("the dial took too long")
            else:
                self.detached(connection)
            if not isinstance(error, asyncio.CancelledError):
                self.counters.failed_dials += 1
            raise
        self.counters.dials += 1
        return connection

    def _make(self, enode: Enode | None, standing: Standing) -> Connection:
        remote_key: PublicKey | None = None if enode is None else enode.public_key
        connection = Connection(
            Session(self._key, self._config.client_name, self._offers, remote_key=remote_key),
            self._subprotocols,
            self,
            inbound=enode is None,
            limits=self._config.limits,
            counters=self.counters,
            standing=standing,
        )
        self._connections[connection] = _Peer(enode)
        self._empty.clear()
        return connection

    # What connections ask and tell.

    def identified(self, connection: Connection) -> DisconnectReason | None:
        """Decide before any Hello."""
        node_id = connection.public_key.node_id
        if connection.inbound:
            self._set_standing(connection, node_id)
        reason = self._refusal(connection, node_id)
        if reason is not None:
            return reason
        keeps_outbound = outbound_wins(self._own_id, node_id)
        rivals = self._identified.setdefault(node_id, [])
        for rival in rivals:
            if rival.inbound != connection.inbound and rival.ending is None:
                if connection.inbound == keeps_outbound:
                    return DisconnectReason.ALREADY_CONNECTED
                rival.disconnect(DisconnectReason.ALREADY_CONNECTED)
        rivals.append(connection)
        return None

    def introduced(self, connection: Connection) -> DisconnectReason | None:
        """Decide again: others may have come in the meantime."""
        return self._refusal(connection, connection.public_key.node_id)

    def opened(self, connection: Connection) -> None:
        """Welcome a peer."""
        node_id = connection.public_key.node_id
        self._forget_identified(connection, node_id)
        self._slots.release(connection)
        self._peers[node_id] = connection
        self._connections[connection].connected_at = self._now()
        _log.debug("Adding p2p peer", extra=self._facts(connection))
        self._tell(PeerEvent(PeerEventKind.ADD, self._info(connection)))

    def ended(self, connection: Connection, ending: Ended) -> None:
        """Forget a peer, or one that never was one."""
        node_id = None
        if connection.session.public_key is not None:
            node_id = connection.session.public_key.node_id
            self._forget_identified(connection, node_id)
        if node_id is None or self._peers.get(node_id) is not connection:
            self.counters.failed_handshakes += 1
            _log.debug("Rejected peer", extra=self._facts(connection, err=ending.detail))
            return
        info = self._info(connection)
        del self._peers[node_id]
        _log.debug(
            "Removing p2p peer",
            extra=self._facts(connection, req=ending.by_peer, err=ending.detail),
        )
        self._tell(PeerEvent(PeerEventKind.DROP, info, ending.detail))

    def detached(self, connection: Connection) -> None:
        """Forget a connection altogether."""
        self._slots.release(connection)
        self._connections.pop(connection, None)
        if not self._connections:
            self._empty.set()

    # Inside.

    def _refusal(self, connection: Connection, node_id: bytes) -> DisconnectReason | None:
        if self._stopping:
            return DisconnectReason.QUITTING
        standing = connection.standing
        return refusal(
            node_id,
            own_id=self._own_id,
            connected=self._peers,
            counted=len(self._peers) - sum(1 for peer in self._fleet if peer in self._peers),
            max_peers=self._config.max_peers,
            exempt=standing.static or standing.trusted or standing.fleet,
        )

    def _forget_identified(self, connection: Connection, node_id: bytes) -> None:
        rivals = self._identified.get(node_id)
        if rivals is not None and connection in rivals:
            rivals.remove(connection)
        if not rivals:
            self._identified.pop(node_id, None)

    def _update_standing(self, node_id: bytes) -> None:
        connection = self._peers.get(node_id)
        if connection is not None:
            self._set_standing(connection, node_id)

    def _set_standing(self, connection: Connection, node_id: bytes) -> None:
        connection.standing.trusted = node_id in self._trusted
        connection.standing.fleet = node_id in self._fleet

    def _info(self, connection: Connection) -> PeerInfo:
        peer = self._connections[connection]
        return peer_info(connection, peer.dialed, peer.connected_at)

    def _facts(self, connection: Connection, **more: object) -> dict[str, object]:
        host, port = connection.remote_address
        return {"addr": f"{host}:{port}", "peers": len(self._peers), **more}

    def _tell(self, event: PeerEvent) -> None:
        for callback in list(self._subscribers):
            callback(event)
