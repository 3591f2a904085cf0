"""One connection on real sockets: time limits, flow, and peers that mean no good."""

from __future__ import annotations

import asyncio
import contextlib
import os
import random

import pytest

from statusnode.crypto.keys import PrivateKey
from statusnode.devp2p.client import dial
from statusnode.devp2p.frame import MAX_FRAME_SIZE
from statusnode.devp2p.limits import Limits
from statusnode.devp2p.protocol import DisconnectReason, PeerConnection
from statusnode.devp2p.server import Server
from support.devp2p_peers import (
    PATIENCE,
    WAKU0,
    RawPeer,
    Recorder,
    Recording,
    running_server,
    until,
)


async def relays_still(server: Server) -> None:
    """Fail unless a fresh peer gets a session that answers."""
    async with RawPeer.dial(server.self_enode) as peer:
        await peer.pong()


# Time.


async def test_a_healthy_session_is_pinged_and_lives_on() -> None:
    limits = Limits(ping_seconds=0.1, idle_seconds=0.5)
    ours, theirs = Recorder(), Recorder()
    async with (
        running_server([ours], limits=limits) as server,
        running_server([theirs], limits=limits) as other,
    ):
        server.add_static(other.self_enode)
        session = await ours.session()
        await asyncio.sleep(1.0)
        assert session.lost == []
        async with RawPeer.dial(server.self_enode) as peer:
            assert await peer.packet() == (2, b"\xc0")


async def test_a_session_from_which_no_frame_comes_is_closed_without_a_reason() -> None:
    recorder = Recorder()
    async with (
        running_server([recorder], limits=Limits(idle_seconds=0.2)) as server,
        RawPeer.dial(server.self_enode) as peer,
    ):
        assert await peer.disconnect_reason() is None
        await until(lambda: recorder.sessions[0].lost == [None])


@pytest.mark.parametrize("sent", [b"", b"\x01", b"\x01\x90" + bytes(300)])
async def test_a_connection_that_does_not_finish_its_handshake_is_closed(sent: bytes) -> None:
    async with running_server(limits=Limits(handshake_seconds=0.2)) as server:
        reader, writer = await asyncio.open_connection("127.0.0.1", server.self_enode.tcp)
        writer.write(sent)
        async with asyncio.timeout(PATIENCE):
            assert await reader.read() == b""
        writer.close()
        await until(lambda: server.counters.failed_handshakes == 1)


async def test_a_connection_without_a_hello_is_closed() -> None:
    async with (
        running_server(limits=Limits(handshake_seconds=0.2)) as server,
        RawPeer.dial(server.self_enode, hello=False) as peer,
    ):
        assert await peer.disconnect_reason() is None


# What peers may say.


async def test_an_unknown_disconnect_reason_is_survived() -> None:
    recorder = Recorder()
    async with running_server([recorder]) as server:
        for payload in (b"\xc1\x11", b"\x04", b"", b"\xc1\x08"):
            async with RawPeer.dial(server.self_enode) as peer:
                await peer.send(1, payload)
                await peer.closed()
        await until(lambda: all(session.lost for session in recorder.sessions))
        lost = [session.lost for session in recorder.sessions]
        requested, quitting = DisconnectReason.REQUESTED, DisconnectReason.QUITTING
        assert lost == [[None], [requested], [requested], [quitting]]


async def test_codes_that_mean_nothing_change_nothing() -> None:
    async with running_server() as server, RawPeer.dial(server.self_enode) as peer:
        for code in range(4, 16):
            await peer.send(code, b"\xc0")
        await peer.pong()


@pytest.mark.parametrize("code", [16 + 128, 1 << 40])
async def test_a_code_outside_all_ranges_closes_without_a_reason(code: int) -> None:
    async with running_server() as server:
        async with RawPeer.dial(server.self_enode) as peer:
            await peer.send(code, b"\xc0")
            assert await peer.disconnect_reason() is None
        await relays_still(server)


