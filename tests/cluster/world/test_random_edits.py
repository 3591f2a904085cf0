"""Edits faster than anybody can follow: what remains is what the last one says, and nothing else.

one fleet, 50 edits, an operator that is killed amid them ──┐
                                                            ├── are alike
the last spec, applied once, by another operator ───────────┘
"""

from __future__ import annotations

import asyncio
import os
import random
import secrets
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from statusfleet.kube import KubeClient
from statusnode.crypto.keys import PrivateKey
from statusnode.discovery.dns import TreeReader
from statusnode.discovery.resolver import DnsResolver
from statusnode.records.entries import TreeError
from support.cluster import Cluster
from support.fleet_likeness import differences, likeness
from support.fleet_sight import Json, Sight, look
from support.fleet_specs import KEY_SECRET, PASSWORD_SECRET, Spec, drawn
from support.manifest_tables import manifest
from support.operator_process import PATIENCE_SECONDS, FleetUser, has_reason, is_true, operator

pytestmark = [pytest.mark.slow]

FLEET = "edits"
EDITS = 50
LONGEST_PAUSE_SECONDS = 2.5
# Another number, another list of edits: `EDITS_NUMBER=7 make test-cluster …`
NUMBER = int(os.environ.get("EDITS_NUMBER", "1"))


def secret(reference: dict[str, str], value: str) -> Json:
    """A Secret of the user's."""
    metadata = {"name": reference["name"]}
    data = {reference["key"]: value}
    return {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "stringData": data}


@pytest.fixture
async def places(cluster: Cluster, definition: str) -> AsyncIterator[tuple[str, str]]:
    """Two namespaces, each with the Secrets that the specs name."""
    with cluster.namespace("test-edits") as one, cluster.namespace("test-edits") as other:
        for namespace in (one, other):
            key = PrivateKey.generate().data.hex()
            secrets_ = [secret(KEY_SECRET, key), secret(PASSWORD_SECRET, "a mail password")]
            cluster.create(*secrets_, namespace=namespace)
        yield one, other


async def test_after_fifty_edits_a_fleet_is_as_the_last_one_says(
    cluster: Cluster, client: KubeClient, places: tuple[str, str], image: str, tmp_path: Path
) -> None:
    edited, fresh = places
    specs = drawn(EDITS, NUMBER)
    async with operator(tmp_path, cluster.kubeconfig, fresh, image):
        await apply(cluster, fresh, specs[-1])
        await edit_fast(cluster, edited, specs, tmp_path, image)
        async with operator(tmp_path, cluster.kubeconfig, edited, image):
            try:
                await become_alike(client, edited, fresh)
            finally:
                for namespace in places:
                    user = FleetUser(client, namespace, FLEET)
                    await user.delete()
                    await user.until_gone()


async def edit_fast(
    cluster: Cluster, namespace: str, specs: list[Spec], folder: Path, image: str
) -> None:
    """Apply one spec after another; kill the operator at some, have another one after others."""
    rhythm = random.Random(NUMBER)
    thirds = [specs[: EDITS // 3], specs[EDITS // 3 : 2 * EDITS // 3], specs[2 * EDITS // 3 :]]
    for number, third in enumerate(thirds):
        if number == 1:  # nobody looks
            for spec in third:
                await apply(cluster, namespace, spec)
            continue
        async with operator(folder, cluster.kubeconfig, namespace, image) as process:
            for spec in third:
                await apply(cluster, namespace, spec)
                await asyncio.sleep(rhythm.uniform(0, LONGEST_PAUSE_SECONDS))
            await process.end(signal.SIGKILL)


async def apply(cluster: Cluster, namespace: str, spec: Spec) -> None:
    answer = await asyncio.to_thread(
        cluster.apply, [manifest(spec, FLEET)], f"--namespace={namespace}"
    )
    assert answer.code == 0, answer.err


async def become_alike(client: KubeClient, edited: str, fresh: str) -> None:
    """Wait until nothing moves in either, and neither has anything that the other has not."""
    found = ["nothing was compared"]
    end = asyncio.get_running_loop().time() + 2 * PATIENCE_SECONDS
    while found:
        assert asyncio.get_running_loop().time() < end, "\n".join(found)
        await asyncio.sleep(1)
        sights = [await look(client, namespace, FLEET) for namespace in (edited, fresh)]
        found = [f"{sight.status}" for sight in sights if not is_at_rest(sight)]
        if not found:
            one, other = [{**likeness(sight), "tree": await tree_of(sight)} for sight in sights]
            found = list(differences(one, other))


def is_at_rest(sight: Sight) -> bool:
    return sight.is_told and has_reason("Progressing", "Steady")(sight.status)


async def tree_of(sight: Sight) -> Json:
    """Whom a reader of the tree finds, by name; nobody where nobody serves one."""
    service, url = sight.objects.get("Service dns"), sight.status.get("tree", {}).get("url")
    if service is None or url is None:
        return {}
    reader = TreeReader(DnsResolver((service["spec"]["clusterIP"], 53)))
    try:
        tree = await reader.read(url)
    except TreeError as error:
        # One that is said to be published has to be read: no two failures are alike.
        published = is_true("TreePublished")(sight.status)
        return {"unread": f"{error} {secrets.token_hex(2)}" if published else str(error)}
    named = {row.get("enr"): row["name"] for row in sight.status["members"]}
    nodes = sorted(
        named.get(str(record), f"stranger {secrets.token_hex(2)}") for record in tree.nodes
    )
    return {"nodes": nodes, "links": sorted(str(link) for link in tree.links)}
