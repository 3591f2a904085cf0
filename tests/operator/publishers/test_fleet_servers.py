"""A fleet's own DNS servers: they follow what is published, and no reader meets half a tree.

The cluster is pretended (`support/kube_objects.py`); tests/cluster has real pods.
"""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator, Callable
from dataclasses import replace

import pytest

from statusfleet.kube.errors import KubeError, TransientError
from statusfleet.kube.kinds import CONFIG_MAP
from statusfleet.publishers.authorities import Server, read_trees
from statusfleet.publishers.cluster_dns import ClusterDnsSink
from statusfleet.publishers.dns_follower import DnsFollower
from statusfleet.publishers.embedded import EmbeddedDnsServer
from statusfleet.publishers.objects import Owner
from statusfleet.publishers.sink import ForeignTreeError, LaggingError, Sink, Target
from statusfleet.store import State, TreeState
from statusfleet.tree.publication import Publication
from statusfleet.tree.zone import ZoneSettings
from statusnode.crypto.keys import PrivateKey
from statusnode.discovery.dns import TreeReader
from statusnode.discovery.resolver import DnsResolver, ResolutionError
from statusnode.records.tree import SignedTree, Tree, TreeError
from support.kube_objects import FakeObjects
from support.records import DOMAIN, TREE_KEY, vector_node, vector_tree

NOW = 1_700_000_000.0
OWNER = Owner("status", "eth")
SETTINGS = ZoneSettings(DOMAIN, root_ttl_seconds=60, entry_ttl_seconds=3600)


def tree_of(numbers: range, seq: int) -> SignedTree:
    return Tree.build([vector_node(number) for number in numbers]).sign(TREE_KEY, DOMAIN, seq)


def target(publication: Publication) -> Target:
    return Target(publication, SETTINGS, frozenset(publication.records()))


async def publish(place: Sink, wish: Target) -> None:
    await place.prepare(wish)
    await place.move(wish, await place.root(DOMAIN))
    await place.tidy(wish)


@pytest.fixture
def objects() -> FakeObjects:
    return FakeObjects()


class Memory:
    """A fleet's memory of its tree."""

    def __init__(self) -> None:
        self.publication: Publication | None = None
        self.trouble: KubeError | None = None

    async def read(self) -> State:
        if self.trouble is not None:
            raise self.trouble
        return State(tree=TreeState(publication=self.publication))


class Followers:
    """Two DNS servers of a fleet, each following, and the Service's endpoints."""

    def __init__(self, objects: FakeObjects, memory: Memory) -> None:
        self.objects = objects
        self.servers = [EmbeddedDnsServer(SETTINGS) for _ in range(2)]
        self.followers = [
            DnsFollower(objects, memory, server, "status", "eth", trust_seconds=0)
            for server in self.servers
        ]
        self.tasks: list[asyncio.Task[None]] = []

    async def start(self) -> None:
        for number, server in enumerate(self.servers):
            await server.start("127.0.0.1")
            self._endpoint(number, ready=True)
        self.tasks = [asyncio.create_task(follower.run()) for follower in self.followers]

    async def stop(self) -> None:
        for task in self.tasks:
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)
        for server in self.servers:
            await server.stop()

    def _endpoint(self, number: int, *, ready: bool) -> None:
        address, port = self.servers[number].address
        self.objects.put(
            {
                "apiVersion": "discovery.k8s.io/v1",
                "kind": "EndpointSlice",
                "metadata": {
                    "name": f"eth-dns-{number}",
                    "namespace": "status",
                    "labels": {"kubernetes.io/service-name": "eth-dns"},
                },
                "ports": [{"port": port, "protocol": "TCP"}, {"port": port, "protocol": "UDP"}],
                "endpoints": [
                    {
                        "addresses": [address],
                        "conditions": {"ready": ready},
                        "targetRef": {"name": f"eth-dns-pod-{number}"},
                    }
                ],
            }
        )

    async def told(self, problem: str) -> None:
        """Wait until each says so."""
        while not all(problem in follower.problem for follower in self.followers):  # noqa: ASYNC110
            await asyncio.sleep(0.01)

    async def are_in_sync(self) -> None:
        while any(follower.problem for follower in self.followers):  # noqa: ASYNC110
            await asyncio.sleep(0.01)

    @property
    def places(self) -> list[Server]:
        return [Server(*server.address) for server in self.servers]

    def silence(self, number: int) -> None:
        self.tasks[number].cancel()

    async def says(self, name: str) -> list[str]:
        """Return what each server says to a name: its texts, or why it has none."""
        return [await _said(server, name) for server in self.servers]

    def unready(self, number: int) -> None:
        self._endpoint(number, ready=False)


