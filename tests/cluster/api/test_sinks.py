"""Trees as objects of a real API server, and what becomes of them in real DNS servers."""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest

from statusfleet.api.spec import Image
from statusfleet.kube import KubeClient
from statusfleet.kube.kinds import NAMESPACE
from statusfleet.publishers.authorities import Server
from statusfleet.publishers.cluster_dns import ClusterDnsSink
from statusfleet.publishers.dns_follower import DnsFollower
from statusfleet.publishers.embedded import EmbeddedDnsServer
from statusfleet.publishers.objects import Owner
from statusfleet.publishers.sink import RootMovedError, Sink, SinkError, Target
from statusfleet.publishers.zonefile import ZoneFileSink
from statusfleet.store import State, TreeState
from statusfleet.store.kubernetes import KubernetesReader, KubernetesStore
from statusfleet.tree.publication import Publication
from statusfleet.tree.zone import ZoneSettings
from statusfleet.worlds.kubernetes.dns import dns_account, dns_names, dns_objects
from statusfleet.worlds.kubernetes.names import Owner as WorldOwner
from statusnode.records.tree import SignedTree, Tree
from support.kube_api import ApiServer
from support.ports import HOST, free_port
from support.records import DOMAIN, TREE_KEY, vector_node

NOW = 1_700_000_000.0
SETTINGS = ZoneSettings(DOMAIN, root_ttl_seconds=60, entry_ttl_seconds=3600)
PATIENCE_SECONDS = 60.0


def tree_of(numbers: range, seq: int) -> SignedTree:
    return Tree.build([vector_node(number) for number in numbers]).sign(TREE_KEY, DOMAIN, seq)


def target(publication: Publication, *, owned: Publication | None = None) -> Target:
    return Target(publication, SETTINGS, frozenset((owned or publication).records()))


async def publish(place: Sink, wish: Target) -> None:
    await place.prepare(wish)
    await place.move(wish, await place.root(DOMAIN))
    await place.tidy(wish)


async def test_a_zone_file_is_kept_in_a_config_map(client: KubeClient, namespace: str) -> None:
    place = ZoneFileSink(client, Owner(namespace, "eth"), "eth-zone")
    first = target(Publication(tree_of(range(20), 1)))
    await publish(place, first)
    others = [ZoneFileSink(client, Owner(namespace, "eth"), "eth-zone") for _ in range(4)]
    results = await asyncio.gather(
        *(
            other.move(target(Publication(tree_of(range(20 + extra), 2))), first.root)
            for extra, other in enumerate(others)
        ),
        return_exceptions=True,
    )
    assert results.count(None) == 1
    assert all(result is None or isinstance(result, RootMovedError) for result in results)
    assert await place.root(DOMAIN) not in (None, first.root)
    with pytest.raises(SinkError, match="not of this fleet"):
        await ZoneFileSink(client, Owner(namespace, "other"), "eth-zone").root(DOMAIN)


# ── the fleet's own servers ──


@contextlib.asynccontextmanager
async def following(
    client: KubeClient, namespace: str
) -> AsyncIterator[tuple[EmbeddedDnsServer, DnsFollower]]:
    server = EmbeddedDnsServer(SETTINGS)
    reader = KubernetesReader(client, namespace, "eth")
    follower = DnsFollower(client, reader, server, namespace, "eth")
    await server.start(HOST)
    task = asyncio.create_task(follower.run())
    try:
        yield server, follower
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await server.stop()


async def test_a_dns_server_follows_what_is_published(client: KubeClient, namespace: str) -> None:
    async with following(client, namespace) as (server, follower):
        await publish_five_trees(client, namespace, server, follower)


