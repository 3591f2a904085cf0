"""Which servers answer for a zone, and what is made of those that answer badly."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import dns.asyncresolver
import dns.resolver
import pytest

from statusfleet.publishers import authorities
from statusfleet.publishers.authorities import (
    Server,
    addresses,
    has_route,
    servers_of_domain,
    servers_of_zone,
    texts_at,
)
from statusfleet.publishers.sink import SinkError
from support.dns_servers import SPF, ZONE, DnsServer, bind
from support.ports import HOST
from support.records import DOMAIN

MORE = """@ IN NS ns2
@ IN NS nowhere
@ IN NS ns.elsewhere.example.
ns2 IN A 192.0.2.7
ns2 IN AAAA 2001:db8::7
"""


@pytest.fixture
def server(tmp_path: Path) -> Iterator[DnsServer]:
    with bind(tmp_path, MORE + "nowhere IN A 127.0.0.9\n") as running:
        yield running


async def test_the_servers_of_a_zone_are_its_primary_and_those_of_its_ns_records(
    server: DnsServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def look_up(host: str) -> tuple[Server, ...]:
        assert host == "ns.elsewhere.example"
        return (Server("198.51.100.3", name=host),)

    monkeypatch.setattr(authorities, "addresses", look_up)
    monkeypatch.setattr(authorities, "has_route", lambda _: True)
    primary = Server(HOST, server.port)
    found = await servers_of_zone(ZONE, primary)
    # A server on the loopback is there for nobody else, so no reader meets it.
    outside = ("198.51.100.3", "192.0.2.7", "2001:db8::7")
    assert found == (primary, *(Server(address) for address in outside))
    assert [str(one) for one in found[1:]] == [
        "ns.elsewhere.example (198.51.100.3)",
        f"ns2.{ZONE} (192.0.2.7)",
        f"ns2.{ZONE} (2001:db8::7)",
    ]


async def test_a_host_without_ipv6_asks_each_server_at_the_address_that_it_can_reach(
    server: DnsServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def look_up(host: str) -> tuple[Server, ...]:
        return (Server("2001:db8::3", name=host),)

    monkeypatch.setattr(authorities, "addresses", look_up)
    monkeypatch.setattr(authorities, "has_route", lambda address: ":" not in address)
    found = await servers_of_zone(ZONE, Server(HOST, server.port))
    # A server that cannot be reached at all stays: nobody knows whether it has the tree.
    assert [one.address for one in found[1:]] == ["2001:db8::3", "192.0.2.7"]


def test_the_system_is_asked_whether_a_way_leads_to_an_address() -> None:
    assert has_route(HOST)
    # A broadcast address is refused to whoever has not asked for it, on every network.
    assert not has_route("255.255.255.255")


async def test_the_servers_of_a_domain_are_those_that_the_dns_names(
    server: DnsServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Local(dns.asyncresolver.Resolver):
        def __init__(self) -> None:
            super().__init__(configure=False)
            self.nameservers, self.port = [HOST], server.port

    async def look_up(host: str, port: int = 53) -> tuple[Server, ...]:
        return (Server("192.0.2.7", port, host),) if host == f"ns2.{ZONE}" else ()

    monkeypatch.setattr(dns.asyncresolver, "Resolver", Local)
    monkeypatch.setattr(authorities, "addresses", look_up)
    assert await servers_of_domain(DOMAIN) == (Server("192.0.2.7"),)
    with pytest.raises(SinkError, match=r"name servers of nodes\.example\.net cannot be found"):
        await servers_of_domain("nodes.example.net")

    async def at_home(host: str, port: int = 53) -> tuple[Server, ...]:
        return (Server("127.0.0.1", port, host),)

    monkeypatch.setattr(authorities, "addresses", at_home)
    with pytest.raises(SinkError, match=rf"no addresses that readers reach: .*ns2\.{ZONE}"):
        await servers_of_domain(DOMAIN)


async def test_a_dns_that_knows_no_domain_at_all_is_told_in_plain_words(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def lost(*_: Any, **__: Any) -> None:
        raise dns.resolver.NoRootSOA

    monkeypatch.setattr(dns.asyncresolver, "zone_for_name", lost)
    with pytest.raises(SinkError, match="knows no domain above it"):
        await servers_of_domain(DOMAIN)


@pytest.mark.parametrize(
    ("error", "found"), [(socket.EAI_NONAME, ()), (socket.EAI_NODATA, ()), (socket.EAI_AGAIN, None)]
)
async def test_a_name_without_an_address_is_no_server_and_a_silent_dns_is_an_error(
    monkeypatch: pytest.MonkeyPatch, error: int, found: tuple[Server, ...] | None
) -> None:
    def fail(*_: Any, **__: Any) -> None:
        raise socket.gaierror(error, "as the test says")

    monkeypatch.setattr(socket, "getaddrinfo", fail)
    if found is None:
        with pytest.raises(SinkError, match="cannot be looked up"):
            await addresses("ns1.example.org")
    else:
        assert await addresses("ns1.example.org") == found


@pytest.fixture
async def babbler() -> AsyncIterator[tuple[Server, list[bytes]]]:
    """A server that answers any connection with the bytes that the test puts into the list."""
    answers: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1024)
        writer.write(b"".join(answers))
        writer.close()

    running = await asyncio.start_server(serve, HOST, 0)
    yield Server(HOST, running.sockets[0].getsockname()[1]), answers
    running.close()
    await running.wait_closed()


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"\x00",
        b"\x00\x05abc",
        b"\x00\x03abc",
        b"\x00\x0c" + b"\x12\x34" + b"\x80\x00" + bytes(8),  # an answer to another question
        b"\x00\x20" + b"\xff" * 32,
    ],
)
async def test_nonsense_from_a_server_is_told_as_such(
    babbler: tuple[Server, list[bytes]], answer: bytes
) -> None:
    server, answers = babbler
    answers.append(answer)
    with pytest.raises(SinkError, match=f"port {server.port}"):
        await texts_at(server, [DOMAIN])


async def test_names_without_text_and_names_that_do_not_exist_have_none(server: DnsServer) -> None:
    names = [DOMAIN, f"ns2.{ZONE}", f"nobody.{ZONE}"]
    found = await texts_at(Server(HOST, server.port), names)
    assert found == {DOMAIN: (SPF,), f"ns2.{ZONE}": (), f"nobody.{ZONE}": ()}