async def test_a_subprotocol_error_ends_the_session_with_its_reason() -> None:
    recorder = Recorder()
    recorder.fail_on = 9
    async with running_server([recorder]) as server, RawPeer.dial(server.self_enode) as peer:
        await peer.write(b"".join(peer.sealed(16 + code, b"\x01\x00\xc0") for code in (8, 9, 10)))
        assert await peer.disconnect_reason() == 16
        session = await recorder.session()
        await until(lambda: session.lost)
        assert [code for code, _ in session.packets] == [8]
        assert session.lost == [DisconnectReason.SUBPROTOCOL_ERROR]


async def test_a_handler_that_disconnects_gets_no_further_packet() -> None:
    recorder = Recorder()
    async with running_server([recorder]) as server, RawPeer.dial(server.self_enode) as peer:
        session = await recorder.session()
        session.received = lambda code, payload: session.peer.disconnect(DisconnectReason.SELF)
        await peer.write(b"".join(peer.sealed(17, b"\x01\x00\xc0") for _ in range(3)))
        assert await peer.disconnect_reason() == 10
        await until(lambda: session.lost == [DisconnectReason.SELF])
        assert len(session.packets) == 1
        session.peer.send(1, b"\xc0")  # silently nothing
        session.peer.disconnect(DisconnectReason.QUITTING)
        session.peer.pause_reading()
        session.peer.resume_reading()


class Refusing(Recorder):
    """A subprotocol that wants nobody."""

    def peer_connected(self, peer: PeerConnection) -> Recording:
        peer.disconnect(DisconnectReason.USELESS_PEER)
        return super().peer_connected(peer)


async def test_a_subprotocol_may_refuse_a_peer_at_once() -> None:
    recorder = Refusing()
    async with running_server([recorder]) as server, RawPeer.dial(server.self_enode) as peer:
        assert await peer.disconnect_reason() == 3
        await until(lambda: recorder.sessions and recorder.sessions[0].lost)


async def test_a_handler_with_a_fault_loses_its_session_only() -> None:
    recorder = Recorder()
    problems: list[dict[str, object]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: problems.append(context))
    async with running_server([recorder]) as server, RawPeer.dial(server.self_enode) as peer:
        session = await recorder.session()

        def fail(code: int, payload: bytes) -> None:
            raise ZeroDivisionError

        session.received = fail
        await peer.send(17, b"\xc0")
        assert await peer.disconnect_reason() is None
        await until(lambda: session.lost == [None])
        assert isinstance(problems[0]["exception"], ZeroDivisionError)
        await relays_still(server)


async def test_big_packets_cross_in_both_directions() -> None:
    ours, theirs = Recorder(), Recorder()
    async with running_server([theirs]) as server:
        connection = await dial(server.self_enode, PrivateKey.generate(), [ours], PATIENCE)
        for payload in (os.urandom(900_000), bytes(MAX_FRAME_SIZE)):
            for sender, receiver in ((ours, theirs), (theirs, ours)):
                (await sender.session()).peer.send(1, payload)
                session = await receiver.session()
                await until(lambda session=session: session.packets)
                assert session.packets.pop() == (1, payload)
        connection.disconnect(DisconnectReason.REQUESTED)


# Flow.


async def test_reading_can_pause_and_no_packet_is_lost() -> None:
    recorder = Recorder()
    async with running_server([recorder]) as server, RawPeer.dial(server.self_enode) as peer:
        session = await recorder.session()
        session.received = lambda code, payload: session.peer.pause_reading()
        await peer.write(b"".join(peer.sealed(16 + code, b"\x01\x00\xc0") for code in range(5)))
        for count in range(1, 6):
            await until(lambda count=count: len(session.packets) == count)
            await asyncio.sleep(0.02)
            assert len(session.packets) == count
            session.peer.resume_reading()
            session.peer.resume_reading()
        session.received = lambda code, payload: None
        await peer.pong()
        assert [code for code, _ in session.packets] == list(range(5))


