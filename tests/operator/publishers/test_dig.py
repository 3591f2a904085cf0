"""BIND's `dig` understands the server: the client that a person debugs with."""

from __future__ import annotations

import asyncio
import re
import shutil
from collections.abc import AsyncIterator
from dataclasses import dataclass

import pytest

from statusfleet.publishers.embedded import EmbeddedDnsServer
from statusfleet.tree.zone import Zone, ZoneSettings
from support.records import DOMAIN, vector_tree

SETTINGS = ZoneSettings(DOMAIN)
SIGNED = vector_tree(14)
LEAF = next(name for name, text in SIGNED.records().items() if text.startswith("enr:"))
LONG = f"long.{DOMAIN}"
TEXTS = {**SIGNED.records(), LONG: "y" * 700}


@dataclass(frozen=True)
class Dug:
    """What dig printed, taken apart."""

    output: str

    @property
    def status(self) -> str:
        return re.findall(r"status: (\w+)", self.output)[0]

    @property
    def flags(self) -> list[str]:
        return re.findall(r"flags: ([a-z ]*);", self.output)[0].split()

    @property
    def texts(self) -> list[str]:
        lines = re.findall(r"^[^;].*\sIN\s+TXT\s+(.*)$", self.output, re.MULTILINE)
        return ["".join(re.findall(r'"([^"]*)"', line)) for line in lines]

    @property
    def transport(self) -> str:
        return re.findall(r"SERVER: .* \((UDP|TCP)\)", self.output)[0]


@pytest.fixture
async def server() -> AsyncIterator[EmbeddedDnsServer]:
    server = EmbeddedDnsServer(SETTINGS)
    server.publish(Zone(SETTINGS, serial=7, texts=TEXTS))
    await server.start("127.0.0.1")
    yield server
    await server.stop()


async def dig(server: EmbeddedDnsServer, *arguments: str) -> Dug:
    program = shutil.which("dig")
    if program is None:
        pytest.skip("needs dig (Debian: bind9-dnsutils)")
    host, port = server.address
    process = await asyncio.create_subprocess_exec(
        program,
        "-r",
        f"@{host}",
        *("-p", str(port)),
        "+tries=3",
        "+timeout=20",
        *arguments,
        stdout=asyncio.subprocess.PIPE,
    )
    output, _ = await process.communicate()
    assert process.returncode == 0
    return Dug(output.decode())


@pytest.mark.parametrize(
    ("options", "transport"),
    [
        ((), "UDP"),
        (("+noedns",), "UDP"),
        (("+bufsize=512",), "UDP"),
        (("+tcp",), "TCP"),
        (("+tcp", "+noedns"), "TCP"),
        (("+cookie",), "UDP"),
        (("+dnssec",), "UDP"),
    ],
)
async def test_a_leaf_is_there_however_it_is_asked_for(
    server: EmbeddedDnsServer, options: tuple[str, ...], transport: str
) -> None:
    dug = await dig(server, *options, LEAF, "TXT")

    assert dug.status == "NOERROR"
    assert "aa" in dug.flags
    assert dug.texts == [TEXTS[LEAF]]
    assert dug.transport == transport
    assert "WARNING: recursion requested but not available" in dug.output
    assert "malformed" not in dug.output.lower()


async def test_names_come_back_in_the_case_of_the_question(server: EmbeddedDnsServer) -> None:
    name = LEAF.swapcase()

    dug = await dig(server, name, "TXT")

    assert f";{name}." in dug.output
    assert f"\n{name}." in dug.output
    assert dug.texts == [TEXTS[LEAF]]


async def test_what_does_not_fit_is_asked_for_again_over_tcp(server: EmbeddedDnsServer) -> None:
    cut = await dig(server, "+bufsize=512", "+ignore", LONG, "TXT")
    whole = await dig(server, "+bufsize=512", LONG, "TXT")

    assert "tc" in cut.flags
    assert cut.texts == []
    assert whole.transport == "TCP"
    assert whole.texts == [TEXTS[LONG]]
    assert (await dig(server, "+bufsize=4096", LONG, "TXT")).transport == "UDP"


@pytest.mark.parametrize(
    ("name", "rdtype", "status"),
    [(f"missing.{DOMAIN}", "TXT", "NXDOMAIN"), (LEAF, "A", "NOERROR"), (DOMAIN, "A", "NOERROR")],
)
async def test_what_is_not_there_comes_with_an_soa_of_sixty_seconds(
    server: EmbeddedDnsServer, name: str, rdtype: str, status: str
) -> None:
    dug = await dig(server, name, rdtype)

    assert dug.status == status
    assert "aa" in dug.flags
    assert re.search(rf"\n{re.escape(DOMAIN)}\.\s+60\s+IN\s+SOA\s.* 60\n", dug.output)


async def test_outside_the_zone_it_refuses(server: EmbeddedDnsServer) -> None:
    dug = await dig(server, "example.org", "TXT")

    assert dug.status == "REFUSED"
    assert "aa" not in dug.flags


async def test_the_apex_shows_soa_and_name_servers(server: EmbeddedDnsServer) -> None:
    assert re.search(r"IN\s+NS\s+localhost\.", (await dig(server, DOMAIN, "NS")).output)
    assert re.search(
        r"IN\s+SOA\s+localhost\. hostmaster", (await dig(server, DOMAIN, "SOA")).output
    )


async def test_transfers_and_unknown_operations_are_turned_down(server: EmbeddedDnsServer) -> None:
    assert "Transfer failed" in (await dig(server, DOMAIN, "AXFR")).output
    assert (await dig(server, "+opcode=NOTIFY", DOMAIN, "SOA")).status == "NOTIMP"
    assert (await dig(server, "+edns=1", "+noednsnegotiation", DOMAIN, "SOA")).status == "BADVERS"
