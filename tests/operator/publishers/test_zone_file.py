"""A zone file in a ConfigMap: written whole, with a rising serial, and shown by real servers.

The cluster is pretended (`support/kube_objects.py`); the servers are BIND.
"""

from __future__ import annotations

import asyncio
import itertools
import re
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, asynccontextmanager, suppress
from dataclasses import replace
from pathlib import Path

import dns.asyncquery
import dns.exception
import dns.message
import dns.zone
import pytest

from statusfleet.kube.kinds import CONFIG_MAP
from statusfleet.publishers.authorities import Server, text_of
from statusfleet.publishers.objects import Owner
from statusfleet.publishers.sink import (
    ForeignTreeError,
    LaggingError,
    RootMovedError,
    Sink,
    SinkError,
    Target,
)
from statusfleet.publishers.zonefile import ZoneFileSink
from statusfleet.tree.publication import Publication
from statusfleet.tree.zone import Zone, ZoneSettings
from statusnode.crypto.keys import PrivateKey
from statusnode.records.tree import SignedTree, Tree, TreeError
from support.dns_servers import DnsServer, file_server
from support.kube_objects import FakeObjects
from support.ports import HOST
from support.records import DOMAIN, TREE_KEY, vector_node, vector_tree
from support.tree_walker import walking

NOW = 1_700_000_000.0
OWNER = Owner("status", "eth")
SETTINGS = ZoneSettings(DOMAIN, root_ttl_seconds=60, entry_ttl_seconds=3600)
KEY = f"{DOMAIN}.zone"
URL = vector_tree(0).url


@pytest.fixture
def objects() -> FakeObjects:
    return FakeObjects()


@pytest.fixture
def servers(tmp_path: Path) -> Iterator[tuple[DnsServer, DnsServer]]:
    """Two servers of the domain; each has a zone without a tree."""
    empty = Zone(SETTINGS, 1, {}).to_text()
    with ExitStack() as stack:
        folders = [tmp_path / name for name in ("one", "two")]
        for folder in folders:
            folder.mkdir()
        one, two = (stack.enter_context(file_server(f, DOMAIN, empty)) for f in folders)
        yield one, two


def sink(
    objects: FakeObjects, *servers: DnsServer, patience_seconds: float = 0.0, now: float = NOW
) -> ZoneFileSink:
    async def find(domain: str) -> list[Server]:
        assert domain == DOMAIN
        if not servers:
            raise SinkError(f"the name servers of {domain} cannot be found")
        return [Server(HOST, server.port) for server in servers]

    return ZoneFileSink(
        objects,
        OWNER,
        "eth-zone",
        find_servers=find,
        patience_seconds=patience_seconds,
        now=lambda: now,
    )


def file_of(objects: FakeObjects) -> str:
    text: str = objects.objects["ConfigMap", "status", "eth-zone"]["data"][KEY]
    return text


def serial(text: str) -> int:
    """Return what the file's SOA says, without reading the hundreds of records behind it."""
    found = re.search(r" SOA \S+ \S+ (\d+) ", text)
    assert found is not None
    return int(found[1])


def tree_in(text: str) -> SignedTree:
    """Return the tree in a file, read by a parser of zones."""
    zone = dns.zone.from_text(text, f"{DOMAIN}.", relativize=False)
    texts = {
        name.to_text(omit_final_dot=True): text_of(data[0])
        for name, data in zone.iterate_rdatasets("TXT")
    }
    return SignedTree.parse(URL, texts)


def tree_of(numbers: range, seq: int) -> SignedTree:
    return Tree.build([vector_node(number) for number in numbers]).sign(TREE_KEY, DOMAIN, seq)


def target(publication: Publication) -> Target:
    return Target(publication, SETTINGS, frozenset(publication.records()))


async def publish(place: Sink, wish: Target) -> None:
    await place.prepare(wish)
    await place.move(wish, await place.root(DOMAIN))
    await place.tidy(wish)


