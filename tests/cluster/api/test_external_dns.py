"""ExternalDNS, run for real: from DNSEndpoint objects into BIND, as its users have it."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from statusfleet.api.tree import Sink as SinkSpec
from statusfleet.kube import KubeClient
from statusfleet.kube.kinds import DNS_ENDPOINT as DNS_ENDPOINT_KIND
from statusfleet.publishers.authorities import Server
from statusfleet.publishers.dnsendpoint import DnsEndpointSink
from statusfleet.publishers.objects import Owner
from statusfleet.reconcile.publishing import TreeKeeper
from statusfleet.reconcile.showing import TreeState
from statusfleet.store.kubernetes import KubernetesStore
from support.dns_endpoint_kind import install
from support.dns_servers import (
    KEY_NAME,
    SECRET,
    ZONE,
    DnsServer,
    bind,
    powerdns,
)
from support.killed_publisher import DESIRED
from support.kube_api import ApiServer
from support.ports import HOST, free_port
from support.published_fleet import DNS_ENDPOINT, Fleet, update
from support.records import DOMAIN, TREE_KEY, vector_node, vector_tree
from support.tree_walker import walking

PATIENCE_SECONDS = 180.0
_BUILT = Path(__file__).parents[3] / ".build" / "bin"
URL = vector_tree(0).url


@pytest.fixture
async def endpoints_kind(client: KubeClient) -> None:
    await install(client)


@pytest.fixture
def external_dns() -> str:
    places = f"{_BUILT}{os.pathsep}{os.environ.get('PATH', '')}"
    program = os.environ.get("EXTERNAL_DNS") or shutil.which("external-dns", path=places)
    if program is None:
        pytest.skip("needs ExternalDNS")
    return program


@contextlib.asynccontextmanager
async def external_dns_into(
    provider: list[str], program: str, kubeconfig: str, namespace: str, log: Path
) -> AsyncIterator[None]:
    """Run ExternalDNS, from the namespace's DNSEndpoints into a provider."""
    command = [
        program,
        f"--kubeconfig={kubeconfig}",
        f"--namespace={namespace}",
        "--source=crd",
        "--crd-source-apiversion=externaldns.k8s.io/v1alpha1",
        "--crd-source-kind=DNSEndpoint",
        "--managed-record-types=TXT",
        *provider,
        # Its TXT registry owns no TXT records: it would make them once and never change them.
        "--registry=noop",
        f"--domain-filter={ZONE}",
        "--policy=sync",
        "--interval=1s",
        "--min-event-sync-interval=1s",
        "--metrics-address=127.0.0.1:0",
    ]
    with log.open("wb") as output:
        child = await asyncio.create_subprocess_exec(*command, stdout=output, stderr=output)
    try:
        yield
    finally:
        child.kill()
        await child.wait()


@pytest.fixture
async def fleet(
    external_dns: str,
    api_server: ApiServer,
    client: KubeClient,
    namespace: str,
    endpoints_kind: None,
    tmp_path: Path,
) -> AsyncIterator[Publisher]:
    """A fleet whose tree ExternalDNS writes into PowerDNS, over its HTTP API."""
    api, log = free_port(), tmp_path / "external-dns.log"
    provider = ["--provider=pdns", f"--pdns-server=http://{HOST}:{api}", f"--pdns-api-key={SECRET}"]
    with powerdns(tmp_path, api=api, empty=True) as server:
        config = api_server.kubeconfig()
        async with external_dns_into(provider, external_dns, config, namespace, log):
            yield Publisher(client, namespace, server, log)


@pytest.fixture
async def spoilt_fleet(
    external_dns: str,
    api_server: ApiServer,
    client: KubeClient,
    namespace: str,
    endpoints_kind: None,
    tmp_path: Path,
) -> AsyncIterator[Publisher]:
    """A fleet whose tree ExternalDNS writes into BIND, by a provider that leaves roots behind."""
    log = tmp_path / "external-dns.log"
    with bind(tmp_path, empty=True) as server:
        provider = [
            "--provider=rfc2136",
            f"--rfc2136-host={HOST}",
            f"--rfc2136-port={server.port}",
            f"--rfc2136-zone={ZONE}",
            f"--rfc2136-tsig-keyname={KEY_NAME}",
            f"--rfc2136-tsig-secret={SECRET}",
            "--rfc2136-tsig-secret-alg=hmac-sha256",
            "--rfc2136-tsig-axfr",
        ]
        config = api_server.kubeconfig()
        async with external_dns_into(provider, external_dns, config, namespace, log):
            yield Publisher(client, namespace, server, log)


