"""The server on real sockets: both transports, its bounds, and peers that behave badly."""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import AsyncIterator

import dns.asyncquery
import dns.flags
import dns.message
import dns.rcode
import psutil
import pytest

from statusfleet.publishers.answers import Verdict
from statusfleet.publishers.embedded import DnsServerError, EmbeddedDnsServer, Limits
from statusfleet.tree.publication import Publication
from statusfleet.tree.zone import Zone, ZoneSettings
from support.records import DOMAIN, vector_tree

SETTINGS = ZoneSettings(DOMAIN)
SIGNED = vector_tree(30)
PATIENCE = 30


@pytest.fixture
async def server() -> AsyncIterator[EmbeddedDnsServer]:
    server = EmbeddedDnsServer(SETTINGS)
    server.publish(Zone.of(SIGNED, SETTINGS))
    await server.start("127.0.0.1")
    yield server
    await server.stop()


async def serve(limits: Limits) -> EmbeddedDnsServer:
    server = EmbeddedDnsServer(SETTINGS, limits)
    server.publish(Zone.of(SIGNED, SETTINGS))
    await server.start("127.0.0.1")
    return server


def query(name: str = DOMAIN) -> dns.message.Message:
    return dns.message.make_query(name, "TXT")


async def over_udp(server: EmbeddedDnsServer, name: str = DOMAIN) -> dns.message.Message:
    host, port = server.address
    return await dns.asyncquery.udp(query(name), host, port=port, timeout=PATIENCE)


async def over_tcp(server: EmbeddedDnsServer, name: str = DOMAIN) -> dns.message.Message:
    host, port = server.address
    return await dns.asyncquery.tcp(query(name), host, port=port, timeout=PATIENCE)


def text(response: dns.message.Message) -> str:
    return b"".join(response.answer[0][0].strings).decode()


async def test_one_port_is_served_on_addresses_of_both_families() -> None:
    server = EmbeddedDnsServer(SETTINGS)
    server.publish(Zone.of(SIGNED, SETTINGS))
    await server.start("127.0.0.1", also=["::1"])
    _, port = server.address
    for host in ("127.0.0.1", "::1"):
        for ask in (dns.asyncquery.udp, dns.asyncquery.tcp):
            answer = await ask(query(), host, port=port, timeout=PATIENCE)
            assert text(answer) == str(SIGNED.root)
    await server.stop()
    for host in ("127.0.0.1", "::1"):
        with pytest.raises(ConnectionRefusedError):
            await asyncio.open_connection(host, port)


async def read_message(reader: asyncio.StreamReader) -> dns.message.Message:
    async with asyncio.timeout(PATIENCE):
        size = struct.unpack("!H", await reader.readexactly(2))[0]
        return dns.message.from_wire(await reader.readexactly(size))


async def is_closed(reader: asyncio.StreamReader) -> bool:
    try:
        async with asyncio.timeout(PATIENCE):
            while await reader.read(65536):
                pass
    except ConnectionError:
        pass
    return True


def framed(message: dns.message.Message) -> bytes:
    wire = message.to_wire()
    return struct.pack("!H", len(wire)) + wire


async def test_every_entry_is_served_over_both_transports(server: EmbeddedDnsServer) -> None:
    for name, content in SIGNED.records().items():
        assert text(await over_udp(server, name)) == content
        assert text(await over_tcp(server, name)) == content

    assert server.counters.udp == server.counters.tcp == len(SIGNED.records())
    assert server.counters.verdicts[Verdict.ANSWERED] == 2 * len(SIGNED.records())


async def test_udp_and_tcp_share_one_port(server: EmbeddedDnsServer) -> None:
    host, port = server.address

    assert host == "127.0.0.1"
    assert port > 0


