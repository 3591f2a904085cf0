"""An operator that is killed at each step of a publication that goes into objects of a cluster.

The API server is real; whoever carries the objects into the DNS is pretended, and quick.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import dns.rdatatype
import dns.zone
import pytest

from statusfleet.kube import KubeClient
from statusfleet.kube.kinds import CONFIG_MAP, DNS_ENDPOINT
from statusfleet.publishers.authorities import text_of
from statusfleet.publishers.embedded import EmbeddedDnsServer
from statusfleet.tree.zone import Zone, ZoneSettings
from support.dns_endpoint_kind import install
from support.killed_publisher import Errand, publishers
from support.killing import killed_at_each_step
from support.kube_api import ApiServer
from support.ports import HOST
from support.records import DOMAIN

Carry = Callable[[KubeClient, str], Awaitable[dict[str, str]]]
"""Returns the TXT records that the objects of a namespace say."""


async def of_endpoints(client: KubeClient, namespace: str) -> dict[str, str]:
    """What ExternalDNS would write."""
    return {
        endpoint["dnsName"]: endpoint["targets"][0].strip('"')
        for body in await client.list(DNS_ENDPOINT, namespace)
        for endpoint in body["spec"]["endpoints"]
    }


async def of_zone_file(client: KubeClient, namespace: str) -> dict[str, str]:
    """What a server has that loads the file."""
    found = await client.find(CONFIG_MAP, namespace, "eth-zone")
    if found is None:
        return {}
    zone = dns.zone.from_text(found["data"][f"{DOMAIN}.zone"], f"{DOMAIN}.", relativize=False)
    return {
        name.to_text(omit_final_dot=True): text_of(rdataset[0])
        for name, rdataset in zone.iterate_rdatasets(dns.rdatatype.TXT)
    }


@asynccontextmanager
async def dns_server(carry: Carry, client: KubeClient, namespace: str) -> AsyncIterator[int]:
    """Serve what the objects say; yield the port."""
    settings = ZoneSettings(DOMAIN)
    server = EmbeddedDnsServer(settings)

    async def follow() -> None:
        while True:
            texts = await carry(client, namespace)
            server.publish(Zone(settings, 1, texts or {DOMAIN: "v=spf1 -all"}))
            await asyncio.sleep(0.05)

    await server.start(HOST)
    async with asyncio.TaskGroup() as group:
        following = group.create_task(follow())
        try:
            yield server.address[1]
        finally:
            following.cancel()
            await server.stop()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("sink", "carry"), [("zoneFile", of_zone_file), ("dnsEndpoint", of_endpoints)]
)
async def test_a_publisher_killed_at_any_step_leaves_a_whole_tree_and_the_next_one_ends_its_work(
    client: KubeClient, api_server: ApiServer, namespace: str, sink: str, carry: Carry
) -> None:
    await install(client)
    async with dns_server(carry, client, namespace) as port, publishers() as others:
        errand = Errand(
            namespace, 0, 16, 1.7e9, sink, f"{HOST}:{port}", kubeconfig=api_server.kubeconfig()
        )
        steps = await killed_at_each_step(others, errand, (HOST, port))
    assert steps > 6
