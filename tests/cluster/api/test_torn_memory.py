"""A part of a large memory deleted by hand while no operator ran: found again, or done without."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import pytest

from statusfleet.api.tree import Sink as SinkSpec
from statusfleet.handlers.mending import Restorer
from statusfleet.handlers.notices import Noticeboard
from statusfleet.kube import KubeClient
from statusfleet.kube.kinds import CONFIG_MAP, EVENT, SECRET
from statusfleet.publishers.objects import Owner
from statusfleet.publishers.sink import Sink, SinkError, Target
from statusfleet.publishers.zonefile import ZoneFileSink
from statusfleet.store import State, StoreError, TreeState
from statusfleet.store.kubernetes import KubernetesStore
from statusfleet.tree.publication import Publication
from statusfleet.tree.zone import ZoneSettings
from statusfleet.worlds.kubernetes.names import Owner as WorldOwner
from statusnode.records.enr import Record
from statusnode.records.tree import Tree
from support.fake_sinks import FakeSink
from support.fleet_observations import key_of
from support.kube_api import ApiServer
from support.operator_process import FleetUser, eventually, operator
from support.records import DOMAIN, TREE_KEY

NOW = 1_700_000_000.0
ZONE_FILE = SinkSpec.model_validate({"zoneFile": {"configMap": "zone"}})
MEMBERS = 700


def record(number: int) -> Record:
    return Record.sign(key_of(str(number)), 3, ip="192.0.2.1", tcp=30303)


@pytest.fixture(scope="module")
def written() -> State:
    """A tree of 700 members, and a member that left it long ago."""
    nodes = [record(number) for number in range(MEMBERS)]
    publication = Publication(Tree.build(nodes).sign(TREE_KEY, DOMAIN, 9))
    members = {f"relayer-{number}": str(node) for number, node in enumerate(nodes)}
    members["mailserver-0"] = str(record(MEMBERS))
    return State(tree=TreeState(9, publication, shown={ZONE_FILE.name: ZONE_FILE}), records=members)


async def tear(client: KubeClient, namespace: str, fleet: str, written: State) -> None:
    """Let an operator remember and end, and somebody delete a part of what it did."""
    await KubernetesStore(client, namespace, fleet).write(written)
    found = await client.list(CONFIG_MAP, namespace, metadata_only=True)
    (shard,) = (
        item["metadata"]["name"]
        for item in found
        if item["metadata"]["name"].startswith(f"{fleet}-state-")
    )
    await client.delete(CONFIG_MAP, namespace, shard)


def published(written: State) -> FakeSink:
    """A pretended DNS that shows the tree."""
    assert written.tree.publication is not None
    return FakeSink(ZONE_FILE.name, [], dict(written.tree.publication.records()))


async def mended(
    store: KubernetesStore, sink: FakeSink, *, status: Any = None, failures: int = 0
) -> list[tuple[str, str]]:
    """Mend; return what is said, each with its type."""

    async def reach(_spec: SinkSpec, *, shared: bool) -> Sink:
        assert not shared
        return sink

    client = store._client
    board = Noticeboard(client, WorldOwner(store.namespace, store.fleet, "a-b-c"))
    await Restorer(store, reach, board, lambda: NOW).mend(status or {}, failures)
    events = await client.list(EVENT, store.namespace)
    return [(event["type"], event["message"]) for event in events]


async def test_what_a_sink_shows_and_the_status_tells_makes_it_as_it_was(
    client: KubeClient, namespace: str, written: State
) -> None:
    await tear(client, namespace, "eth", written)
    store, sink = KubernetesStore(client, namespace, "eth"), published(written)
    row = {"name": "mailserver-0", "enr": written.records["mailserver-0"]}
    ((kind, said),) = await mended(store, sink, status={"members": [row]})
    assert (kind, said.endswith("as they were")) == ("Normal", True)
    for reader in (store, KubernetesStore(client, namespace, "eth")):
        state = await reader.read()
        assert (state.tree, state.records) == (written.tree, written.records)
    assert sink.log.count(f"{sink.name} entries") > 1  # level by level
    assert len(await mended(store, sink)) == 1  # nothing further


async def test_a_sink_that_is_away_is_waited_for_and_then_done_without(
    client: KubeClient, namespace: str, written: State
) -> None:
    await tear(client, namespace, "eth", written)
    store, sink = KubernetesStore(client, namespace, "eth"), published(written)
    sink.refuses["entries"] = SinkError("it does not answer")
    with pytest.raises(StoreError, match="asked for at zoneFile:zone: it does not answer"):
        await mended(store, sink)
    ((kind, said),) = await mended(store, sink, failures=5)
    assert kind == "Warning"
    assert "the tree, which is made anew from the members under a higher number" in said
    state = await KubernetesStore(client, namespace, "eth").read()
    assert (state.tree.seq, state.tree.publication) == (9, None)
    assert state.tree.shown == written.tree.shown
    assert state.records.keys() == written.records.keys()
    for member in written.records:
        kept = state.record(member)
        assert kept is not None
        assert kept.seq > 3


async def test_the_operator_goes_on_with_it_and_says_so(
    definition: None,
    api_server: ApiServer,
    client: KubeClient,
    namespace: str,
    written: State,
    tmp_path: Path,
) -> None:
    user = FleetUser(client, namespace)
    sink = ZoneFileSink(client, Owner(namespace, user.name), "zone")
    publication = written.tree.publication
    assert publication is not None
    settings = ZoneSettings(DOMAIN, root_ttl_seconds=60, entry_ttl_seconds=3600)
    await sink.move(Target(publication, settings, frozenset(publication.records())), None)
    await client.create(
        {
            "apiVersion": SECRET.api_version,
            "kind": SECRET.kind,
            "metadata": {"namespace": namespace, "name": "signs"},
            "stringData": {"key": TREE_KEY.data.hex()},
        }
    )
    await tear(client, namespace, user.name, written)
    async with operator(tmp_path, api_server.kubeconfig(), namespace, "registry.test/fleet:1"):
        await user.apply(
            roles={"relayer": {"replicas": 1, "expose": {"type": "ClusterIP"}}},
            tree={
                "domain": DOMAIN,
                "signingKey": {"secretKeyRef": {"name": "signs", "key": "key"}},
                "publish": [{"zoneFile": {"configMap": "zone"}}],
            },
        )
        await eventually(partial(is_told, client, namespace))
        state = await KubernetesStore(client, namespace, user.name).read()
        assert state.tree.seq >= 9
        assert state.tree.publication is not None
        lost = state.record("mailserver-0")
        assert lost is not None
        assert lost.seq > 3


async def is_told(client: KubeClient, namespace: str) -> bool:
    events = await client.list(EVENT, namespace)
    return any(event["reason"] == "MemoryMended" for event in events)