async def test_a_new_tree_is_served_from_the_next_query_on(server: EmbeddedDnsServer) -> None:
    changed = vector_tree(31, seq=8)
    publication = Publication(SIGNED).replaced_by(changed, now=0, root_ttl_seconds=1)
    server.publish(Zone.of(publication, SETTINGS))

    assert text(await over_udp(server)) == str(changed.root)
    for name in changed.records().keys() | SIGNED.records().keys():
        assert (await over_udp(server, name)).rcode() == dns.rcode.NOERROR


async def test_before_the_first_tree_it_fails_for_now() -> None:
    server = EmbeddedDnsServer(SETTINGS)
    await server.start("127.0.0.1")
    try:
        assert (await over_udp(server)).rcode() == dns.rcode.SERVFAIL
    finally:
        await server.stop()


async def test_a_stopped_server_leaves_its_port_and_can_start_again() -> None:
    server = EmbeddedDnsServer(SETTINGS)
    await server.start("127.0.0.1")
    host, port = server.address
    await server.stop()
    with pytest.raises(RuntimeError):
        _ = server.address

    await server.start(host, port)
    assert server.address == (host, port)
    with pytest.raises(RuntimeError):
        await server.start(host)
    await server.stop()

    for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
        with socket.socket(socket.AF_INET, kind) as free:
            if kind == socket.SOCK_STREAM:
                free.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            free.bind((host, port))


@pytest.mark.parametrize("kind", [socket.SOCK_STREAM, socket.SOCK_DGRAM])
async def test_a_port_in_use_is_said_and_nothing_is_left_open(kind: int) -> None:
    server = EmbeddedDnsServer(SETTINGS)
    with socket.socket(socket.AF_INET, kind) as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
        if kind == socket.SOCK_STREAM:
            taken.listen()
        with pytest.raises(DnsServerError, match=f"cannot listen on 127.0.0.1, port {port}"):
            await server.start("127.0.0.1", port)
        # Not by listening there again: any other process may be given that port meanwhile.
        sockets = psutil.Process().net_connections()
        assert [one.type for one in sockets if one.laddr and one.laddr.port == port] == [kind]

    await server.start("127.0.0.1")
    await server.stop()


async def test_an_address_that_is_not_ours_is_said() -> None:
    with pytest.raises(DnsServerError, match=r"cannot listen on 192\.0\.2\.1"):
        await EmbeddedDnsServer(SETTINGS).start("192.0.2.1")


async def test_queries_in_one_stream_are_answered_in_order(server: EmbeddedDnsServer) -> None:
    names = list(SIGNED.records())
    queries = [query(name) for name in names]
    reader, writer = await asyncio.open_connection(*server.address)
    stream = b"".join(map(framed, queries))
    # Cut where no message ends.
    for at in range(0, len(stream), 7):
        writer.write(stream[at : at + 7])
    writer.write_eof()

    for sent in queries:
        assert sent.is_response(await read_message(reader))
    assert await is_closed(reader)
    writer.close()


async def test_a_client_that_sends_nothing_or_half_a_query_is_closed() -> None:
    server = await serve(Limits(idle_seconds=0.2))
    try:
        for sent in (b"", b"\x00", framed(query())[:-1], b"\xff\xff" + bytes(1000)):
            reader, writer = await asyncio.open_connection(*server.address)
            writer.write(sent)
            assert await is_closed(reader)
            writer.close()
    finally:
        await server.stop()


async def test_scraps_close_a_connection_and_unreadable_queries_do_not(
    server: EmbeddedDnsServer,
) -> None:
    reader, writer = await asyncio.open_connection(*server.address)
    writer.write(struct.pack("!H", 20) + bytes(20))
    assert (await read_message(reader)).rcode() == dns.rcode.FORMERR
    writer.write(framed(query()))
    assert text(await read_message(reader)) == str(SIGNED.root)

    writer.write(b"\x00\x00")
    assert await is_closed(reader)
    writer.close()