async def test_a_peer_that_we_do_not_read_is_not_taken_for_silent() -> None:
    recorder = Recorder()
    async with (
        running_server([recorder], limits=Limits(idle_seconds=0.2, ping_seconds=5)) as server,
        RawPeer.dial(server.self_enode),
    ):
        session = await recorder.session()
        session.peer.pause_reading()
        await asyncio.sleep(0.5)
        assert session.lost == []


async def test_a_peer_that_reads_slowly_pauses_its_subprotocols_alone() -> None:
    recorder = Recorder()
    async with (
        running_server([recorder]) as server,
        RawPeer.dial(server.self_enode) as slow,
        RawPeer.dial(server.self_enode) as quick,
    ):
        session, other = await recorder.session(0), await recorder.session(1)
        sent = 0
        while not session.pauses:
            session.peer.send(1, b"", os.urandom(100_000))
            sent += 1
            await asyncio.sleep(0)
        assert session.peer.write_backlog > 0
        other.peer.send(1, b"\xc1\x01")
        assert await quick.packet() == (17, b"\xc1\x01")
        assert other.pauses == 0
        for _ in range(sent):
            code, payload = await slow.frame()
            assert (code, len(payload)) == (17, 100_000)
        await until(lambda: session.resumes == 1 and session.peer.write_backlog == 0)


async def test_a_peer_that_stops_reading_is_dropped_after_a_while() -> None:
    recorder = Recorder()
    async with (
        running_server([recorder], limits=Limits(write_seconds=0.3)) as server,
        RawPeer.dial(server.self_enode),
    ):
        session = await recorder.session()
        while not session.pauses:
            session.peer.send(1, b"", os.urandom(100_000))
            await asyncio.sleep(0)
        await until(lambda: session.lost == [None])
        assert server.counters.slow_peers == 1
        await relays_still(server)


async def test_what_waits_for_a_peer_is_bounded_even_if_a_subprotocol_does_not_pause() -> None:
    recorder = Recorder()
    async with (
        running_server([recorder], limits=Limits(write_limit=2_000_000)) as server,
        RawPeer.dial(server.self_enode),
    ):
        session = await recorder.session()
        block = os.urandom(500_000)
        most = 0
        while not session.lost:
            session.peer.send(1, b"", block)
            most = max(most, session.peer.write_backlog)
            await asyncio.sleep(0)
        assert most < 4_000_000
        assert server.counters.slow_peers == 1


async def test_a_peer_that_pings_without_reading_the_answers_is_dropped() -> None:
    async with running_server(limits=Limits(write_limit=100_000)) as server:
        async with RawPeer.dial(server.self_enode) as peer:
            pings = b"\x01\x00\xc0"
            with contextlib.suppress(ConnectionError):
                while server.counters.slow_peers == 0:
                    peer.writer.write(b"".join(peer.sealed(2, pings) for _ in range(500)))
                    await asyncio.sleep(0)
        await relays_still(server)


@pytest.mark.asyncio(loop_factories=["asyncio"])  # the other one does not look up the method
async def test_frames_of_one_turn_leave_in_one_write() -> None:
    ours, theirs = Recorder(), Recorder()
    async with running_server([theirs]) as server:
        connection = await dial(server.self_enode, PrivateKey.generate(), [ours], PATIENCE)
        chunks: list[int] = []
        receive = type(connection).data_received
        session = await theirs.session()

        def count(self: object, data: bytes) -> None:
            chunks.append(len(data))
            receive(self, data)  # type: ignore[arg-type]

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(type(connection), "data_received", count)
            for code in range(20):
                ours.sessions[0].peer.send(code, b"\xc0")
            await until(lambda: len(session.packets) == 20)
        assert len(chunks) == 1
        connection.disconnect(DisconnectReason.REQUESTED)


