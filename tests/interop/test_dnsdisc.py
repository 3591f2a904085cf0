"""go-ethereum judges our records and trees: its dnsdisc client, its tree builder, its enrdump."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from statusfleet.publishers.answers import Verdict
from statusfleet.publishers.embedded import EmbeddedDnsServer
from statusfleet.tree.publication import Publication
from statusfleet.tree.zone import Zone, ZoneSettings
from statusnode.records.enr import Record
from statusnode.records.tree import Link, SignedTree, Tree
from support.go import go_binary
from support.records import DOMAIN, TREE_KEY, vector_key, vector_node, vector_tree

pytestmark = pytest.mark.timeout(900)

MODULE = Path(__file__).parent / "dnsdisc"
SETTINGS = ZoneSettings(DOMAIN)
LINK = Link(TREE_KEY.public_key, "other.example.org")
SIZES = [0, 1, 13, 14, 170, 500]


@pytest.fixture(scope="session")
def dnsdisc() -> Path:
    return go_binary(MODULE, "dnsdisc")


@pytest.fixture(scope="session")
def devp2p() -> Path:
    return go_binary(MODULE, "devp2p", "github.com/ethereum/go-ethereum/cmd/devp2p")


@pytest.fixture
async def server() -> AsyncIterator[EmbeddedDnsServer]:
    server = EmbeddedDnsServer(SETTINGS)
    await server.start("127.0.0.1")
    yield server
    await server.stop()


async def run(program: Path, *arguments: str, stdin: str = "") -> str:
    process = await asyncio.create_subprocess_exec(
        program,
        *arguments,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    output, errors = await process.communicate(stdin.encode())
    if process.returncode:
        raise RuntimeError(errors.decode())
    return output.decode()


async def read_by_go(
    dnsdisc: Path, server: EmbeddedDnsServer, signed: SignedTree, *more: str
) -> dict[str, Any]:
    command = "iterate" if more else "sync"
    address = "{}:{}".format(*server.address)
    result: dict[str, Any] = json.loads(await run(dnsdisc, command, signed.url, address, *more))
    return result


def texts(tree: SignedTree) -> list[str]:
    return sorted(str(node) for node in tree.tree.nodes)


@pytest.mark.parametrize("nodes", SIZES)
@pytest.mark.parametrize("links", [0, 14])
async def test_go_builds_the_same_tree_byte_for_byte(dnsdisc: Path, nodes: int, links: int) -> None:
    signed = vector_tree(
        nodes,
        links=tuple(
            Link(vector_key(number).public_key, f"{number}.example.org") for number in range(links)
        ),
    )
    content = {
        "nodes": [str(node) for node in reversed(signed.tree.nodes)],
        "links": [str(link) for link in signed.tree.links],
    }

    built = json.loads(
        await run(
            dnsdisc,
            *("sign", TREE_KEY.data.hex(), DOMAIN, str(signed.seq)),
            stdin=json.dumps(content),
        )
    )

    assert built == {"url": signed.url, "records": signed.records()}


@pytest.mark.parametrize("nodes", SIZES)
async def test_go_syncs_the_served_tree_completely(
    dnsdisc: Path, server: EmbeddedDnsServer, nodes: int
) -> None:
    signed = vector_tree(nodes, links=(LINK,))
    server.publish(Zone.of(signed, SETTINGS))

    found = await read_by_go(dnsdisc, server, signed)

    assert found == {"seq": 7, "nodes": texts(signed), "links": [str(LINK)]}


async def test_go_reads_a_tree_whose_domain_makes_replies_too_long_for_a_plain_datagram(
    dnsdisc: Path,
) -> None:
    domain = ".".join([*["d" * 60] * 3, "org"])
    settings = ZoneSettings(domain)
    big = [
        Record.sign(vector_key(number), 1, ip="10.0.0.1", tcp=1, extra={"x": bytes(160)})
        for number in range(3)
    ]
    signed = Tree.build(big).sign(TREE_KEY, domain, 1)
    server = EmbeddedDnsServer(settings)
    server.publish(Zone.of(signed, settings))
    await server.start("127.0.0.1")
    try:
        found = await read_by_go(dnsdisc, server, signed)
    finally:
        await server.stop()

    assert found["nodes"] == texts(signed)


async def test_gos_iterator_visits_every_node_while_the_tree_changes(
    dnsdisc: Path, server: EmbeddedDnsServer
) -> None:
    signed = vector_tree(60)
    server.publish(Zone.of(signed, SETTINGS))
    reading = asyncio.create_task(read_by_go(dnsdisc, server, signed, "60"))
    publication = Publication(signed)
    seq = signed.seq
    while not reading.done():
        seq += 1
        changed = vector_tree(60 + seq % 5, seq=seq)
        publication = publication.replaced_by(changed, now=0, root_ttl_seconds=1)
        server.publish(Zone.of(publication, SETTINGS))
        await asyncio.wait([reading], timeout=0.005)

    found = set((await reading)["nodes"])
    assert len(found) == 60
    assert found <= {str(vector_node(number)) for number in range(65)}
    assert server.counters.verdicts[Verdict.NO_NAME] == 0


async def test_go_refuses_what_we_would_refuse(dnsdisc: Path, server: EmbeddedDnsServer) -> None:
    signed = vector_tree(14)
    leaf = next(name for name, text in signed.records().items() if text.startswith("enr:"))
    texts_without = {name: text for name, text in signed.records().items() if name != leaf}
    server.publish(Zone(SETTINGS, serial=1, texts=texts_without))

    with pytest.raises(RuntimeError, match="no such host"):
        await read_by_go(dnsdisc, server, signed)

    other_key = signed.tree.sign(vector_key(0), DOMAIN, 7)
    server.publish(Zone.of(other_key, SETTINGS))
    with pytest.raises(RuntimeError, match="invalid base64 signature"):
        await read_by_go(dnsdisc, server, signed)


@pytest.mark.parametrize(
    "record",
    [
        vector_node(5),
        Record.sign(vector_key(1), 2**64 - 1, ip="10.1.2.3", tcp=443),
        Record.sign(vector_key(2), 0, ip6="2001:db8::1", tcp=1, udp=2, tcp6=3, udp6=4),
        Record.sign(vector_key(3), 1),
    ],
    ids=["plain", "largest number", "IPv6", "no address"],
)
async def test_enrdump_understands_our_records(devp2p: Path, record: Record) -> None:
    printed = await run(devp2p, "enrdump", str(record))

    assert f"Node ID: {record.node_id.hex()}" in printed
    assert f"Record has sequence number {record.seq}" in printed
    for name, port in (("tcp", record.tcp), ("udp", record.udp), ("tcp6", record.tcp6)):
        assert (f'"{name}"' in printed) == (port is not None)
        assert port is None or f" {port}\n" in printed
    if record.ip:
        assert record.ip in printed
        assert f"URLv4:   {record.enode()}" in printed
