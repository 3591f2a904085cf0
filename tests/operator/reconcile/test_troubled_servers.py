"""What a fleet says while a real DNS server does not take its tree, and how it ends."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from statusfleet.publishers.authorities import FindServers, Server
from statusfleet.publishers.rfc2136 import Rfc2136Sink, UpdateSettings
from statusfleet.publishers.sink import Target
from statusfleet.reconcile.place import zone_settings
from statusfleet.reconcile.publishing import TreeKeeper
from statusfleet.reconcile.showing import TreeState
from statusfleet.store import FolderStore
from statusfleet.tree.publication import Publication
from statusnode.crypto.keys import PrivateKey
from statusnode.discovery.dns import TreeReader
from statusnode.discovery.resolver import DnsResolver
from statusnode.records.tree import Link, Tree
from support.dns_servers import KEY_NAME, SECRET, SERVERS, ZONE, DnsServer, bind
from support.killed_publisher import DESIRED
from support.ports import HOST
from support.records import DOMAIN, TREE_KEY, vector_node

OTHER_KEY = PrivateKey(b"\x07" * 32)


@pytest.fixture(params=SERVERS)
def server(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[DnsServer]:
    folder = tmp_path / "dns"
    folder.mkdir()
    with SERVERS[request.param](folder) as running:
        yield running


def settings(server: DnsServer) -> UpdateSettings:
    return UpdateSettings(server.address, ZONE, KEY_NAME, "hmac-sha256", SECRET)


class Publisher:
    """A fleet's keeper of one tree, with a memory and a clock of its own."""

    def __init__(
        self,
        folder: Path,
        place: UpdateSettings,
        key: PrivateKey = TREE_KEY,
        find_servers: FindServers | None = None,
    ) -> None:
        self.time = 1_700_000_000.0
        self._key = key
        store = FolderStore.open(folder, "test")
        sink = Rfc2136Sink(place, find_servers=find_servers)
        self._keeper = TreeKeeper(store, (sink,), lambda: self.time)

    async def publish(self, nodes: range, *, domain: str = DOMAIN) -> TreeState:
        await self._keeper.recall()
        records = [vector_node(number) for number in nodes]
        return await self._keeper.publish(replace(DESIRED, domain=domain), records, self._key)

    async def again(self, nodes: range) -> TreeState:
        """Publish once more when it said that it would try again."""
        assert self._keeper.retry_at is not None
        self.time = max(self.time, self._keeper.retry_at)
        return await self.publish(nodes)

    async def move(self, place: UpdateSettings) -> None:
        """Publish to another place, or with another key, from now on."""
        await self._keeper.use((Rfc2136Sink(place),))


async def seen(server: DnsServer, key: PrivateKey = TREE_KEY) -> int:
    """Walk the tree, whole; return how many nodes it has."""
    url = str(Link(key.public_key, DOMAIN))
    reading = await TreeReader(DnsResolver((HOST, server.port), 20)).read(url)
    assert reading.problems == ()
    return len(reading.nodes)


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"secret": "d3Jvbmc="}, "and the key's name, algorithm and secret"),
        ({"zone": "nodes.example.org"}, "nodes.example.org"),
    ],
    ids=["key", "zone"],
)
async def test_a_wrong_key_or_zone_is_told_and_the_old_tree_stays_until_it_is_put_right(
    server: DnsServer, tmp_path: Path, wrong: dict[str, str], words: str
) -> None:
    fleet = Publisher(tmp_path / "memory", settings(server))
    assert (await fleet.publish(range(5))).propagated
    await fleet.move(replace(settings(server), **wrong))
    state = await fleet.publish(range(9))
    (sink,) = state.sinks
    assert (sink.progress, state.published) == ("Failed", False)
    assert words in state.problem
    assert await seen(server) == 5
    await fleet.move(settings(server))
    state = await fleet.publish(range(9))
    assert (state.published, state.propagated, state.problem) == (True, True, "")
    assert await seen(server) == 9


async def test_a_server_that_goes_away_is_told_and_gets_the_tree_when_it_is_back(
    tmp_path: Path,
) -> None:
    (tmp_path / "dns").mkdir()
    with bind(tmp_path / "dns") as server:
        fleet = Publisher(tmp_path / "memory", settings(server))
        assert (await fleet.publish(range(5))).propagated
        with server.silent():
            state = await fleet.publish(range(9))
            assert (state.sinks[0].progress, state.published) == ("Failed", False)
            assert "does not answer" in state.problem
        assert await seen(server) == 5
        assert (await fleet.again(range(9))).propagated
        assert await seen(server) == 9


async def test_a_tree_has_reached_its_readers_when_the_last_server_of_the_zone_shows_its_root(
    tmp_path: Path,
) -> None:
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
    with bind(tmp_path / "one") as one, bind(tmp_path / "two") as two:

        async def both(_zone: str) -> list[Server]:
            return [Server(HOST, one.port), Server(HOST, two.port, "ns2.example.org")]

        # The second follows by the hand of this test: as a secondary does, in its own time.
        follower = Rfc2136Sink(settings(two))
        fleet = Publisher(tmp_path / "memory", settings(one), find_servers=both)
        await follower.prepare(signed(5, seq=1))
        state = await fleet.publish(range(5))
        assert (state.published, state.propagated) == (True, False)
        await follower.move(signed(5, seq=1), None)
        assert (await fleet.again(range(5))).propagated
        await follower.prepare(signed(9, seq=2))
        state = await fleet.publish(range(9))
        assert (state.published, state.propagated) == (True, False)
        where = f"ns2.example.org ({HOST} port {two.port})"
        assert state.problem == f"{where} gives number 1, published was 2"
        await follower.move(signed(9, seq=2), await follower.root(DOMAIN))
        state = await fleet.again(range(9))
        assert (state.propagated, state.problem) == (True, "")


def signed(nodes: int, *, seq: int) -> Target:
    """Return the tree that the fleet makes of the first nodes."""
    tree = Tree.build([vector_node(number) for number in range(nodes)])
    publication = Publication(tree.sign(TREE_KEY, DOMAIN, seq))
    return Target(publication, zone_settings(DESIRED), frozenset(publication.records()))


async def test_two_fleets_on_one_domain_leave_each_others_tree_alone(
    server: DnsServer, tmp_path: Path
) -> None:
    first = Publisher(tmp_path / "first", settings(server))
    second = Publisher(tmp_path / "second", settings(server), OTHER_KEY)
    assert (await first.publish(range(5))).propagated
    state = await second.publish(range(3, 9))
    assert (state.sinks[0].progress, state.published) == ("Failed", False)
    assert "a tree of another key is published" in state.problem
    assert "choose another domain" in state.problem
    assert await seen(server) == 5
    assert (await first.publish(range(7))).propagated
    assert not (await second.again(range(3, 9))).published
    assert await seen(server) == 7


async def test_two_fleets_that_begin_on_one_domain_at_the_same_time_end_with_one_whole_tree(
    server: DnsServer, tmp_path: Path
) -> None:
    first = Publisher(tmp_path / "first", settings(server))
    second = Publisher(tmp_path / "second", settings(server), OTHER_KEY)
    states = await asyncio.gather(first.publish(range(5)), second.publish(range(3, 9)))
    winner, loser = (first, second) if states[0].published else (second, first)
    key = TREE_KEY if winner is first else OTHER_KEY
    assert [state.published for state in states].count(True) == 1
    state = await loser.again(range(5) if loser is first else range(3, 9))
    assert "a tree of another key is published" in state.problem
    assert await seen(server, key) == (5 if winner is first else 6)
