"""TXT look-ups at a tiny DNS server that can misbehave in every way."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import dns.flags
import dns.message
import dns.rcode
import dns.rrset
import pytest

from statusnode.discovery.resolver import DnsResolver, ResolutionError

NAME = "nodes.example.org"
Script = Callable[[dns.message.Message], list[bytes]]


class Endpoint(asyncio.DatagramProtocol):
    def __init__(self, script: Script) -> None:
        self.script = script

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        for reply in self.script(dns.message.from_wire(data)):
            self.transport.sendto(reply, addr)


@asynccontextmanager
async def server(script: Script) -> AsyncIterator[tuple[str, int]]:
    loop = asyncio.get_running_loop()
    transport, _ = await loop.create_datagram_endpoint(
        lambda: Endpoint(script), local_addr=("127.0.0.1", 0)
    )
    try:
        yield transport.get_extra_info("sockname")[:2]
    finally:
        transport.close()
        await asyncio.sleep(0)


def answering(*texts: str) -> Script:
    def script(query: dns.message.Message) -> list[bytes]:
        response = dns.message.make_response(query)
        response.answer.append(dns.rrset.from_text(query.question[0].name, 60, "IN", "TXT", *texts))
        return [response.to_wire()]

    return script


def failing(rcode: dns.rcode.Rcode) -> Script:
    def script(query: dns.message.Message) -> list[bytes]:
        response = dns.message.make_response(query)
        response.set_rcode(rcode)
        return [response.to_wire()]

    return script


async def test_strings_are_joined_and_records_kept_apart() -> None:
    async with server(answering('"ab" "cd"', '"ef"')) as address:
        texts = await DnsResolver(address, 30).texts(NAME)

    assert sorted(texts) == ["abcd", "ef"]


async def test_bytes_that_are_no_text_do_no_harm() -> None:
    async with server(answering(r'"\255\000x"')) as address:
        assert await DnsResolver(address, 30).texts(NAME) == ["\ufffd\0x"]


@pytest.mark.parametrize(
    ("rcode", "why"),
    [
        (dns.rcode.NXDOMAIN, "no such name"),
        (dns.rcode.NOERROR, "no TXT record"),
        (dns.rcode.REFUSED, "no DNS server answers for it: REFUSED"),
        (dns.rcode.SERVFAIL, "no DNS server answers for it: SERVFAIL"),
    ],
)
async def test_every_refusal_is_one_sentence(rcode: dns.rcode.Rcode, why: str) -> None:
    async with server(failing(rcode)) as address:
        with pytest.raises(ResolutionError, match=why):
            await DnsResolver(address, 30).texts(NAME)


@pytest.mark.parametrize(
    "script", [lambda query: [], lambda query: [b"\x00"], lambda query: [query.to_wire()]]
)
async def test_a_server_that_is_silent_or_confused_is_given_up(script: Script) -> None:
    async with server(script) as address:
        with pytest.raises(ResolutionError):
            await DnsResolver(address, 0.5).texts(NAME)


async def test_a_name_that_cannot_be_is_a_failure_too() -> None:
    with pytest.raises(ResolutionError):
        await DnsResolver(("127.0.0.1", 1), 0.5).texts("a" * 64 + ".example.org")


async def test_nobody_listening_is_a_failure() -> None:
    async with server(answering("x")) as address:
        pass
    with pytest.raises(ResolutionError):
        await DnsResolver(address, 0.5).texts(NAME)
