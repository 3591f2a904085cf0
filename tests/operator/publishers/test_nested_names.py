"""What others have beneath a tree's domain: neither its changes nor its end take any of it.

Whoever deletes by the end of a name erases a tree that lies beneath another one.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import dns.query
import dns.rcode
import dns.tsigkeyring
import dns.update
import pytest

from statusfleet.publishers.rfc2136 import Rfc2136Sink, UpdateSettings
from statusfleet.publishers.sink import Target
from statusfleet.tree.publication import Publication
from statusfleet.tree.zone import ZoneSettings
from statusnode.crypto.keys import PrivateKey
from statusnode.discovery.resolver import DnsResolver
from statusnode.records.tree import SignedTree, Tree
from support.dns_servers import KEY_NAME, SECRET, SERVERS, SPF, ZONE, DnsServer
from support.ports import HOST
from support.records import DOMAIN, TREE_KEY, vector_node

NOW = 1_700_000_000.0
INNER = f"inner.{DOMAIN}"
INNER_KEY = PrivateKey(b"\x07" * 32)
STRANGER = f"{'A' * 26}.{DOMAIN}"
"""A name as one of the tree's own entries has."""


@pytest.fixture(params=SERVERS)
def server(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[DnsServer]:
    with SERVERS[request.param](tmp_path) as running:
        yield running


def sink(server: DnsServer) -> Rfc2136Sink:
    return Rfc2136Sink(UpdateSettings(server.address, ZONE, KEY_NAME, "hmac-sha256", SECRET))


def signed(
    numbers: range, seq: int, domain: str = DOMAIN, key: PrivateKey = TREE_KEY
) -> SignedTree:
    return Tree.build([vector_node(number) for number in numbers]).sign(key, domain, seq)


async def publish(place: Rfc2136Sink, wish: Publication, owned: Publication) -> None:
    settings = ZoneSettings(wish.tree.domain, root_ttl_seconds=60, entry_ttl_seconds=3600)
    target = Target(wish, settings, frozenset(owned.records()))
    await place.prepare(target)
    await place.move(target, await place.root(wish.tree.domain))
    await place.tidy(target)


async def write_as_a_stranger(server: DnsServer, name: str, text: str) -> None:
    ring = dns.tsigkeyring.from_text({KEY_NAME: ("hmac-sha256", SECRET)})
    update = dns.update.UpdateMessage(ZONE, keyring=ring)
    update.add(f"{name}.", 60, "TXT", text)
    answer = await asyncio.to_thread(dns.query.tcp, update, HOST, 10, server.port)
    assert answer.rcode() == dns.rcode.NOERROR


async def test_what_lies_beneath_a_tree_outlives_its_changes_and_its_end(server: DnsServer) -> None:
    outer, inner = sink(server), sink(server)
    beneath = Publication(signed(range(10, 30), 1, INNER, INNER_KEY))
    await publish(inner, beneath, beneath)
    await write_as_a_stranger(server, STRANGER, "elsewhere")
    resolver = DnsResolver((HOST, server.port))

    async def is_as_it_was() -> bool:
        (seen,) = await inner.read_back(beneath.tree.url)
        theirs = await resolver.texts(STRANGER)
        return (seen.complaints, list(theirs)) == ((), ["elsewhere"])

    first = Publication(signed(range(20), 1))
    await publish(outer, first, first)
    second = first.replaced_by(signed(range(5, 25), 2), now=NOW, root_ttl_seconds=60)
    await publish(outer, second, second)
    later = second.pruned(now=NOW + 86_400)
    await publish(outer, later, second)
    assert await is_as_it_was()
    settings = ZoneSettings(DOMAIN, root_ttl_seconds=60, entry_ttl_seconds=3600)
    await outer.withdraw(Target(later, settings, frozenset(later.records())))
    assert await is_as_it_was()
    assert list(await resolver.texts(DOMAIN)) == [SPF]
