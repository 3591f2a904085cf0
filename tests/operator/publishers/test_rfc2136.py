"""A tree in real DNS servers: BIND, Knot and PowerDNS take it, keep it, and give it back."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import dns.query
import dns.resolver
import pytest

from statusfleet.publishers import rfc2136
from statusfleet.publishers.authorities import Server
from statusfleet.publishers.rfc2136 import Rfc2136Sink, UpdateSettings
from statusfleet.publishers.sink import (
    ForeignTreeError,
    LaggingError,
    RootMovedError,
    SinkError,
    Target,
)
from statusfleet.tree.publication import Publication
from statusfleet.tree.zone import ZoneSettings
from statusnode.crypto.keys import PrivateKey
from statusnode.discovery.dns import TreeReader
from statusnode.discovery.resolver import DnsResolver, ResolutionError
from statusnode.records.tree import SignedTree, Tree, TreeError
from support.dns_servers import KEY_NAME, SECRET, SERVERS, SPF, ZONE, DnsServer
from support.dns_servers import bind as bind_server
from support.ports import HOST
from support.records import DOMAIN, TREE_KEY, vector_node, vector_tree

NOW = 1_700_000_000.0
SETTINGS = ZoneSettings(DOMAIN, root_ttl_seconds=60, entry_ttl_seconds=3600)


@pytest.fixture(params=SERVERS)
def server(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[DnsServer]:
    with SERVERS[request.param](tmp_path) as running:
        yield running


@pytest.fixture
def bind(tmp_path: Path) -> Iterator[DnsServer]:
    with SERVERS["BIND"](tmp_path) as running:
        yield running


def settings(server: DnsServer) -> UpdateSettings:
    return UpdateSettings(server.address, ZONE, KEY_NAME, "hmac-sha256", SECRET)


def sink(server: DnsServer) -> Rfc2136Sink:
    return Rfc2136Sink(settings(server))


def target(publication: Publication, *, owned: Publication | None = None) -> Target:
    return Target(publication, SETTINGS, frozenset((owned or publication).records()))


def tree_of(numbers: range, seq: int) -> SignedTree:
    return Tree.build([vector_node(number) for number in numbers]).sign(TREE_KEY, DOMAIN, seq)


async def publish(place: Rfc2136Sink, wish: Target) -> None:
    await place.prepare(wish)
    await place.move(wish, await place.root(DOMAIN))
    await place.tidy(wish)


async def texts(server: DnsServer, name: str) -> set[str]:
    try:
        return set(await DnsResolver((HOST, server.port)).texts(name))
    except ResolutionError:
        return set()


async def test_a_tree_of_500_nodes_is_published_and_read_back_whole(server: DnsServer) -> None:
    place, signed = sink(server), vector_tree(500)
    await publish(place, target(Publication(signed)))
    (seen,) = await place.read_back(signed.url)
    assert (seen.seq, seen.complaints) == (7, ())
    assert set(seen.nodes) == set(signed.tree.nodes)
    assert await texts(server, DOMAIN) == {str(signed.root), SPF}
    entries = signed.tree.entries
    found = await place.entries(DOMAIN, [*entries, "A" * 26])
    assert sorted(found) == sorted(entries.values())


async def test_a_root_moves_and_what_is_over_goes_and_what_others_wrote_stays(
    server: DnsServer,
) -> None:
    place = sink(server)
    first = Publication(tree_of(range(20), 1))
    await publish(place, target(first))
    second = first.replaced_by(tree_of(range(5, 25), 2), now=NOW, root_ttl_seconds=60)
    await publish(place, target(second))
    # A reader that holds the old root still finds all of it.
    for name in first.records().keys() - {DOMAIN}:
        assert await texts(server, name)
    later = second.pruned(now=NOW + 86_400)
    await publish(place, target(later, owned=second))
    gone = second.records().keys() - later.records().keys()
    assert gone
    for name in gone:
        assert await texts(server, name) == set()
    assert (await place.read_back(later.tree.url))[0].seq == 2
    assert await texts(server, DOMAIN) == {str(later.tree.root), SPF}
    assert await texts(server, f"other.{ZONE}") == {"somebody else's"}


async def test_a_zone_that_may_be_written_and_not_transferred_is_read_name_by_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rfc2136, "_FEW_NAMES", 0)
    with bind_server(tmp_path, transfers=False) as server:
        place = sink(server)
        first = Publication(tree_of(range(20), 1))
        await publish(place, target(first))
        before = serial(server)
        await publish(place, target(first))
        assert serial(server) == before
        second = first.replaced_by(tree_of(range(5, 25), 2), now=NOW, root_ttl_seconds=60)
        await publish(place, target(second))
        later = second.pruned(now=NOW + 86_400)
        await publish(place, target(later, owned=second))
        assert (await place.read_back(later.tree.url))[0].seq == 2
        for name in second.records().keys() - later.records().keys():
            assert await texts(server, name) == set()
        assert await texts(server, DOMAIN) == {str(later.tree.root), SPF}


async def test_a_zone_that_is_too_large_to_be_transferred_is_read_name_by_name(
    bind: DnsServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rfc2136, "_FEW_NAMES", 0)
    monkeypatch.setattr(rfc2136, "_TRANSFER_SECONDS", 0.0)
    place, wish = sink(bind), target(Publication(vector_tree(14)))
    await publish(place, wish)
    before = serial(bind)
    await publish(place, wish)
    assert serial(bind) == before
    longer = replace(wish, settings=replace(SETTINGS, entry_ttl_seconds=7200))
    await publish(place, longer)
    assert serial(bind) != before
    assert (await place.read_back(wish.publication.tree.url))[0].complaints == ()
    with bind.silent(), pytest.raises(SinkError, match="does not answer"):
        await sink(bind).prepare(wish)


async def test_publishing_again_changes_nothing(server: DnsServer) -> None:
    place, wish = sink(server), target(Publication(vector_tree(14)))
    await publish(place, wish)
    before = serial(server)
    await publish(place, wish)
    assert serial(server) == before


async def test_another_time_to_live_reaches_root_and_entries(server: DnsServer) -> None:
    place, wish = sink(server), target(Publication(vector_tree(14)))
    await publish(place, wish)
    longer = replace(wish, settings=replace(SETTINGS, root_ttl_seconds=90, entry_ttl_seconds=7200))
    await publish(place, longer)
    resolver = dns.resolver.Resolver(configure=False)
    resolver.nameservers, resolver.port = [HOST], server.port
    ttls = {
        name: (await asyncio.to_thread(resolver.resolve, name, "TXT")).rrset.ttl
        for name in wish.zone.texts
    }
    assert ttls.pop(DOMAIN) == 90
    assert set(ttls.values()) == {7200}


async def test_of_two_writers_at_the_same_moment_one_wins_and_the_other_is_told(
    server: DnsServer,
) -> None:
    start = Publication(tree_of(range(3), 1))
    await publish(sink(server), target(start))
    for round_ in range(5):
        old = await sink(server).root(DOMAIN)
        wishes = [
            target(Publication(tree_of(range(3 + round_, 6 + round_ + extra), 2 + round_)))
            for extra in (0, 1)
        ]
        places = [sink(server), sink(server)]
        for place, wish in zip(places, wishes, strict=True):
            await place.prepare(wish)
        results = await asyncio.gather(
            *(place.move(wish, old) for place, wish in zip(places, wishes, strict=True)),
            return_exceptions=True,
        )
        assert sum(result is None for result in results) == 1
        assert sum(isinstance(result, RootMovedError) for result in results) == 1
        winner = wishes[results.index(None)]
        assert await texts(server, DOMAIN) == {winner.root, SPF}
        assert (await sink(server).read_back(str(winner.link)))[0].complaints == ()


async def test_a_foreign_record_that_appears_at_the_root_makes_the_move_lose(
    bind: DnsServer,
) -> None:
    place, wish = sink(bind), target(Publication(vector_tree(3)))
    await place.prepare(wish)

    class Slow(Rfc2136Sink):
        async def _exchange(self, update: object, name: str) -> None:
            await super()._exchange(foreign, name)
            await super()._exchange(update, name)  # type: ignore[arg-type]

    slow = Slow(settings(bind))
    foreign = slow._update(DOMAIN, None)
    foreign.add(f"{DOMAIN}.", 60, "TXT", "another-site-verification=1")
    with pytest.raises(RootMovedError):
        await slow.move(wish, None)
    await place.move(wish, None)
    assert await texts(bind, DOMAIN) == {wish.root, SPF, "another-site-verification=1"}


async def test_a_wrong_key_is_told_and_nothing_is_written(server: DnsServer) -> None:
    wish = target(Publication(vector_tree(3)))
    for wrong in (
        replace(settings(server), secret="d3Jvbmc="),
        replace(settings(server), key_name="unknown"),
    ):
        with pytest.raises(SinkError, match=f"TSIG key {wrong.key_name}"):
            await Rfc2136Sink(wrong).prepare(wish)
    assert await texts(server, DOMAIN) == {SPF}


async def test_a_key_that_is_no_base64_is_told(bind: DnsServer) -> None:
    with pytest.raises(SinkError, match="no base64") as caught:
        Rfc2136Sink(replace(settings(bind), secret="s3cret!"))
    assert "s3cret" not in str(caught.value)
    assert SECRET not in repr(settings(bind))


async def test_a_zone_that_the_server_does_not_hold_is_told(server: DnsServer) -> None:
    place = Rfc2136Sink(replace(settings(server), zone="example.net"))
    with pytest.raises(SinkError, match=r"not within the zone example\.net"):
        await place.root(DOMAIN)
    with pytest.raises(SinkError, match=r"nodes\.example\.net"):
        await place.root("nodes.example.net")


async def test_a_server_that_is_away_is_told_and_its_tree_is_whole_when_it_is_back(
    tmp_path: Path,
) -> None:
    first, second = tree_of(range(5), 1), tree_of(range(2, 9), 2)
    with SERVERS["BIND"](tmp_path) as bind:
        place = sink(bind)
        await publish(place, target(Publication(first)))
        bind.freeze()
        with pytest.raises(SinkError, match="does not answer"):
            await place.prepare(target(Publication(second)))
        with pytest.raises(TreeError):
            await place.read_back(first.url)


async def test_the_root_waits_until_every_server_of_the_zone_has_the_entries(
    bind: DnsServer, tmp_path_factory: pytest.TempPathFactory
) -> None:
    with SERVERS["BIND"](tmp_path_factory.mktemp("second")) as second:

        async def both(zone: str) -> list[Server]:
            assert zone == ZONE
            return [Server(HOST, bind.port), Server(HOST, second.port, "ns2.example.org")]

        wish = target(Publication(vector_tree(3)))
        place = Rfc2136Sink(settings(bind), find_servers=both, patience_seconds=0.3)
        with pytest.raises(LaggingError, match=r"ns2\.example\.org .* does not have"):
            await place.prepare(wish)
        await publish(sink(second), wish)
        await publish(place, wish)
        assert len(await place.read_back(wish.publication.tree.url)) == 2
        second.freeze()
        later = target(Publication(vector_tree(4, seq=8)))
        with pytest.raises(SinkError, match=r"does not answer.*take it out of the zone's NS"):
            await place.prepare(later)
        assert await place.root(DOMAIN) == wish.root


async def test_withdrawing_takes_what_is_ours_and_nothing_else(server: DnsServer) -> None:
    place, wish = sink(server), target(Publication(vector_tree(20)))
    await publish(place, wish)
    foreign = Tree.build([]).sign(PrivateKey(b"\x07" * 32), DOMAIN, 1)
    with pytest.raises(ForeignTreeError):
        await place.withdraw(target(Publication(foreign)))
    await place.withdraw(wish)
    assert await texts(server, DOMAIN) == {SPF}
    for name in wish.zone.texts.keys() - {DOMAIN}:
        assert await texts(server, name) == set()
    assert await texts(server, f"other.{ZONE}") == {"somebody else's"}
    await place.withdraw(wish)


@pytest.mark.slow
@pytest.mark.timeout(600)
async def test_a_reader_that_never_stops_sees_no_missing_entry_in_200_changes(
    server: DnsServer,
) -> None:
    place = sink(server)
    publication = Publication(tree_of(range(16), 1))
    await publish(place, target(publication))
    done = asyncio.Event()
    walks = 0

    async def walk() -> None:
        nonlocal walks
        reader = TreeReader(DnsResolver((HOST, server.port), 20))
        while not done.is_set():
            reading = await reader.read(publication.tree.url)
            assert reading.problems == ()
            walks += 1

    async with asyncio.TaskGroup() as group:
        group.create_task(walk())
        for change in range(200):
            signed = tree_of(range(change + 1, change + 17), change + 2)
            # 50 changes are two hours: then the entries of a tree that nobody reads any more go.
            now = NOW + change * 144
            owned = publication.replaced_by(signed, now=now, root_ttl_seconds=60)
            publication = owned.pruned(now=now)
            await publish(place, target(publication, owned=owned))
        done.set()
    assert walks > 0
    assert (await place.read_back(publication.tree.url))[0].seq == 201


def serial(server: DnsServer) -> int:
    query = dns.message.make_query(ZONE, "SOA")
    answer = dns.query.tcp(query, HOST, 10, server.port)
    return int(answer.answer[0][0].serial)
