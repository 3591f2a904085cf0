"""`admin_…`: the node itself, its peers, and the ports it serves JSON-RPC on.

Fleet peers of the configuration stay what they are when somebody adds them by hand.
"""

from __future__ import annotations

from typing import Protocol

from statusnode.devp2p.info import PeerEvent, PeerInfo
from statusnode.devp2p.protocol import DisconnectReason
from statusnode.records.enode import Enode, EnodeError
from statusnode.records.enr import Record, RecordError
from statusnode.rpc.backend import Backend
from statusnode.rpc.dispatch import Cancel, Method, Namespace, Notify, Subscribable
from statusnode.rpc.errors import RpcError
from statusnode.rpc.nodes import host_and_port, parse_enode, parse_node
from statusnode.rpc.values import Result, integer, text

_RECORD_SEQ = 1  # the record is shown, never published: its number says nothing


class Endpoints(Protocol):
    """The ports that can be opened and closed at run time. All raise RpcError for a caller."""

    async def start_http(
        self,
        host: str | None,
        port: int | None,
        cors: str | None,
        modules: str | None,
        virtual_hosts: str | None,
    ) -> None: ...

    async def stop_http(self) -> None: ...

    async def start_websocket(
        self, host: str | None, port: int | None, origins: str | None, modules: str | None
    ) -> None: ...

    async def stop_websocket(self) -> None: ...


def admin(backend: Backend, endpoints: Endpoints) -> Namespace:
    """Make the namespace."""
    calls = _Admin(backend, endpoints)
    return Namespace(
        "admin",
        {
            "nodeInfo": Method(calls.node_info),
            "peers": Method(calls.peers),
            "datadir": Method(lambda: str(backend.data_dir)),
            "addPeer": Method(calls.add_peer, text),
            "removePeer": Method(calls.remove_peer, text),
            "addTrustedPeer": Method(calls.add_trusted_peer, text),
            "removeTrustedPeer": Method(calls.remove_trusted_peer, text),
            "deletePeer": Method(calls.delete_peer, text),
            "startRPC": Method(calls.start_rpc, text, integer, text, text, text, required=0),
            "stopRPC": Method(calls.stop_rpc),
            "startWS": Method(calls.start_ws, text, integer, text, text, required=0),
            "stopWS": Method(calls.stop_ws),
        },
        {"peerEvents": Subscribable(calls.peer_events)},
    )


class _Admin:
    def __init__(self, backend: Backend, endpoints: Endpoints) -> None:
        self._backend = backend
        self._server = backend.server
        self._endpoints = endpoints

    def node_info(self) -> Result:
        enode = self._server.self_enode
        record = self._backend.record() or Record.sign(
            self._backend.key, _RECORD_SEQ, ip=enode.host, tcp=enode.tcp or None, udp=None
        )
        address = self._server.listen_address
        protocols: dict[str, Result] = {}
        if self._backend.messaging is not None:
            relay = self._backend.messaging.relay.info()
            protocols["waku"] = {
                "maxMessageSize": relay.max_message_size,
                "minimumPoW": relay.min_pow,
                "version": "0",
            }
        return {
            "id": enode.node_id.hex(),
            "name": self._server.client_name,
            "enode": str(enode),
            "enr": str(record),
            "ip": enode.host,
            "ports": {"discovery": enode.udp, "listener": enode.tcp},
            "listenAddr": host_and_port(address) if address else "",
            "protocols": protocols,
        }

    def peers(self) -> Result:
        return [_peer(info) for info in self._server.peers()]

    def add_peer(self, url: str) -> Result:
        enode = _node(url)
        fleet = any(
            node.fleet and node.enode.node_id == enode.node_id
            for node in self._server.static_nodes()
        )
        if not fleet:
            self._server.add_static(enode)
        return True

    def remove_peer(self, url: str) -> Result:
        self._server.remove_static(_node(url))
        return True

    def add_trusted_peer(self, url: str) -> Result:
        self._server.add_trusted(_node(url))
        return True

    def remove_trusted_peer(self, url: str) -> Result:
        self._server.remove_trusted(_node(url))
        return True

    def delete_peer(self, url: str) -> Result:
        try:
            node_id = parse_enode(url).node_id
        except EnodeError as error:
            raise RpcError(f"invalid enode: {error}") from error
        if not self._server.disconnect(node_id, DisconnectReason.REQUESTED):
            raise RpcError("peer not found")
        return True

    async def start_rpc(
        self,
        host: str | None,
        port: int | None,
        cors: str | None,
        modules: str | None,
        virtual_hosts: str | None,
    ) -> Result:
        await self._endpoints.start_http(host, port, cors, modules, virtual_hosts)
        return True

    async def stop_rpc(self) -> Result:
        await self._endpoints.stop_http()
        return True

    async def start_ws(
        self, host: str | None, port: int | None, origins: str | None, modules: str | None
    ) -> Result:
        await self._endpoints.start_websocket(host, port, origins, modules)
        return True

    async def stop_ws(self) -> Result:
        await self._endpoints.stop_websocket()
        return True

    def peer_events(self, notify: Notify) -> Cancel:
        return self._server.subscribe(lambda event: notify(_event(event)))


def _node(url: str) -> Enode:
    try:
        return parse_node(url)
    except (EnodeError, RecordError) as error:
        raise RpcError(f"invalid enode: {error}") from error


def _peer(info: PeerInfo) -> Result:
    return {
        "enode": str(info.enode),
        "id": info.node_id.hex(),
        "name": info.client_name,
        "caps": [str(capability) for capability in info.capabilities],
        "network": {
            "localAddress": host_and_port(info.local_address),
            "remoteAddress": host_and_port(info.remote_address),
            "inbound": info.inbound,
            "trusted": info.trusted,
            "static": info.static,
        },
        # What go-ethereum says of a protocol that tells nothing of its peers.
        "protocols": {capability.name: "unknown" for capability in info.running},
    }


def _event(event: PeerEvent) -> Result:
    told = {"type": event.kind.value, "peer": event.peer.node_id.hex()}
    if event.error:
        told["error"] = event.error
    told["local"] = host_and_port(event.peer.local_address)
    told["remote"] = host_and_port(event.peer.remote_address)
    return told
