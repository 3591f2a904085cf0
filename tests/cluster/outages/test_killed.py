"""An operator that dies after a write, again and again, ends where an undisturbed one does."""

from __future__ import annotations

import asyncio
import json
import random
import re
import signal
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from statusfleet.kube import KubeClient
from statusfleet.kube.kinds import LEASE, NODE, POD, SECRET
from support.cluster import Cluster
from support.kube_gate import Gate, gate
from support.kube_snapshot import KINDS
from support.operator_process import FleetUser, eventually, operator
from support.whole_fleet import let_go, spec, whole, witness

SEED = 11
_LONGEST_LIFE = 12
_PATIENCE_SECONDS = 300.0  # a life takes seconds, and there are many
_TREE = {"domain": "nodes.test.example", "ttl": {"root": "1s"}, "publish": [{"embedded": {}}]}
_OTHER = "enrtree://AKPYQIUQIL7PSIACI32J7FGZW56E5FKHEFCCOFHILBIMW3M6LWXS2@nodes.example.org"

Edit = Callable[[FleetUser], Awaitable[None]]


async def create(user: FleetUser) -> None:
    await user.apply(**spec(tree=_TREE))
    await whole(user)


async def roll_out(user: FleetUser) -> None:
    before = await pods(user)
    await user.apply(**changed_spec(2))

    async def all_others() -> bool:
        now = await pods(user)
        return now.keys() == before.keys() and not now.items() & before.items()

    await eventually(all_others, user.patience_seconds)
    await whole(user)


async def scale_in(user: FleetUser) -> None:
    await user.apply(**changed_spec(1))

    async def one_less() -> bool:
        return len(await pods(user)) == 1

    await eventually(one_less, user.patience_seconds)
    await whole(user)


async def publish(user: FleetUser) -> None:
    seq = (await whole(user))["tree"]["seq"]
    await user.apply(**changed_spec(1, links=[_OTHER]))
    await user.until(lambda status: bool(status["tree"]["seq"] > seq), "published anew")
    await whole(user)


def changed_spec(relayers: int, **tree: Any) -> dict[str, Any]:
    changed = spec(relayers=relayers, tree={**_TREE, **tree})
    changed["roles"]["relayer"]["template"] = {"annotations": {"example.org/changed": "yes"}}
    return changed


async def delete(user: FleetUser) -> None:
    await user.delete()
    await user.until_gone()


async def pods(user: FleetUser) -> dict[str, str]:
    """Return the UIDs of relayers' pods by name."""
    labels = f"statusfleet.io/fleet={user.name},statusfleet.io/role=relayer"
    found = await user.client.list(POD, user.namespace, labels=labels)
    return {pod["metadata"]["name"]: pod["metadata"]["uid"] for pod in found}


EDITS: tuple[Edit, ...] = (create, roll_out, scale_in, publish, delete)


@dataclass
class Mortal:
    """Operators one after the other, each of which dies right after one of its first writes."""

    gate: Gate
    user: FleetUser
    folder: Path
    image: str
    chance: random.Random = field(default_factory=lambda: random.Random(SEED))
    deaths: int = 0

    async def survive(self, edit: Edit) -> None:
        """Have an edit come true in spite of it."""
        wanted = asyncio.create_task(edit(self.user))
        try:
            while not wanted.done():
                await self._live(wanted)
            await wanted
        finally:
            wanted.cancel()

    async def _live(self, wanted: asyncio.Task[None]) -> None:
        # As if the time of the one who died were over already.
        await self.user.client.delete(LEASE, self.user.namespace, "statusfleet")
        where = (self.folder, self.gate.kubeconfig, self.user.namespace, self.image)
        async with operator(*where) as process:
            kill = lambda: process.send(signal.SIGKILL)  # noqa: E731 - two words
            self.gate.strike_after(self.chance.randint(1, _LONGEST_LIFE), kill)
            struck = asyncio.create_task(self.gate.struck.wait())
            await asyncio.wait({wanted, struck}, return_when=asyncio.FIRST_COMPLETED)
            struck.cancel()
            self.deaths += self.gate.struck.is_set()


async def picture(user: FleetUser) -> dict[str, Any]:
    """Return everything that the operator made, without what differs from fleet to fleet."""
    labels = {"statusfleet.io/fleet": user.name}
    found: dict[str, Any] = {}
    for kind in KINDS:
        if kind in (NODE, POD):
            continue
        for item in await user.client.list(kind, user.namespace, labels=labels):
            metadata = item["metadata"]
            kept = {
                "labels": metadata["labels"],
                "owned": bool(metadata.get("ownerReferences")),
                "of": sorted(item.get("data") or ()),
                "spec": item.get("spec") if kind.api_version != "v1" else None,
            }
            text = json.dumps(kept, sort_keys=True).replace(user.namespace, "NAMESPACE")
            text = re.sub(
                r'("[a-z.]*/(restart-hash|revision|service-account-uid)": )"[^"]*"', r'\1""', text
            )
            name = re.sub(r"-state-.*", "-state-*", metadata["name"])
            found[f"{kind} {name}"] = json.loads(text)
    return found


async def are_alike(one: FleetUser, other: FleetUser) -> bool:
    return await picture(one) == await picture(other)


@pytest.fixture
async def users(
    cluster: Cluster, definition: str, client: KubeClient
) -> AsyncIterator[tuple[FleetUser, FleetUser]]:
    """Two who want the same: an operator of the first is left in peace."""
    with cluster.namespace("test-calm") as calm, cluster.namespace("test-killed") as stormy:
        first, second = (
            FleetUser(client, where, "small", patience_seconds=_PATIENCE_SECONDS)
            for where in (calm, stormy)
        )
        yield first, second
        for namespace in (calm, stormy):
            await let_go(client, namespace)


async def test_an_operator_killed_at_each_step_ends_where_an_undisturbed_one_does(
    cluster: Cluster, users: tuple[FleetUser, FleetUser], image: str, tmp_path: Path
) -> None:
    undisturbed, disturbed = users
    async with (
        gate(cluster.kubeconfig, tmp_path) as before_it,
        operator(tmp_path, cluster.kubeconfig, undisturbed.namespace, image),
        witness(disturbed),
    ):
        mortal = Mortal(before_it, disturbed, tmp_path, image)
        for edit in EDITS:
            deaths = mortal.deaths
            await asyncio.gather(edit(undisturbed), mortal.survive(edit))
            assert mortal.deaths > deaths, edit.__name__
            # Both tidy up after an edit, and the cluster clears away behind a deleted fleet.
            with suppress(TimeoutError):
                await eventually(lambda: are_alike(*users))
            assert await picture(disturbed) == await picture(undisturbed), edit.__name__
    for user in users:
        kept = await user.client.list(SECRET, user.namespace)
        names = {item["metadata"]["name"] for item in kept}
        assert {"small-relayer-0", "small-relayer-1", "small-mailserver-0"} <= names
