"""The server's lists follow the configuration, and only the configuration."""

from __future__ import annotations

from statusnode.crypto.keys import PrivateKey
from statusnode.devp2p.server import Server, ServerConfig
from statusnode.node.peering import Peering
from statusnode.node.settings import Peers
from statusnode.records.enode import Enode

A, B, C = (Enode(PrivateKey.generate().public_key, f"10.0.0.{i}", 30303, 30303) for i in range(3))


def lists(server: Server) -> dict[Enode, bool]:
    """Return the static nodes, and whether each is one of the fleet."""
    return {node.enode: node.fleet for node in server.static_nodes()}


async def test_lists_are_taken_up_and_changed() -> None:
    server = Server(ServerConfig("test"), PrivateKey.generate(), [])
    peering = Peering(server)
    peering.apply(Peers(static=(A, B), fleet=(C,)))
    assert lists(server) == {A: False, B: False, C: True}
    peering.apply(Peers(static=(B,), fleet=(A,)))
    assert lists(server) == {B: False, A: True}
    peering.apply(Peers(static=(A, B)))
    assert lists(server) == {A: False, B: False}


async def test_a_node_in_both_lists_is_of_the_fleet() -> None:
    server = Server(ServerConfig("test"), PrivateKey.generate(), [])
    peering = Peering(server)
    peering.apply(Peers(static=(A,), fleet=(A,)))
    assert lists(server) == {A: True}
    peering.apply(Peers(static=(A,)))
    assert lists(server) == {A: False}


async def test_a_new_address_takes_the_place_of_the_old() -> None:
    server = Server(ServerConfig("test"), PrivateKey.generate(), [])
    peering = Peering(server)
    peering.apply(Peers(fleet=(A,)))
    moved = Enode(A.public_key, "10.0.0.9", 1, 1)
    peering.apply(Peers(fleet=(moved,)))
    assert lists(server) == {moved: True}


async def test_nodes_added_by_others_stay() -> None:
    server = Server(ServerConfig("test"), PrivateKey.generate(), [])
    server.add_static(C)
    peering = Peering(server)
    peering.apply(Peers(static=(A,)))
    peering.apply(Peers())
    assert lists(server) == {C: False}
