"""A server on real sockets of loopback: who gets in, who is told what, and how it ends.

The raw peer of these tests sends exactly what it is told:

    auth ──▶        ◀── ack     ◀── 0 Hello or 1 Disconnect     Hello ──▶     ◀─▶ packets
"""

from __future__ import annotations

import asyncio
import contextlib

import pytest

from statusnode.codec import rlp
from statusnode.crypto.keys import PrivateKey
from statusnode.devp2p.client import DialError, dial
from statusnode.devp2p.info import PeerEventKind
from statusnode.devp2p.limits import Limits
from statusnode.devp2p.messages import Hello
from statusnode.devp2p.protocol import Capability, DisconnectReason
from statusnode.devp2p.server import Server, ServerConfig
from statusnode.records.enode import Enode
from support.devp2p_peers import (
    PATIENCE,
    WAKU0,
    WAKU1,
    RawPeer,
    Recorder,
    running_server,
    until,
)


async def test_a_peer_that_dials_is_served() -> None:
    recorder = Recorder()
    recorder.greeting = b"\xc1\x01"
    async with running_server([recorder]) as server:
        async with RawPeer.dial(server.self_enode) as peer:
            assert await peer.packet() == (16, b"\xc1\x01")
            await peer.send(17, b"\xc0")
            await peer.pong()
            session = await recorder.session()
            assert session.packets == [(1, b"\xc0")]
            assert session.peer.public_key == peer.key.public_key
            assert (session.peer.client_name, session.peer.inbound) == ("raw", True)
            assert session.peer.compresses
            (info,) = server.peers()
            assert info.node_id == peer.key.public_key.node_id
            assert info.running == (WAKU1,)
            assert not info.trusted
        await until(lambda: session.lost)
        assert session.lost == [None]
        assert server.peers() == []
        assert server.counters.serves == 1
        assert server.counters.ingress_bytes > 0


async def test_our_hello_is_as_peers_know_it() -> None:
    recorders = [Recorder(WAKU1), Recorder(WAKU0)]
    async with (
        running_server(recorders) as server,
        RawPeer.dial(server.self_enode, hello=False) as peer,
    ):
        hello = await peer.exchange_hellos()
        public_key = server.self_enode.public_key.data
        assert hello == Hello(5, server.client_name, (WAKU0, WAKU1), 0, public_key)


async def test_a_session_without_compression_is_served_too() -> None:
    recorder = Recorder()
    async with (
        running_server([recorder]) as server,
        RawPeer.dial(server.self_enode, version=4) as peer,
    ):
        await peer.send(17, b"\xc0")
        await peer.pong()
        session = await recorder.session()
        assert session.packets == [(1, b"\xc0")]
        assert not session.peer.compresses
        session.peer.send(1, b"\xc1\x05", b"compressed for others")
        assert await peer.packet() == (17, b"\xc1\x05")


async def test_a_server_dials_its_static_nodes() -> None:
    ours, theirs = Recorder(), Recorder()
    async with running_server([ours]) as server, running_server([theirs]) as other:
        server.add_static(other.self_enode)
        session = await ours.session()
        session.peer.send(3, b"\xc0")
        await until(lambda: theirs.sessions and theirs.sessions[0].packets == [(3, b"\xc0")])
        (info,) = server.peers()
        assert (info.static, info.inbound, info.enode) == (True, False, other.self_enode)
        (node,) = server.static_nodes()
        assert (node.connected, node.attempts, node.error) == (True, 1, "")
        server.remove_static(other.self_enode)
        await until(lambda: session.lost)
        assert theirs.sessions[0].lost == [DisconnectReason.REQUESTED]
        assert server.static_nodes() == []


async def test_names_are_looked_up_at_each_dial() -> None:
    ours = Recorder()
    async with running_server([ours]) as server, running_server() as other:
        enode = Enode(other.self_enode.public_key, "localhost", other.self_enode.tcp, 0)
        server.add_static(enode)
        await ours.session()
        assert server.peers()[0].enode.host == "127.0.0.1"


async def test_an_address_that_does_not_answer_is_tried_again() -> None:
    async with running_server(limits=Limits(redial_seconds=0.05)) as server:
        async with running_server() as other:
            enode = other.self_enode
        server.add_static(enode)
        await until(lambda: server.static_nodes()[0].attempts > 1)
        (node,) = server.static_nodes()
        assert not node.connected
        assert "refused" in node.error or "failed" in node.error
        assert server.counters.failed_dials > 1