async def test_a_zone_file_holds_the_tree_and_reads_back_whole(objects: FakeObjects) -> None:
    place, wish = sink(objects), target(Publication(vector_tree(20)))
    await publish(place, wish)
    found = objects.objects["ConfigMap", "status", "eth-zone"]
    assert found["metadata"]["labels"]["statusfleet.io/fleet"] == "eth"
    assert list(found["data"]) == [KEY]
    assert tree_in(file_of(objects)) == wish.publication.tree
    writes = objects.writes
    await publish(place, wish)
    assert objects.writes == writes


async def test_a_zone_file_moves_by_compare_and_swap(objects: FakeObjects) -> None:
    place = sink(objects)
    first, second = (target(Publication(vector_tree(3, seq=seq))) for seq in (1, 2))
    await publish(place, first)
    with pytest.raises(RootMovedError):
        await place.move(second, None)
    foreign = Tree.build([]).sign(PrivateKey(b"\x07" * 32), DOMAIN, 1)
    with pytest.raises(ForeignTreeError):
        await place.withdraw(target(Publication(foreign)))
    await place.move(second, first.root)
    await place.withdraw(second)
    assert not objects.objects


async def test_a_config_map_of_somebody_else_is_left_alone(objects: FakeObjects) -> None:
    metadata = {"name": "eth-zone", "namespace": "status"}
    objects.put({"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": {"a": "b"}})
    place = sink(objects)
    with pytest.raises(SinkError, match="not of this fleet"):
        await place.move(target(Publication(vector_tree(3))), None)
    assert objects.objects["ConfigMap", "status", "eth-zone"]["data"] == {"a": "b"}


async def test_a_zone_file_too_large_for_its_object_is_told_before_anything_is_written(
    objects: FakeObjects,
) -> None:
    place = sink(objects)
    with pytest.raises(SinkError, match="publish to a DNS server instead"):
        await place.prepare(target(Publication(vector_tree(5000))))
    assert not objects.objects


async def test_a_damaged_zone_file_is_not_taken_for_a_tree_and_is_written_anew(
    objects: FakeObjects,
) -> None:
    place, wish = sink(objects), target(Publication(vector_tree(3)))
    await publish(place, wish)
    found = objects.objects["ConfigMap", "status", "eth-zone"]
    found["data"][f"{DOMAIN}.zone"] = "this is ( no zone"
    with pytest.raises(TreeError):
        await place.read_back(wish.publication.tree.url)
    await publish(place, wish)
    assert tree_in(file_of(objects)) == wish.publication.tree


async def test_the_serial_rises_with_every_difference_and_with_nothing_else(
    objects: FakeObjects,
) -> None:
    wish = target(Publication(vector_tree(3)))
    longer = replace(wish, settings=replace(SETTINGS, root_ttl_seconds=90))
    keeper = replace(longer, settings=replace(longer.settings, mail="dns.example.org"))
    seen = []
    for each in (wish, longer, keeper, keeper):
        await publish(sink(objects), each)
        seen.append(serial(file_of(objects)))
    assert seen == [NOW, NOW + 1, NOW + 2, NOW + 2]
    # Also where the file before is lost, and with it what its serial was.
    objects.objects.clear()
    await publish(sink(objects, now=NOW + 60), wish)
    assert serial(file_of(objects)) == NOW + 60


async def test_a_file_that_no_server_shows_is_published_and_not_propagated(
    objects: FakeObjects,
) -> None:
    first = Publication(tree_of(range(3), 1))
    await publish(sink(objects), target(first))
    second = first.replaced_by(tree_of(range(5), 2), now=NOW, root_ttl_seconds=60)
    await publish(sink(objects), target(second))
    assert await sink(objects).root(DOMAIN) == target(second).root
    with pytest.raises(TreeError, match="have a DNS server load the file"):
        await sink(objects).read_back(second.tree.url)


