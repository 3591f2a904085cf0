"""For how long readers find what an old root leads to: as long as they may hold that root."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from statusfleet.plan import DesiredTree
from statusfleet.publishers.authorities import Server
from statusfleet.publishers.dnsendpoint import DnsEndpointSink
from statusfleet.publishers.embedded import EmbeddedDnsServer
from statusfleet.publishers.objects import Owner
from statusfleet.publishers.sink import Sink, SinkError
from statusfleet.reconcile.publishing import TreeKeeper
from statusfleet.reconcile.showing import TreeState
from statusfleet.store import FolderStore
from statusfleet.tree.zone import Zone, ZoneSettings
from statusnode.records.tree import SignedTree, TreeError
from support.fake_sinks import DESIRED, URL, FakeSink, records
from support.kube_objects import FakeObjects
from support.records import DOMAIN, TREE_KEY

HOURS = 3600.0
DAY = 24 * HOURS
LONG = replace(DESIRED, root_ttl_seconds=int(DAY))
SHORT = replace(DESIRED, root_ttl_seconds=60)


class Operator:
    """Who keeps one tree, with a memory and a clock."""

    def __init__(self, folder: Path, *sinks: Sink) -> None:
        self.store = FolderStore.open(folder, "test")
        self.time = 1_700_000_000.0
        self._sinks = sinks
        self.restart()

    def restart(self) -> None:
        self.keeper = TreeKeeper(self.store, self._sinks, lambda: self.time)

    async def publish(self, nodes: range, desired: DesiredTree = DESIRED) -> TreeState:
        await self.keeper.recall()
        return await self.keeper.publish(desired, records(nodes), TREE_KEY)


@pytest.fixture
def sink() -> FakeSink:
    return FakeSink("a", [])


@pytest.fixture
def operator(tmp_path: Path, sink: FakeSink) -> Operator:
    return Operator(tmp_path / "memory", sink)


def check(texts: dict[str, str], root: str) -> None:
    """Raise TreeError where a reader of a root misses something."""
    SignedTree.parse(URL, {**texts, DOMAIN: root})


@pytest.mark.parametrize("restarts", [False, True], ids=["one operator", "the next operator"])
@pytest.mark.parametrize("ttl_first", [False, True], ids=["at once", "before"])
async def test_a_root_that_was_given_for_a_day_is_served_for_a_day_where_the_ttl_is_shortened(
    operator: Operator, sink: FakeSink, *, ttl_first: bool, restarts: bool
) -> None:
    await operator.publish(range(20), LONG)
    old = sink.texts[DOMAIN]
    if restarts:
        operator.restart()
    if ttl_first:
        await operator.publish(range(20), SHORT)
        operator.time += HOURS
        if restarts:
            operator.restart()
    await operator.publish(range(10, 30), SHORT)
    operator.time += 22 * HOURS
    await operator.publish(range(10, 30), SHORT)
    check(sink.texts, old)
    operator.time += 3 * HOURS
    await operator.publish(range(10, 30), SHORT)
    with pytest.raises(TreeError):
        check(sink.texts, old)
    # It was given for a minute since.
    assert operator.keeper.kept_seconds(60, now=operator.time) == 60
    other = sink.texts[DOMAIN]
    await operator.publish(range(30, 50), SHORT)
    operator.time += 3 * HOURS
    await operator.publish(range(30, 50), SHORT)
    with pytest.raises(TreeError):
        check(sink.texts, other)


async def test_a_sink_that_does_not_take_the_shorter_ttl_still_gives_the_longer_one(
    operator: Operator, sink: FakeSink
) -> None:
    await operator.publish(range(20), LONG)
    sink.refuses["prepare"] = SinkError("it is away")
    for _ in range(3):
        operator.time += 12 * HOURS
        await operator.publish(range(20), SHORT)
    assert operator.keeper.kept_seconds(60, now=operator.time) == DAY
    sink.refuses.clear()
    await operator.publish(range(20), SHORT)
    operator.time += HOURS
    assert operator.keeper.kept_seconds(60, now=operator.time) == 23 * HOURS
    operator.time -= 365 * DAY
    assert operator.keeper.kept_seconds(60, now=operator.time) == DAY


# ── readers that get the old root for longer than the sink holds it ──


class ExternalDns:
    """Pretends to be ExternalDNS, which writes objects into a DNS in no order, when it is there."""

    def __init__(self, objects: FakeObjects, dns: EmbeddedDnsServer) -> None:
        self._objects = objects
        self._dns = dns
        self.texts: dict[str, str] = {}

    def write(self, *, root: bool = True) -> None:
        """Write what the objects say, the root among it or not yet."""
        before = self.texts.get(DOMAIN, "v=spf1 -all")
        self.texts = {
            endpoint["dnsName"]: endpoint["targets"][0].strip('"')
            for (kind, _, _), body in self._objects.objects.items()
            if kind == "DNSEndpoint"
            for endpoint in body["spec"]["endpoints"]
        }
        if not root or DOMAIN not in self.texts:
            self.texts[DOMAIN] = before
        self._dns.publish(Zone(ZoneSettings(DOMAIN), 1, self.texts))


@pytest.fixture
async def dns() -> AsyncIterator[EmbeddedDnsServer]:
    server = EmbeddedDnsServer(ZoneSettings(DOMAIN))
    await server.start("127.0.0.1")
    yield server
    await server.stop()


@pytest.mark.parametrize("restarts", [False, True], ids=["one operator", "the next operator"])
async def test_readers_find_all_that_a_root_leads_to_which_external_dns_kept_for_hours(
    tmp_path: Path, dns: EmbeddedDnsServer, *, restarts: bool
) -> None:
    objects = FakeObjects()
    external = ExternalDns(objects, dns)

    async def find(_domain: str) -> list[Server]:
        return [Server(*dns.address)]

    owner = Owner("status", "eth")
    sink = DnsEndpointSink(objects, owner, find_servers=find, patience_seconds=0.0)
    operator = Operator(tmp_path / "memory", sink)
    external.write()
    for _ in range(3):
        state = await operator.publish(range(20))
        external.write()
    assert (await operator.publish(range(20))).propagated
    old = external.texts[DOMAIN]
    await operator.publish(range(10, 30))
    external.write(root=False)
    # From here on it is away, and the operator writes the root without it.
    for _ in range(5):
        state = await operator.publish(range(10, 30))
        assert (state.published, state.propagated) == (True, False)
        operator.time += HOURS
        if restarts:
            operator.restart()
    assert not (await operator.publish(range(10, 30))).propagated
    if restarts:
        operator.restart()
    assert external.texts[DOMAIN] == old
    external.write()
    assert external.texts[DOMAIN] != old
    assert (await operator.publish(range(10, 30))).propagated
    external.write()
    operator.time += 1.9 * HOURS
    await operator.publish(range(10, 30))
    external.write()
    check(external.texts, old)
    operator.time += HOURS
    for _ in range(2):
        await operator.publish(range(10, 30))
        external.write()
    with pytest.raises(TreeError):
        check(external.texts, old)
    SignedTree.parse(URL, external.texts)