class Publisher:
    """A fleet's keeper of a tree that ExternalDNS publishes."""

    def __init__(self, client: KubeClient, namespace: str, server: DnsServer, log: Path) -> None:
        async def find(_domain: str) -> list[Server]:
            return [Server(HOST, server.port)]

        self.place = (HOST, server.port)
        self._log = log
        owner = Owner(namespace, "eth")
        sink = DnsEndpointSink(client, owner, find_servers=find, patience_seconds=0.5)
        self._sink = sink
        self.time = 1_700_000_000.0
        store = KubernetesStore(client, namespace, "eth")
        self._keeper = TreeKeeper(store, (sink,), lambda: self.time)

    async def publish(self, nodes: range) -> TreeState:
        """Go one pass towards a tree of these nodes."""
        await self._keeper.recall()
        records = [vector_node(number) for number in nodes]
        return await self._keeper.publish(DESIRED, records, TREE_KEY)

    async def root(self) -> str | None:
        """Return the root in the object."""
        return await self._sink.root(DOMAIN)

    async def until_propagated(self, nodes: range) -> TreeState:
        return await self._until(nodes, lambda state: bool(state.published and state.propagated))

    async def until_told(self, nodes: range, words: str) -> TreeState:
        return await self._until(nodes, lambda state: words in state.problem)

    async def _until(self, nodes: range, holds: Callable[[TreeState], bool]) -> TreeState:
        state = TreeState()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(PATIENCE_SECONDS):
                while not holds(state):
                    state = await self.publish(nodes)
                    await asyncio.sleep(0.2)
                return state
        log = await asyncio.to_thread(self._log.read_text)
        pytest.fail(f"{state.problem}\n{log[-3000:]}")


async def test_a_tree_with_texts_of_more_than_255_bytes_reaches_the_dns(
    fleet: Publisher,
) -> None:
    assert any(len(text) > 255 for text in vector_tree(14).records().values())
    state = await fleet.until_propagated(range(14))
    async with walking(URL, fleet.place) as walks:
        pass
    assert walks.seqs == [state.seq]


async def test_a_tree_moves_to_external_dns_and_back_and_no_reader_notices(
    external_dns: str,
    api_server: ApiServer,
    client: KubeClient,
    namespace: str,
    endpoints_kind: None,
    tmp_path: Path,
) -> None:
    api, log = free_port(), tmp_path / "external-dns.log"
    provider = ["--provider=pdns", f"--pdns-server=http://{HOST}:{api}", f"--pdns-api-key={SECRET}"]
    config = api_server.kubeconfig()
    with powerdns(tmp_path, api=api, empty=True) as server:
        fleet = Fleet(tmp_path / "memory", leads_to=(server,), cluster=(client, namespace))
        own = update(server.address)
        assert (await fleet.publish(own, nodes=range(14))).propagated
        async with walking(URL, (HOST, server.port)) as walks:
            assert (await fleet.publish(DNS_ENDPOINT, nodes=range(14))).propagated
            assert fleet.keeper.leftovers == {}
            async with external_dns_into(provider, external_dns, config, namespace, log):
                await moved(fleet, DNS_ENDPOINT, range(1, 16))  # it is ExternalDNS that writes
                state = await fleet.publish(own, nodes=range(2, 17))
                assert "ExternalDNS keeps the tree in the same zone" in state.problem
            for item in await client.list(DNS_ENDPOINT_KIND, namespace):
                await client.delete(DNS_ENDPOINT_KIND, namespace, item["metadata"]["name"])
            await moved(fleet, own, range(2, 17))
            assert fleet.keeper.leftovers == {}
    assert walks.seqs == sorted(walks.seqs)
    assert (walks.seqs[0], walks.seqs[-1]) == (1, 3)


async def moved(fleet: Fleet, place: SinkSpec, nodes: range) -> None:
    """Publish until that is seen."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        while True:
            if (await fleet.publish(place, nodes=nodes)).propagated:
                return
            await asyncio.sleep(0.2)


@pytest.mark.slow
async def test_a_reader_that_never_stops_sees_no_missing_entry_in_200_changes(
    fleet: Publisher,
) -> None:
    await fleet.until_propagated(range(16))
    async with walking(URL, fleet.place) as walks:
        for change in range(1, 201):
            # 50 changes are two hours: then the entries of a tree that nobody reads go.
            fleet.time += 144
            # One pass a change: ExternalDNS takes longer, so that several become one tree.
            await fleet.publish(range(change, change + 16))
        state = await fleet.until_propagated(range(200, 216))
    assert len(set(walks.seqs)) > 2
    assert walks.seqs == sorted(walks.seqs)
    assert walks.seqs[-1] == state.seq == 201


async def test_a_provider_that_leaves_old_roots_behind_is_told_and_no_further_root_is_moved(
    spoilt_fleet: Publisher,
) -> None:
    fleet = spoilt_fleet
    await fleet.until_propagated(range(14))
    async with walking(URL, fleet.place):
        await fleet.until_told(range(15), "shows 2 roots")
        moved = await fleet.root()
        fleet.time += 24 * 3600  # the entries of the first tree would go
        state = await fleet.until_told(range(16), "publish by the sink rfc2136")
        assert (state.sinks[0].progress, state.published) == ("Failed", False)
    assert await fleet.root() == moved