async def test_connections_are_bounded_and_a_place_is_free_again() -> None:
    server = await serve(Limits(max_connections=2, idle_seconds=PATIENCE))
    try:
        held = []
        for _ in range(2):
            reader, writer = await asyncio.open_connection(*server.address)
            writer.write(framed(query()))
            await read_message(reader)
            held.append((reader, writer))

        reader, writer = await asyncio.open_connection(*server.address)
        assert await is_closed(reader)
        writer.close()

        held[0][1].close()
        assert await is_closed(held[0][0])
        async with asyncio.timeout(PATIENCE):
            while True:
                try:
                    assert text(await over_tcp(server)) == str(SIGNED.root)
                    break
                except (EOFError, ConnectionError):
                    await asyncio.sleep(0.01)
        held[1][1].close()
    finally:
        await server.stop()


async def test_a_client_that_reads_nothing_does_not_grow_the_server() -> None:
    server = await serve(Limits(idle_seconds=PATIENCE))
    try:
        reader, writer = await asyncio.open_connection(*server.address, limit=1024)
        flood = framed(query(next(iter(SIGNED.records())))) * 2000
        answered = 0
        async with asyncio.timeout(PATIENCE):
            for _ in range(60):
                writer.write(flood)
                if writer.transport.get_write_buffer_size():
                    await asyncio.sleep(0.02)
                if answered == server.counters.tcp > 0:
                    break  # it has stopped reading
                answered = server.counters.tcp
        assert server.counters.tcp < 60 * 2000

        assert text(await over_udp(server)) == str(SIGNED.root)
        assert text(await read_message(reader)) == str(SIGNED.root)
        writer.transport.abort()
    finally:
        await server.stop()


async def test_who_asks_too_much_over_udp_is_sent_to_tcp() -> None:
    server = await serve(Limits(udp_rate=0.001, udp_burst=3))
    try:
        responses = [await over_udp(server) for _ in range(5)]

        cut = [bool(response.flags & dns.flags.TC) for response in responses]
        assert cut == [False] * 3 + [True] * 2
        assert all(response.answer == [] for response in responses[3:])
        assert text(await over_tcp(server)) == str(SIGNED.root)
        assert server.counters.rate_limited == 2
    finally:
        await server.stop()


async def test_addresses_are_limited_apart_and_remembered_within_bounds() -> None:
    server = await serve(Limits(udp_rate=0.001, udp_burst=1, max_clients=2))
    host, port = server.address

    async def cut(source: str) -> bool:
        response = await dns.asyncquery.udp(
            query(), host, port=port, source=source, timeout=PATIENCE
        )
        return bool(response.flags & dns.flags.TC)

    try:
        assert [await cut("127.0.0.1"), await cut("127.0.0.1")] == [False, True]
        assert [await cut("127.0.0.2"), await cut("127.0.0.3")] == [False, False]
        # The first address was pushed out by the two others.
        assert await cut("127.0.0.1") is False
    finally:
        await server.stop()


async def test_garbage_over_udp_harms_nobody(server: EmbeddedDnsServer) -> None:
    host, port = server.address
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        wire = query().to_wire()
        for data in (b"", b"\x00", bytes(12), bytes(1400), wire[:-3], b"\xff" * 600, wire + wire):
            sender.sendto(data, (host, port))

    assert text(await over_udp(server)) == str(SIGNED.root)


async def test_many_clients_at_once_all_get_the_tree_or_its_successor(
    server: EmbeddedDnsServer,
) -> None:
    roots = {str(vector_tree(30, seq=seq).root) for seq in range(7, 30)}
    seen: set[str] = set()

    async def client() -> None:
        for _ in range(20):
            seen.add(text(await over_udp(server)))
            seen.add(text(await over_tcp(server)))

    async def publisher() -> None:
        for seq in range(8, 30):
            server.publish(Zone.of(vector_tree(30, seq=seq), SETTINGS))
            await asyncio.sleep(0.005)

    async with asyncio.TaskGroup() as group:
        for _ in range(8):
            group.create_task(client())
        group.create_task(publisher())

    assert seen <= roots