async def test_a_static_node_is_dialed_again_when_the_session_ends() -> None:
    ours, theirs = Recorder(), Recorder()
    async with (
        running_server([ours], limits=Limits(redial_seconds=0.05)) as server,
        running_server([theirs]) as other,
    ):
        server.add_static(other.self_enode)
        session = await theirs.session()
        session.peer.disconnect(DisconnectReason.REQUESTED)
        assert (await theirs.session(1)) is not session


async def test_a_static_node_whose_address_changes_is_dialed_there_at_once() -> None:
    theirs, key = Recorder(), PrivateKey.generate()
    async with running_server() as server, running_server([theirs], key=key) as other:
        unreachable = Enode(key.public_key, "127.0.0.1", 1, 1)
        server.add_static(unreachable)
        await until(lambda: server.static_nodes()[0].attempts)
        server.add_static(other.self_enode)
        await theirs.session()
        server.add_static(other.self_enode)  # nothing new, nothing happens
        assert len(server.static_nodes()) == 1


async def test_members_of_a_fleet_that_dial_each_other_end_with_one_session_each() -> None:
    async with contextlib.AsyncExitStack() as stack:
        servers = [await stack.enter_async_context(running_server(max_peers=1)) for _ in range(4)]
        for server in servers:
            for other in servers:
                if other is not server:
                    server.add_static(other.self_enode, fleet=True)
        await until(lambda: all(server.peer_count == 3 for server in servers))
        for server in servers:
            assert all(peer.fleet and peer.trusted for peer in server.peers())


async def test_a_static_node_that_refuses_us_tells_why() -> None:
    async with running_server(max_peers=0) as full, running_server() as server:
        server.add_static(full.self_enode)
        await until(lambda: server.static_nodes()[0].attempts)
        (node,) = server.static_nodes()
        assert node.refusal is DisconnectReason.TOO_MANY_PEERS
        assert node.error == "too many peers"


async def test_a_server_does_not_dial_itself_nor_what_has_no_address() -> None:
    async with running_server() as server:
        server.add_static(server.self_enode)
        assert server.static_nodes() == []
        server.add_static(Enode(PrivateKey.generate().public_key))
        await until(lambda: server.static_nodes()[0].error)
        assert server.static_nodes()[0].error == "the enode has no address to dial"


# Refusals.


async def test_too_many_peers_is_said_before_hello() -> None:
    async with (
        running_server(max_peers=1) as server,
        RawPeer.dial(server.self_enode) as first,
        RawPeer.dial(server.self_enode, hello=False) as second,
    ):
        assert await second.frame() == (1, b"\xc1\x04")
        await first.pong()


async def test_a_second_connection_of_one_identity_is_refused_before_hello() -> None:
    async with (
        running_server() as server,
        RawPeer.dial(server.self_enode) as first,
        RawPeer.dial(server.self_enode, hello=False, key=first.key) as second,
    ):
        assert await second.frame() == (1, b"\xc1\x05")
        await first.pong()


async def test_two_connections_of_one_identity_that_race_leave_one() -> None:
    async with (
        running_server() as server,
        RawPeer.dial(server.self_enode, hello=False) as first,
        RawPeer.dial(server.self_enode, hello=False, key=first.key) as second,
    ):
        await first.exchange_hellos()
        await first.pong()
        await second.say_hello()
        assert await second.disconnect_reason() == 5
        await first.pong()


async def test_a_node_that_reaches_itself_is_told_so() -> None:
    key = PrivateKey.generate()
    async with (
        running_server(key=key) as server,
        RawPeer.dial(server.self_enode, hello=False, key=key) as peer,
    ):
        assert await peer.frame() == (1, b"\xc1\x0a")


async def test_a_useless_peer_is_told_so_after_hello() -> None:
    async with (
        running_server() as server,
        RawPeer.dial(server.self_enode, hello=False) as peer,
    ):
        await peer.exchange_hellos(capabilities=[Capability("eth", 63)])
        assert await peer.packet() == (1, b"\xc1\x03")


