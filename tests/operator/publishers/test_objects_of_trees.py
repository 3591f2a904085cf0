"""A tree as objects of a cluster: a zone file, DNSEndpoints, what a fleet's servers follow."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator

import pytest
from pydantic import SecretStr

from statusfleet.api.tree import Sink as SinkSpec
from statusfleet.kube.kinds import DNS_ENDPOINT, Kind
from statusfleet.publishers.authorities import Server
from statusfleet.publishers.build import SinkBuilder
from statusfleet.publishers.cluster_dns import ClusterDnsSink
from statusfleet.publishers.dnsendpoint import DnsEndpointSink
from statusfleet.publishers.embedded import EmbeddedDnsServer
from statusfleet.publishers.objects import Owner
from statusfleet.publishers.rfc2136 import Rfc2136Sink
from statusfleet.publishers.sink import (
    LaggingError,
    Sink,
    SinkError,
    Target,
)
from statusfleet.publishers.zonefile import ZoneFileSink
from statusfleet.tree.publication import Publication
from statusfleet.tree.zone import Zone, ZoneSettings
from statusnode.records.tree import SignedTree, Tree
from support.kube_objects import FakeObjects
from support.records import DOMAIN, TREE_KEY, vector_node, vector_tree

NOW = 1_700_000_000.0
OWNER = Owner("status", "eth")
SETTINGS = ZoneSettings(DOMAIN, root_ttl_seconds=60, entry_ttl_seconds=3600)


@pytest.fixture
def objects() -> FakeObjects:
    return FakeObjects()


@pytest.fixture
async def dns() -> AsyncIterator[EmbeddedDnsServer]:
    """The servers of the domain, filled by the test as ExternalDNS would."""
    server = EmbeddedDnsServer(SETTINGS)
    await server.start("127.0.0.1")
    yield server
    await server.stop()


def tree_of(numbers: range, seq: int) -> SignedTree:
    return Tree.build([vector_node(number) for number in numbers]).sign(TREE_KEY, DOMAIN, seq)


def target(publication: Publication, *, owned: Publication | None = None) -> Target:
    return Target(publication, SETTINGS, frozenset((owned or publication).records()))


async def publish(place: Sink, wish: Target) -> None:
    await place.prepare(wish)
    await place.move(wish, await place.root(DOMAIN))
    await place.tidy(wish)


# ── DNSEndpoint ──


def endpoints(
    objects: FakeObjects, dns: EmbeddedDnsServer, *, patience_seconds: float = 0.0
) -> DnsEndpointSink:
    async def find(domain: str) -> list[Server]:
        assert domain == DOMAIN
        return [Server(*dns.address)]

    return DnsEndpointSink(objects, OWNER, find_servers=find, patience_seconds=patience_seconds)


def external_dns(objects: FakeObjects, *, cut: int = 0) -> Zone:
    """What ExternalDNS would make of the objects; `cut` spoils long texts."""
    texts = {
        endpoint["dnsName"]: endpoint["targets"][0].strip('"')
        for (kind, _, _), body in objects.objects.items()
        if kind == "DNSEndpoint"
        for endpoint in body["spec"]["endpoints"]
    }
    texts = {name: text[:cut] if cut else text for name, text in texts.items()}
    return Zone(SETTINGS, 1, texts)


async def test_the_root_is_written_only_when_the_dns_has_every_entry(
    objects: FakeObjects, dns: EmbeddedDnsServer
) -> None:
    place, wish = endpoints(objects, dns), target(Publication(vector_tree(14)))
    dns.publish(Zone(SETTINGS, 1, {DOMAIN: "v=spf1 -all"}))
    with pytest.raises(LaggingError, match="does not have"):
        await place.prepare(wish)
    assert [name for _, _, name in objects.objects] == ["eth-tree-entries"]
    dns.publish(external_dns(objects))
    await publish(place, wish)
    assert sorted(name for _, _, name in objects.objects) == ["eth-tree-entries", "eth-tree-root"]
    dns.publish(external_dns(objects))
    (seen,) = await place.read_back(wish.publication.tree.url)
    assert (seen.seq, len(seen.nodes), seen.complaints) == (7, 14, ())
    entries = wish.publication.tree.tree.entries
    assert set(await place.entries(DOMAIN, entries.keys())) == set(entries.values())
    writes = objects.writes
    await publish(place, wish)
    assert objects.writes == writes


async def test_a_provider_that_spoils_long_texts_is_found_out_before_the_root(
    objects: FakeObjects, dns: EmbeddedDnsServer
) -> None:
    place, wish = endpoints(objects, dns), target(Publication(vector_tree(14)))
    dns.publish(Zone(SETTINGS, 1, {DOMAIN: "v=spf1 -all"}))
    with pytest.raises(LaggingError):
        await place.prepare(wish)
    dns.publish(external_dns(objects, cut=255))
    with pytest.raises(SinkError, match=r"changed text .* the root is not moved") as caught:
        await place.prepare(wish)
    assert not isinstance(caught.value, LaggingError)
    assert ("DNSEndpoint", "status", "eth-tree-root") not in objects.objects


async def test_entries_outlive_the_root_that_named_them_until_their_time(
    objects: FakeObjects, dns: EmbeddedDnsServer
) -> None:
    place = endpoints(objects, dns, patience_seconds=60)
    objects_changed = asyncio.create_task(_mirror(objects, dns))
    first = Publication(tree_of(range(1500), 1))
    await publish(place, target(first))
    second = first.replaced_by(tree_of(range(3), 2), now=NOW, root_ttl_seconds=60)
    await publish(place, target(second))
    assert external_dns(objects).texts == second.records()
    later = second.pruned(now=NOW + 86_400)
    await publish(place, target(later, owned=second))
    assert external_dns(objects).texts == later.records()
    assert sorted(name for _, _, name in objects.objects) == ["eth-tree-entries", "eth-tree-root"]
    await place.withdraw(target(later))
    assert not objects.objects
    objects_changed.cancel()


async def test_no_entry_is_taken_away_while_the_dns_shows_the_root_before(
    objects: FakeObjects, dns: EmbeddedDnsServer
) -> None:
    place = endpoints(objects, dns, patience_seconds=60)
    mirroring = asyncio.create_task(_mirror(objects, dns))
    first = Publication(tree_of(range(20), 1))
    await publish(place, target(first))
    second = first.replaced_by(tree_of(range(3), 2), now=NOW, root_ttl_seconds=60)
    await place.prepare(target(second))
    mirroring.cancel()  # ExternalDNS is away for a day
    dns_before = external_dns(objects).texts
    later = target(second.pruned(now=NOW + 86_400), owned=second)
    dns.publish(Zone(SETTINGS, 1, dns_before))
    await place.move(later, target(first).root)
    await place.tidy(later)
    assert external_dns(objects).texts == {**dns_before, DOMAIN: later.root}
    (seen,) = await place.read_back(later.publication.tree.url)
    assert (seen.seq, seen.root) == (1, target(first).root)
    assert re.search(r"gives number 1.*--registry=noop", seen.complaints[0])
    dns.publish(external_dns(objects))
    await place.tidy(later)
    assert external_dns(objects).texts == later.publication.records()


async def test_an_object_that_somebody_deletes_or_changes_is_noticed_and_comes_back(
    objects: FakeObjects, dns: EmbeddedDnsServer
) -> None:
    def watched(kind: Kind, name: str) -> str | None:
        found = objects.objects.get((kind.kind, "status", name))
        return found["metadata"]["resourceVersion"] if found is not None else None

    async def look_up(domain: str) -> tuple[Server, ...]:
        return (Server(*dns.address),)

    owner = Owner("status", "eth", watched)
    place = DnsEndpointSink(objects, owner, find_servers=look_up, patience_seconds=60)
    mirroring = asyncio.create_task(_mirror(objects, dns))
    wish = target(Publication(tree_of(range(1500), 1)))
    await publish(place, wish)
    assert not place.touched()
    for name in sorted(name for _, _, name in objects.objects):
        metadata = objects.objects["DNSEndpoint", "status", name]["metadata"]
        version = {"uid": metadata["uid"], "resource_version": metadata["resourceVersion"]}
        await objects.delete(DNS_ENDPOINT, "status", name, **version)
        assert place.touched()
        await publish(place, wish)
        assert not place.touched()
        spoilt = objects.objects["DNSEndpoint", "status", name]
        objects.put({**spoilt, "spec": {"endpoints": []}})
        assert place.touched()
        await publish(place, wish)
        assert not place.touched()
    assert external_dns(objects).texts == wish.publication.records()
    await place.withdraw(wish)
    assert not place.touched()
    mirroring.cancel()


async def _mirror(objects: FakeObjects, dns: EmbeddedDnsServer) -> None:
    async for _ in objects.follow(DNS_ENDPOINT, "", ""):
        dns.publish(external_dns(objects))


async def test_a_cluster_without_the_kind_is_told(
    objects: FakeObjects, dns: EmbeddedDnsServer
) -> None:
    objects.missing_kinds.add("DNSEndpoint")
    with pytest.raises(SinkError, match="install ExternalDNS"):
        await endpoints(objects, dns).prepare(target(Publication(tree_of(range(2), 1))))


async def test_where_the_kind_is_missing_nothing_has_to_be_taken_back(
    objects: FakeObjects, dns: EmbeddedDnsServer
) -> None:
    objects.missing_kinds.add("DNSEndpoint")
    assert await endpoints(objects, dns).root(DOMAIN) is None
    await endpoints(objects, dns).withdraw(target(Publication(tree_of(range(2), 1))))


# ── from the spec ──

PUBLISH = [
    {"embedded": {}},
    {"zoneFile": {"configMap": "eth-zone"}},
    {"dnsEndpoint": {}},
    {
        "rfc2136": {
            "server": "192.0.2.1:53",
            "zone": "example.org",
            "tsig": {"secretKeyRef": {"name": "tsig", "key": "secret"}},
        }
    },
]


def specs() -> list[SinkSpec]:
    return [SinkSpec.model_validate(part) for part in PUBLISH]


def test_each_place_of_the_spec_becomes_its_sink(objects: FakeObjects) -> None:
    secrets = {("tsig", "secret"): SecretStr("c2VjcmV0\n")}
    sinks = SinkBuilder(objects, OWNER).build(specs(), secrets)
    kinds = [ClusterDnsSink, ZoneFileSink, DnsEndpointSink, Rfc2136Sink]
    assert [type(sink) for sink in sinks] == kinds
    assert [sink.name for sink in sinks] == [spec.name for spec in specs()]


async def test_a_sink_whose_secret_is_missing_or_wrong_says_so_and_the_others_stay(
    objects: FakeObjects,
) -> None:
    builder = SinkBuilder(objects, OWNER)
    right = builder.build(specs(), {("tsig", "secret"): SecretStr("c2VjcmV0")})
    assert builder.build(specs(), {("tsig", "secret"): SecretStr("c2VjcmV0")}) == right
    without = builder.build(specs(), {})
    assert without[:3] == right[:3]
    with pytest.raises(SinkError, match="key secret of Secret tsig, which is not there"):
        await without[3].root(DOMAIN)
    wrong = builder.build(specs(), {("tsig", "secret"): SecretStr("no base64!")})
    with pytest.raises(SinkError, match="no base64") as caught:
        await wrong[3].prepare(target(Publication(vector_tree(1))))
    assert "no base64!" not in str(caught.value)