async def publish_five_trees(
    client: KubeClient, namespace: str, server: EmbeddedDnsServer, follower: DnsFollower
) -> None:
    store = KubernetesStore(client, namespace, "eth")

    class Place(ClusterDnsSink):
        """The API server takes no loopback address as an endpoint."""

        async def _servers(self) -> tuple[Server, ...]:
            return (Server(*server.address),)

    place = Place(client, Owner(namespace, "eth"), patience_seconds=PATIENCE_SECONDS)
    publication = Publication(tree_of(range(14), 1))
    state = await store.write(State(tree=TreeState(1, publication)))
    for seq in range(2, 6):
        wish = target(publication)
        await publish(place, wish)
        (seen,) = await place.read_back(publication.tree.url)
        assert (seen.seq, seen.complaints, follower.problem) == (seq - 1, (), "")
        entries = publication.tree.tree.entries
        assert await place.entries(DOMAIN, entries.keys()) == set(entries.values())
        publication = publication.replaced_by(
            tree_of(range(seq, 14 + seq), seq), now=NOW, root_ttl_seconds=60
        )
        wish_state = State("eth", state.revision, TreeState(seq, publication))
        state = await store.write(wish_state)


# ── the program, and what runs it ──


async def test_the_program_serves_a_tree_and_is_ready_only_in_sync(
    client: KubeClient, api_server: ApiServer, namespace: str, tmp_path: Path
) -> None:
    port, health = free_port(), free_port()
    arguments = ["--fleet", "eth", "--namespace", namespace]
    arguments += ["--port", str(port), "--health-port", str(health)]
    environment = {**os.environ, "KUBECONFIG": api_server.kubeconfig()}
    child = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "statusfleet.cli.main", "dns", *arguments),
        env=environment,
        stderr=asyncio.subprocess.DEVNULL,
    )

    class Place(ClusterDnsSink):
        async def _servers(self) -> tuple[Server, ...]:
            return (Server(HOST, port),)

    try:
        assert await answer(health, "nothing is published") == 503
        place = Place(client, Owner(namespace, "eth"), patience_seconds=PATIENCE_SECONDS)
        publication = Publication(tree_of(range(14), 1))
        await KubernetesStore(client, namespace, "eth").write(State(tree=TreeState(1, publication)))
        with contextlib.suppress(SinkError):
            await place.prepare(target(publication))
        assert await answer(health, "ready") == 200
        await publish(place, target(publication))
        (seen,) = await place.read_back(publication.tree.url)
        assert (seen.seq, len(seen.nodes), seen.complaints) == (1, 14, ())
        child.terminate()
        assert await answer(health, "is ending") == 503
        assert await child.wait() == 0
    finally:
        with contextlib.suppress(ProcessLookupError):
            child.kill()
        await child.wait()


async def answer(port: int, text: str) -> int:
    """Wait until /ready says this; return the code that it says it with."""
    async with asyncio.timeout(PATIENCE_SECONDS), aiohttp.ClientSession() as session:
        while True:
            with contextlib.suppress(aiohttp.ClientConnectionError):
                async with session.get(f"http://{HOST}:{port}/ready") as response:
                    if text in await response.text():
                        return response.status
            await asyncio.sleep(0.05)


async def test_the_servers_objects_are_taken_and_applied_again_they_change_nothing(
    client: KubeClient, namespace: str
) -> None:
    owner = WorldOwner(namespace, "eth", "11111111-2222-3333-4444-555555555555")
    bodies = [dns_account(owner), *dns_objects(owner, "6-7", Image(), "r.example/s:1.0")]
    assert {(kind.kind, name) for kind, name in dns_names(owner)} == {
        (body["kind"], body["metadata"]["name"]) for body in bodies
    }
    made = [await client.apply(body) for body in bodies]
    again = [await client.apply(body) for body in bodies]
    versions = [[item["metadata"]["resourceVersion"] for item in items] for items in (made, again)]
    assert versions[0] == versions[1]


async def test_the_servers_pods_meet_the_restricted_standard(
    client: KubeClient, namespace: str
) -> None:
    labels = {"pod-security.kubernetes.io/enforce": "restricted"}
    await client.patch(NAMESPACE, "", namespace, {"metadata": {"labels": labels}})
    owner = WorldOwner(namespace, "eth", "11111111-2222-3333-4444-555555555555")
    deployment = dns_objects(owner, "6-7", Image(), "r.example/s:1.0")[-1]
    template = deployment["spec"]["template"]
    metadata = {"name": "pod", "namespace": namespace, "labels": template["metadata"]["labels"]}
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": template["spec"]}
    await client.create(pod)