# Peers that mean no good.


async def test_garbage_on_the_port_harms_nobody() -> None:
    async with running_server() as server:
        noise = random.Random(8)
        for data in (
            b"GET / HTTP/1.1\r\nHost: x\r\n\r\n" + b"A" * 400,
            bytes(4000),
            b"\xff" * 70_000,
            *(noise.randbytes(1 + 100 * index) for index in range(10)),
        ):
            _, writer = await asyncio.open_connection("127.0.0.1", server.self_enode.tcp)
            writer.write(data)
            await writer.drain()
            writer.close()
        await relays_still(server)


@pytest.mark.parametrize("position", [0, 20, 40, -1])
async def test_damage_closes_the_session_without_a_reason(position: int) -> None:
    async with running_server() as server:
        async with RawPeer.dial(server.self_enode) as peer:
            frame = bytearray(peer.sealed(17, bytes(100)))
            frame[position] ^= 1
            await peer.write(bytes(frame))
            assert await peer.disconnect_reason() is None
        await relays_still(server)


@pytest.mark.parametrize("size", [1, 16, 31, 33, 50])
async def test_half_a_frame_harms_nobody(size: int) -> None:
    async with running_server() as server:
        async with RawPeer.dial(server.self_enode) as peer:
            await peer.write(peer.sealed(17, bytes(100))[:size])
        await until(lambda: server.peer_count == 0)
        await relays_still(server)


@pytest.mark.parametrize("block", [b"\xff\xff\xff\xff\x0f\x01\x02\x03", b"\x80\x80\x80\x0f\x01"])
async def test_a_snappy_bomb_closes_the_session(block: bytes) -> None:
    async with running_server() as server:
        async with RawPeer.dial(server.self_enode) as peer:
            await peer.send_frame(17, block)
            assert await peer.disconnect_reason() is None
        await relays_still(server)


async def test_a_crowd_that_never_shakes_hands_does_not_shut_the_door() -> None:
    async with (
        running_server(limits=Limits(pending_grace_seconds=0.05)) as server,
        RawPeer.dial(server.self_enode) as before,
        contextlib.AsyncExitStack() as stack,
    ):
        for _ in range(500):
            _, writer = await asyncio.open_connection("127.0.0.1", server.self_enode.tcp)
            stack.callback(writer.close)
        await before.pong()
        await relays_still(server)
        assert server.counters.evicted > 400
        await before.pong()


async def test_a_crowd_that_shakes_hands_and_falls_silent_times_out() -> None:
    async with (
        running_server(limits=Limits(handshake_seconds=0.5), max_pending_peers=5) as server,
        contextlib.AsyncExitStack() as stack,
    ):
        for _ in range(5):
            await stack.enter_async_context(RawPeer.dial(server.self_enode, hello=False))
        await relays_still(server)
        assert server.counters.evicted == 0


async def test_a_foreign_address_that_tries_too_often_is_turned_away(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("statusnode.devp2p.admission.is_local", lambda host: False)
    async with running_server() as server, RawPeer.dial(server.self_enode) as peer:
        with pytest.raises(ConnectionError):
            async with RawPeer.dial(server.self_enode):
                pass
        assert (server.counters.throttled, server.counters.serves) == (1, 1)
        await peer.pong()


async def test_random_packets_reach_only_the_subprotocol() -> None:
    recorder = Recorder()
    other = Recorder(WAKU0)
    async with running_server([recorder, other]) as server:
        noise = random.Random(8)
        async with RawPeer.dial(server.self_enode) as peer:
            sent = [
                (noise.randrange(128), noise.randbytes(noise.randrange(60))) for _ in range(2000)
            ]
            for code, payload in sent:
                await peer.send(16 + code, payload)
            await peer.pong()
        assert recorder.sessions[0].packets == sent
        assert other.sessions == []