async def test_a_hello_without_identity_is_refused_uncompressed() -> None:
    async with (
        running_server() as server,
        RawPeer.dial(server.self_enode, hello=False) as peer,
    ):
        await peer.send_frame(0, rlp.encode([5, "x", [["waku", 1]], 0, bytes(64)]))
        assert (await peer.frame())[0] == 0
        assert await peer.frame() == (1, b"\xc1\x07")


async def test_a_hello_of_another_identity_is_refused() -> None:
    async with (
        running_server() as server,
        RawPeer.dial(server.self_enode, hello=False) as peer,
    ):
        stranger = PrivateKey.generate().public_key.data
        await peer.send_frame(0, rlp.encode([5, "x", [["waku", 1]], 0, stranger]))
        assert await peer.disconnect_reason() == 9


async def test_trusted_peers_come_on_top_until_they_are_trusted_no_more() -> None:
    async with (
        running_server(max_peers=1) as server,
        RawPeer.dial(server.self_enode) as first,
    ):
        key = PrivateKey.generate()
        enode = Enode(key.public_key, "127.0.0.1", 30303, 30303)
        server.add_trusted(enode)
        async with RawPeer.dial(server.self_enode, key=key) as second:
            await second.pong()
            assert sorted(peer.trusted for peer in server.peers()) == [False, True]
            server.remove_trusted(enode)
            assert not any(peer.trusted for peer in server.peers())
        await until(lambda: server.peer_count == 1)
        async with RawPeer.dial(server.self_enode, key=key, hello=False) as third:
            assert await third.disconnect_reason() == 4
        await first.pong()


async def test_static_dials_come_on_top() -> None:
    recorder = Recorder()
    async with (
        running_server([recorder], max_peers=1) as server,
        RawPeer.dial(server.self_enode) as first,
        running_server() as other,
    ):
        server.add_static(other.self_enode)
        await until(lambda: server.peer_count == 2)
        await first.pong()


async def test_fleet_peers_are_not_counted() -> None:
    async with running_server(max_peers=1) as server, running_server() as other:
        server.add_static(other.self_enode, fleet=True)
        await until(lambda: server.peer_count == 1)
        async with RawPeer.dial(server.self_enode) as peer:
            await peer.pong()
            async with RawPeer.dial(server.self_enode, hello=False) as third:
                assert await third.disconnect_reason() == 4


async def test_a_raised_limit_takes_effect_at_once() -> None:
    async with running_server(max_peers=0) as server:
        async with RawPeer.dial(server.self_enode, hello=False) as peer:
            assert await peer.disconnect_reason() == 4
        server.reconfigure(max_peers=1)
        async with RawPeer.dial(server.self_enode) as peer:
            await peer.pong()
        assert server.max_peers == 1


async def test_a_slot_is_free_again_when_a_peer_leaves() -> None:
    async with running_server(max_peers=1) as server:
        async with RawPeer.dial(server.self_enode) as peer:
            await peer.send(1, b"\xc1\x08")
            await peer.closed()
        await until(lambda: server.peer_count == 0)
        async with RawPeer.dial(server.self_enode) as peer:
            await peer.pong()


# Events, start and stop.


async def test_peers_that_come_and_go_are_told_to_subscribers() -> None:
    async with running_server() as server:
        events = []
        unsubscribe = server.subscribe(events.append)
        async with RawPeer.dial(server.self_enode) as peer:
            await until(lambda: events)
            await peer.send(1, b"\xc1\x11")
            await until(lambda: len(events) == 2)
        added, dropped = events
        assert (added.kind, dropped.kind) == (PeerEventKind.ADD, PeerEventKind.DROP)
        assert added.peer.node_id == dropped.peer.node_id == peer.key.public_key.node_id
        assert dropped.error == "unknown disconnect reason 17"
        unsubscribe()
        unsubscribe()
        async with RawPeer.dial(server.self_enode) as peer:
            await peer.pong()
        assert len(events) == 2


async def test_stopping_tells_every_peer_that_we_quit() -> None:
    recorder = Recorder()
    async with running_server([recorder]) as server, contextlib.AsyncExitStack() as stack:
        peers = [await stack.enter_async_context(RawPeer.dial(server.self_enode)) for _ in range(3)]
        await until(lambda: server.peer_count == 3)
        await server.stop()
        assert [await peer.disconnect_reason() for peer in peers] == [8, 8, 8]
        assert [session.lost for session in recorder.sessions] == 3 * [[DisconnectReason.QUITTING]]
        assert not server.listening
        with pytest.raises(OSError, match=r"refused|failed"):
            await asyncio.open_connection("127.0.0.1", server.self_enode.tcp)