async def _said(server: EmbeddedDnsServer, name: str) -> str:
    try:
        return " ".join(await DnsResolver(server.address).texts(name))
    except ResolutionError as error:
        return str(error)


@pytest.fixture
def memory() -> Memory:
    return Memory()


@pytest.fixture
async def followers(objects: FakeObjects, memory: Memory) -> AsyncIterator[Followers]:
    result = Followers(objects, memory)
    await result.start()
    yield result
    await result.stop()


async def test_all_servers_of_a_fleet_serve_what_is_published(
    objects: FakeObjects, memory: Memory, followers: Followers
) -> None:
    place = ClusterDnsSink(objects, OWNER)
    memory.publication = Publication(tree_of(range(14), 1))
    for change in range(2, 6):
        wish = target(memory.publication)
        await publish(place, wish)
        seen = await place.read_back(wish.publication.tree.url)
        assert [(tree.seq, tree.complaints) for tree in seen] == [(change - 1, ())] * 2
        assert all(follower.problem == "" for follower in followers.followers)
        memory.publication = memory.publication.replaced_by(
            tree_of(range(change, change + 14), change), now=NOW, root_ttl_seconds=60
        )


async def test_the_log_tells_of_trouble_and_of_its_end_and_of_each_tree_once(
    objects: FakeObjects, memory: Memory, followers: Followers, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    place = ClusterDnsSink(objects, OWNER)
    memory.publication = Publication(tree_of(range(3), 4))
    wish = target(memory.publication)
    await publish(place, wish)
    await place.read_back(memory.publication.tree.url)
    await publish(place, wish)
    assert caplog.messages.count("in sync: serving number 4") == 2
    memory.trouble = TransientError("get", "it is away")
    await place.prepare(replace(wish, settings=replace(SETTINGS, minimum_seconds=5)))
    await followers.told("away")
    memory.trouble = None
    await followers.are_in_sync()
    assert caplog.messages.count("not in sync: get: it is away") == 2
    assert caplog.messages.count("in sync: serving number 4") == 4


class EitherServer:
    """A resolver that asks another of the fleet's servers for each name, as a Service does."""

    def __init__(self, servers: list[EmbeddedDnsServer]) -> None:
        self._turns = itertools.cycle([DnsResolver(server.address, 20) for server in servers])

    async def texts(self, name: str) -> list[str]:
        return await next(self._turns).texts(name)


async def test_a_reader_of_any_of_the_servers_never_sees_a_missing_entry(
    objects: FakeObjects, memory: Memory, followers: Followers
) -> None:
    place = ClusterDnsSink(objects, OWNER)
    memory.publication = publication = Publication(tree_of(range(5), 1))
    await publish(place, target(publication))
    await place.read_back(publication.tree.url)
    done = asyncio.Event()
    walks = 0

    async def walk() -> None:
        nonlocal walks
        while not done.is_set():
            reading = await TreeReader(EitherServer(followers.servers)).read(publication.tree.url)
            assert reading.problems == ()
            walks += 1

    async with asyncio.TaskGroup() as group:
        group.create_task(walk())
        for change in range(2, 27):
            signed = tree_of(range(change, change + 5), change)
            publication = publication.replaced_by(signed, now=NOW, root_ttl_seconds=60)
            memory.publication = publication
            await publish(place, target(publication))
        done.set()
    assert walks > 0


async def test_no_server_serves_a_new_root_before_all_have_its_entries(
    objects: FakeObjects, memory: Memory, followers: Followers
) -> None:
    place = ClusterDnsSink(objects, OWNER, patience_seconds=0.5)
    memory.publication = Publication(tree_of(range(3), 1))
    await publish(place, target(memory.publication))
    await place.read_back(memory.publication.tree.url)
    followers.silence(1)
    await asyncio.sleep(0)
    memory.publication = memory.publication.replaced_by(
        tree_of(range(5), 2), now=NOW, root_ttl_seconds=60
    )
    wish = target(memory.publication)
    with pytest.raises(LaggingError, match=r"eth-dns-pod-1 .* does not have"):
        await place.prepare(wish)
    assert await place.root(DOMAIN) != wish.root
    # It is not in sync, so its pod is unready, and the Service sends it no queries.
    followers.unready(1)
    await publish(place, wish)
    (seen,) = await place.read_back(wish.publication.tree.url)
    assert (seen.seq, seen.complaints) == (2, ())


async def test_a_root_without_all_its_entries_is_not_served(
    objects: FakeObjects, memory: Memory, followers: Followers
) -> None:
    place = ClusterDnsSink(objects, OWNER, patience_seconds=5)
    memory.publication = Publication(tree_of(range(3), 1))
    first = target(memory.publication)
    await publish(place, first)
    await place.read_back(first.publication.tree.url)
    await place.move(target(Publication(tree_of(range(9), 2))), first.root)
    await followers.told("cannot be served")
    with pytest.raises(TreeError, match="does not serve the new root yet"):
        await ClusterDnsSink(objects, OWNER, patience_seconds=0.2).read_back(
            first.publication.tree.url
        )


async def test_where_nothing_is_published_a_server_is_not_in_sync(
    objects: FakeObjects, memory: Memory, followers: Followers
) -> None:
    place = ClusterDnsSink(objects, OWNER)
    await followers.told("nothing is published")
    memory.publication = Publication(tree_of(range(3), 1))
    wish = target(memory.publication)
    await publish(place, wish)
    await place.read_back(wish.publication.tree.url)
    foreign = Tree.build([]).sign(PrivateKey(b"\x07" * 32), DOMAIN, 1)
    with pytest.raises(ForeignTreeError):
        await place.withdraw(target(Publication(foreign)))
    await place.withdraw(wish)
    assert ("ConfigMap", "status", "eth-dns") not in objects.objects
    await place.withdraw(wish)


async def test_readers_find_the_tree_while_what_somebody_deleted_is_written_anew(
    objects: FakeObjects, memory: Memory, followers: Followers
) -> None:
    place = ClusterDnsSink(objects, OWNER)
    memory.publication = Publication(tree_of(range(3), 1))
    wish = target(memory.publication)
    await publish(place, wish)
    await place.read_back(wish.publication.tree.url)
    await place.withdraw(wish)
    await followers.told("nothing is published")
    await place.prepare(wish)  # and not the root yet
    await followers.are_in_sync()
    seen = await read_trees(followers.places, wish.publication.tree.url)
    assert [(tree.seq, tree.complaints) for tree in seen] == [(1, ())] * 2

    # A root whose entries are gone leads nobody anywhere.
    await place.withdraw(wish)
    await followers.told("nothing is published")
    memory.publication = Publication(tree_of(range(10, 13), 2))
    await place.prepare(target(memory.publication))
    await followers.are_in_sync()
    assert await followers.says(DOMAIN) == ["the name has no TXT record"] * 2


async def test_a_fleet_none_of_whose_servers_is_ready_waits(objects: FakeObjects) -> None:
    with pytest.raises(LaggingError, match="see Deployment eth-dns"):
        await ClusterDnsSink(objects, OWNER).prepare(target(Publication(vector_tree(3))))


async def test_other_settings_of_the_zone_reach_the_servers(
    objects: FakeObjects, memory: Memory, followers: Followers
) -> None:
    place = ClusterDnsSink(objects, OWNER)
    memory.publication = Publication(tree_of(range(3), 1))
    wish = target(memory.publication)
    await publish(place, wish)
    await publish(place, replace(wish, settings=replace(SETTINGS, minimum_seconds=5)))
    found = await objects.find(CONFIG_MAP, "status", "eth-dns")
    assert found is not None
    assert '"minimum_seconds": 5' in found["data"]["settings.json"]


async def test_a_server_that_may_have_missed_an_entry_says_of_no_name_that_it_does_not_exist(
    objects: FakeObjects, memory: Memory, followers: Followers
) -> None:
    place = ClusterDnsSink(objects, OWNER)
    memory.publication = Publication(tree_of(range(3), 1))
    wish = target(memory.publication)
    await publish(place, wish)
    await place.read_back(wish.publication.tree.url)
    unknown = f"UNKNOWN.{DOMAIN}"
    assert await followers.says(unknown) == ["there is no such name"] * 2
    memory.trouble = TransientError("get", "the API server is being started anew")
    await place.prepare(replace(wish, settings=replace(SETTINGS, minimum_seconds=5)))
    await followers.told("started anew")
    assert all("SERVFAIL" in said for said in await followers.says(unknown))
    assert await followers.says(DOMAIN) == [wish.root] * 2
    memory.trouble = None
    await until(lambda: all(follower.problem == "" for follower in followers.followers))
    assert await followers.says(unknown) == ["there is no such name"] * 2


async def test_a_server_that_sees_nothing_counts_as_ready_for_a_while(
    objects: FakeObjects, memory: Memory
) -> None:
    server = EmbeddedDnsServer(SETTINGS)
    follower = DnsFollower(objects, memory, server, "status", "eth", trust_seconds=1.5)
    assert follower.problem != ""
    memory.publication = Publication(tree_of(range(3), 1))
    place = ClusterDnsSink(objects, OWNER, patience_seconds=0)
    wish = target(memory.publication)
    task = asyncio.create_task(follower.run())
    with pytest.raises(LaggingError, match="no DNS server"):
        await place.prepare(wish)
    await until(lambda: follower.problem == "")
    memory.trouble = TransientError("get", "it is away")
    await place.move(wish, None)
    await asyncio.sleep(0.1)
    assert follower.problem == ""
    await until(lambda: "it is away" in follower.problem)
    memory.trouble = None
    await until(lambda: follower.problem == "")
    # What was taken away is not served for a while still.
    await place.withdraw(wish)
    await until(lambda: follower.problem == "nothing is published")
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(60):
        while not holds():  # noqa: ASYNC110
            await asyncio.sleep(0.01)


async def test_a_config_map_that_somebody_has_touched_is_known_by_the_watch(
    objects: FakeObjects,
) -> None:
    shown: dict[str, str] = {}
    owner = Owner("status", "eth", lambda _kind, name: shown.get(name))
    place = ClusterDnsSink(objects, owner, patience_seconds=0)
    wish = target(Publication(tree_of(range(3), 1)))
    key = ("ConfigMap", "status", "eth-dns")

    async def write() -> None:
        await place.move(wish, await place.root(DOMAIN))

    def watch() -> None:
        found = objects.objects.get(key)
        shown.clear()
        if found is not None:
            shown["eth-dns"] = found["metadata"]["resourceVersion"]

    await write()
    assert not place.touched()  # the watch is behind
    watch()
    assert not place.touched()
    del objects.objects[key]
    watch()
    assert place.touched()
    await write()
    assert not place.touched()
    watch()
    objects.put({**objects.objects[key], "data": {"root": "nonsense"}})
    assert not place.touched()
    watch()
    assert place.touched()
    assert await place.root(DOMAIN) is None
    await write()
    watch()
    assert not place.touched()
    assert await place.root(DOMAIN) == wish.root
