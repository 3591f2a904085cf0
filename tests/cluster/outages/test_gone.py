"""Fleets and namespaces that are deleted, with and without an operator: nothing hangs."""

from __future__ import annotations

import secrets
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from statusfleet.kube import KubeClient
from statusfleet.kube.kinds import NAMESPACE, POD, STATEFUL_SET
from support.cluster import Cluster
from support.fleet_mail import archived, still_archived
from support.operator_process import FleetUser, eventually, operator
from support.whole_fleet import enodes, identities, let_go, spec, whole


@pytest.fixture
async def doomed(definition: str, client: KubeClient) -> AsyncIterator[FleetUser]:
    """Somebody with a fleet in a namespace that will not last."""
    name = f"test-doomed-{secrets.token_hex(3)}"
    await client.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})
    yield FleetUser(client, name, "small")
    await let_go(client, name)
    await client.delete(NAMESPACE, "", name)


async def until_no_namespace(user: FleetUser) -> None:
    async def gone() -> bool:
        return await user.client.find(NAMESPACE, "", user.namespace) is None

    await eventually(gone)


async def test_a_fleet_deleted_while_no_operator_runs_goes_and_its_mail_and_identities_stay(
    cluster: Cluster, user: FleetUser, image: str, tmp_path: Path
) -> None:
    where = (tmp_path, cluster.kubeconfig, user.namespace, image)
    wanted = spec(relayers=1)
    async with operator(*where) as first:
        await user.apply(**wanted)
        before = await whole(user)
        mail = await archived(enodes(before)["mailserver-0"])
        await first.end(signal.SIGKILL)
    await user.delete()
    assert await user.get() is not None
    async with operator(*where):
        await user.until_gone()

        async def nothing_runs() -> bool:
            labels = {"statusfleet.io/fleet": user.name}
            found = [
                *await user.client.list(STATEFUL_SET, user.namespace, labels=labels),
                *await user.client.list(POD, user.namespace, labels=labels),
            ]
            return not found

        await eventually(nothing_runs)
        await user.apply(**wanted)
        after = await whole(user)
        assert identities(after) == identities(before)
        assert after["tree"]["seq"] > before["tree"]["seq"]
        await still_archived(enodes(after)["mailserver-0"], mail)


async def test_a_namespace_goes_with_the_fleets_in_it(
    cluster: Cluster, namespace: str, doomed: FleetUser, image: str, tmp_path: Path
) -> None:
    lease = ("--lease-namespace", namespace)
    async with operator(tmp_path, cluster.kubeconfig, doomed.namespace, image, *lease) as running:
        await doomed.apply(**spec(relayers=1))
        await whole(doomed)
        await doomed.client.delete(NAMESPACE, "", doomed.namespace)
        await until_no_namespace(doomed)
        assert await running.end() == 0


async def test_a_namespace_that_was_deleted_while_no_operator_ran_goes_with_its_fleets(
    cluster: Cluster, namespace: str, doomed: FleetUser, image: str, tmp_path: Path
) -> None:
    where = (tmp_path, cluster.kubeconfig, doomed.namespace, image)
    lease = ("--lease-namespace", namespace)
    async with operator(*where, *lease) as first:
        await doomed.apply(**spec(relayers=1))
        await whole(doomed)
        await first.end(signal.SIGKILL)
    await doomed.client.delete(NAMESPACE, "", doomed.namespace)

    async def emptied() -> bool:
        return not await doomed.client.list(POD, doomed.namespace)

    await eventually(emptied)
    assert await doomed.get() is not None
    async with operator(*where, *lease):
        await until_no_namespace(doomed)