async def test_stopping_does_not_wait_for_a_peer_that_does_not_read() -> None:
    recorder = Recorder()
    limits = Limits(disconnect_seconds=0.1)
    async with (
        running_server([recorder], limits=limits) as server,
        RawPeer.dial(server.self_enode),
    ):
        session = await recorder.session()
        session.peer.send(1, bytes(8_000_000), bytes(8_000_000))
        async with asyncio.timeout(PATIENCE):
            await server.stop()
        assert session.lost == [DisconnectReason.QUITTING]


async def test_a_port_in_use_is_an_error_that_names_the_address() -> None:
    async with running_server() as server:
        address = f"127.0.0.1:{server.self_enode.tcp}"
        second = Server(ServerConfig("x", address), PrivateKey.generate(), [])
        with pytest.raises(OSError, match=f"cannot listen on {address}: Address already in use"):
            await second.start()
        assert not second.listening
        await second.stop()


@pytest.mark.parametrize(
    "address", ["30303", "localhost", "127.0.0.1:x", "127.0.0.1:65536", "[::1"]
)
async def test_an_address_that_is_none_is_an_error_that_names_it(address: str) -> None:
    server = Server(ServerConfig("x", address), PrivateKey.generate(), [])
    with pytest.raises(OSError, match="cannot listen on"):
        await server.start()


@pytest.mark.parametrize("address", [":0", "0.0.0.0:0", "localhost:0"])
async def test_an_empty_host_listens_everywhere(address: str) -> None:
    async with running_server(listen_address=address) as server:
        assert server.listening
        async with RawPeer.dial(server.self_enode) as peer:
            await peer.pong()
            (info,) = server.peers()
            assert info.remote_address[0] == "127.0.0.1"


async def test_a_server_without_an_address_only_dials() -> None:
    async with running_server(listen_address="") as server, running_server() as other:
        assert not server.listening
        assert (server.self_enode.tcp, server.listen_address) == (0, None)
        server.add_static(other.self_enode)
        await until(lambda: server.peer_count == 1)


async def test_waiting_for_a_server_ends_when_it_stops() -> None:
    async with running_server() as server:
        waiter = asyncio.create_task(server.wait())
        await asyncio.sleep(0)
        await server.stop()
        async with asyncio.timeout(PATIENCE):
            await waiter


async def test_static_nodes_may_be_given_before_the_start() -> None:
    async with running_server() as other:
        server = Server(ServerConfig("x"), PrivateKey.generate(), [Recorder()])
        server.add_static(other.self_enode)
        try:
            await server.start()
            await until(lambda: server.peer_count == 1)
        finally:
            await server.stop()


# One session without a server.


async def test_a_client_opens_one_session() -> None:
    theirs, ours = Recorder(), Recorder()
    async with running_server([theirs]) as server:
        connection = await dial(server.self_enode, PrivateKey.generate(), [ours], PATIENCE)
        assert connection.is_open
        ours.sessions[0].peer.send(5, b"\xc0")
        await until(lambda: theirs.sessions and theirs.sessions[0].packets)
        connection.disconnect(DisconnectReason.REQUESTED)
        await connection.closed.wait()
        await until(lambda: theirs.sessions[0].lost == [DisconnectReason.REQUESTED])


async def test_a_client_that_is_refused_says_why() -> None:
    async with running_server(max_peers=0) as server:
        with pytest.raises(DialError, match="too many peers") as caught:
            await dial(server.self_enode, PrivateKey.generate(), [Recorder()], PATIENCE)
        assert caught.value.reason is DisconnectReason.TOO_MANY_PEERS
        enode = server.self_enode
    with pytest.raises(DialError, match="no connection"):
        await dial(enode, PrivateKey.generate(), [Recorder()], PATIENCE)


async def test_a_client_does_not_wait_for_ever() -> None:
    async def nothing(peer: RawPeer) -> None:
        await peer.closed()

    async with RawPeer.listen(nothing) as enode:
        with pytest.raises(DialError, match="within"):
            await dial(enode, PrivateKey.generate(), [Recorder()], 0.2)