async def test_the_root_waits_in_the_file_until_every_server_that_shows_the_tree_has_the_entries(
    objects: FakeObjects, servers: tuple[DnsServer, DnsServer]
) -> None:
    one, two = servers
    first = Publication(tree_of(range(3), 1))
    place = sink(objects, one, two, patience_seconds=30)
    hasty = sink(objects, one, two)
    await publish(place, target(first))
    for server in servers:
        server.load(file_of(objects))
    await shown(place, first)
    second = first.replaced_by(tree_of(range(5), 2), now=NOW, root_ttl_seconds=60)
    with pytest.raises(LaggingError, match="does not have"):
        await hasty.prepare(target(second))
    assert await place.root(DOMAIN) == target(first).root
    one.load(file_of(objects))
    await asyncio.sleep(0.2)
    with pytest.raises(LaggingError, match=f"port {two.port} does not have"):
        await hasty.prepare(target(second))
    two.load(file_of(objects))
    await publish(place, target(second))
    for server in servers:
        server.load(file_of(objects))
    await shown(place, second)


async def test_no_root_moves_unseen_because_the_dns_is_silent_for_a_moment(
    objects: FakeObjects, servers: tuple[DnsServer, DnsServer]
) -> None:
    clock, silent = [NOW], []

    async def find(_domain: str) -> list[Server]:
        if silent:
            raise SinkError("the DNS is silent")
        return [Server(HOST, server.port) for server in servers]

    place = ZoneFileSink(objects, OWNER, "eth-zone", find_servers=find, now=lambda: clock[0])
    first = Publication(tree_of(range(3), 1))
    await publish(place, target(first))
    for server in servers:
        await loaded(server, file_of(objects))
    await shown(place, first)
    silent.append(True)
    second = first.replaced_by(tree_of(range(5), 2), now=NOW, root_ttl_seconds=60)
    with pytest.raises(SinkError, match="the DNS is silent"):
        await place.prepare(target(second))
    assert await place.root(DOMAIN) == target(first).root
    # For long, it is no server of the tree any more.
    clock[0] += 3600
    await publish(place, target(second))
    assert await place.root(DOMAIN) == target(second).root


async def shown(place: ZoneFileSink, publication: Publication) -> None:
    """Wait until every server shows the tree, whole."""
    async with asyncio.timeout(60):
        while True:
            try:
                seen = await place.read_back(publication.tree.url)
            except TreeError:
                seen = ()
            if seen and all((s.seq, s.complaints) == (publication.tree.seq, ()) for s in seen):
                return
            await asyncio.sleep(0.05)


async def loaded(server: DnsServer, text: str) -> None:
    """Have a server load a file; told while it loads another, it may not hear of it."""
    query = dns.message.make_query(DOMAIN, "SOA")
    for turn in itertools.count():
        if turn % 40 == 0:
            server.load(text)
        with suppress(dns.exception.Timeout):
            answer = await dns.asyncquery.udp(query, HOST, timeout=5, port=server.port)
            if answer.answer and int(answer.answer[0][0].serial) == serial(text):
                return
        await asyncio.sleep(0.05)


@asynccontextmanager
async def carried(objects: FakeObjects, *servers: DnsServer) -> AsyncIterator[None]:
    """Have each server load the file after each change, one some time after the other."""

    async def carry() -> None:
        async for found in objects.follow(CONFIG_MAP, "status", "eth-zone"):
            for server in servers:
                if found is not None:
                    await loaded(server, found["data"][KEY])
                    await asyncio.sleep(0.05)

    task = asyncio.create_task(carry())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


@pytest.mark.slow
@pytest.mark.timeout(900)
async def test_a_reader_that_never_stops_sees_no_missing_entry_in_200_changes(
    objects: FakeObjects, servers: tuple[DnsServer, DnsServer]
) -> None:
    place = sink(objects, *servers, patience_seconds=60)
    publication = Publication(tree_of(range(16), 1))
    addresses = [(HOST, server.port) for server in servers]
    async with carried(objects, *servers):
        await publish(place, target(publication))
        await shown(place, publication)
        async with walking(publication.tree.url, *addresses) as walks:
            for change in range(200):
                signed = tree_of(range(change + 1, change + 17), change + 2)
                # 50 changes are two hours: then the entries of a tree that nobody reads go.
                now = NOW + change * 144
                publication = publication.replaced_by(signed, now=now, root_ttl_seconds=60)
                publication = publication.pruned(now=now)
                await publish(place, target(publication))
        await shown(place, publication)
    assert len(walks.seqs) > 1
