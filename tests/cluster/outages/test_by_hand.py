"""What somebody deletes by hand comes back, or is asked for; nobody becomes somebody else."""

from __future__ import annotations

import asyncio
import re
import signal
from pathlib import Path
from typing import Any

import pytest

from statusfleet.kube.kinds import (
    CONFIG_MAP,
    LEASE,
    NODE,
    PERSISTENT_VOLUME_CLAIM,
    POD,
    SECRET,
    Kind,
)
from support.cluster import Cluster
from support.fleet_mail import archived, still_archived
from support.kube_snapshot import KINDS
from support.operator_process import (
    FleetUser,
    condition,
    eventually,
    has_reason,
    is_true,
    operator,
)
from support.whole_fleet import enodes, identities, numbers, spec, whole

Key = tuple[str, str]
_CLAIM = "mailserver-0"


async def objects(user: FleetUser) -> dict[Key, str]:
    """Return the UIDs of everything that the operator made, but pods and volumes."""
    labels = {"statusfleet.io/fleet": user.name}
    found = {}
    for kind in KINDS:
        if kind in (NODE, POD, PERSISTENT_VOLUME_CLAIM):
            continue
        for item in await user.client.list(kind, user.namespace, labels=labels):
            name = re.sub(r"-state-.*", "-state-*", item["metadata"]["name"])
            found[kind.kind, name] = item["metadata"]["uid"]
    lease = await user.client.find(LEASE, user.namespace, "statusfleet")
    return found | ({(LEASE.kind, "statusfleet"): lease["metadata"]["uid"]} if lease else {})


async def uid(user: FleetUser, kind: Kind, name: str) -> str:
    found = await user.client.get(kind, user.namespace, f"{user.name}-{name}")
    return str(found["metadata"]["uid"])


async def saved(user: FleetUser, name: str) -> dict[str, Any]:
    """Return a Secret as somebody keeps a copy of it, and delete it."""
    found = await user.client.get(SECRET, user.namespace, f"{user.name}-{name}")
    metadata = {key: found["metadata"][key] for key in ("namespace", "name", "labels")}
    await user.client.delete(SECRET, user.namespace, f"{user.name}-{name}")
    return {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "data": found["data"]}


def none_fell(before: dict[str, int], after: dict[str, int]) -> bool:
    return before.keys() == after.keys() and all(after[name] >= before[name] for name in before)


async def test_everything_that_is_deleted_comes_back_and_all_stay_who_they_are(
    cluster: Cluster, user: FleetUser, image: str, tmp_path: Path
) -> None:
    async with operator(tmp_path, cluster.kubeconfig, user.namespace, image) as running:
        await user.apply(**spec())
        before = await whole(user)
        mail = await archived(enodes(before)["mailserver-0"])
        old, claim = await objects(user), await uid(user, PERSISTENT_VOLUME_CLAIM, _CLAIM)
        for kind in {kind for kind, _ in old} - {LEASE.kind}:
            of_fleet = f"--selector=statusfleet.io/fleet={user.name}"
            where = (f"--namespace={user.namespace}", "--wait=false")
            await asyncio.to_thread(cluster.kubectl, "delete", kind, of_fleet, *where)
        await user.client.delete(LEASE, user.namespace, "statusfleet")

        late: dict[Key, str] = {}

        async def all_back() -> bool:
            nonlocal late
            new = await objects(user)
            late = dict(old.items() & new.items()) | dict.fromkeys(old.keys() ^ new.keys(), "")
            return not late

        try:
            await eventually(all_back)
        except TimeoutError:
            pytest.fail(f"these are not back, or still the old ones: {late}")
        after = await whole(user)
        assert enodes(after).keys() == enodes(before).keys()
        assert identities(after) == identities(before)
        assert after["tree"]["url"] == before["tree"]["url"]
        assert none_fell(numbers(before), numbers(after))
        assert await uid(user, PERSISTENT_VOLUME_CLAIM, _CLAIM) == claim
        await still_archived(enodes(after)["mailserver-0"], mail)
        assert await running.end() == 0


async def test_what_was_lost_while_no_operator_ran_is_asked_for_and_not_made_anew(
    cluster: Cluster, user: FleetUser, image: str, tmp_path: Path
) -> None:
    where = (tmp_path, cluster.kubeconfig, user.namespace, image)
    async with operator(*where) as first:
        await user.apply(**spec())
        before = await whole(user)
        await first.end(signal.SIGTERM)
    pod = await uid(user, POD, "relayer-0-0")
    copies = [await saved(user, name) for name in ("relayer-0", "tree")]
    await user.client.delete(CONFIG_MAP, user.namespace, f"{user.name}-state")
    async with operator(*where):
        status = await user.until(has_reason("Ready", "MembersNotReady"), "told")
        told = condition(status, "Ready")["message"]
        assert f"relayer-0: Secret {user.namespace}/{user.name}-relayer-0" in told
        assert "statusfleet identities import" in told
        status = await user.until(has_reason("TreePublished", "SigningRefused"), "refused")
        assert (
            f"Secret {user.namespace}/{user.name}-tree"
            in (condition(status, "TreePublished")["message"])
        )
        for copy in copies:
            await user.client.create(copy)
        after = await whole(user)
        assert enodes(after) == enodes(before)
        assert after["tree"]["url"] == before["tree"]["url"]
        assert none_fell(numbers(before), numbers(after))
        assert await uid(user, POD, "relayer-0-0") == pod


async def test_a_volume_that_is_to_go_is_told_of_while_its_mail_is_still_there(
    cluster: Cluster, user: FleetUser, image: str, tmp_path: Path
) -> None:
    async with operator(tmp_path, cluster.kubeconfig, user.namespace, image):
        await user.apply(**spec(relayers=1))
        before = await whole(user)
        mail = await archived(enodes(before)["mailserver-0"])
        old = await uid(user, PERSISTENT_VOLUME_CLAIM, _CLAIM)
        await user.client.delete(PERSISTENT_VOLUME_CLAIM, user.namespace, f"{user.name}-{_CLAIM}")
        status = await user.until(has_reason("Ready", "NotApplied"), "told")
        told = condition(status, "Ready")["message"]
        assert f"PersistentVolumeClaim {user.name}-{_CLAIM}" in told
        assert "persistentVolumeReclaimPolicy" in told
        await still_archived(enodes(before)["mailserver-0"], mail)

        # Only when the pod lets it go is it gone; the next is another, and empty.
        await user.client.delete(POD, user.namespace, f"{user.name}-mailserver-0-0")

        async def another() -> bool:
            found = await user.client.find(
                PERSISTENT_VOLUME_CLAIM, user.namespace, f"{user.name}-{_CLAIM}"
            )
            return found is not None and found["metadata"]["uid"] != old

        await eventually(another)
        status = await user.until(is_true("Ready"), "ready again")
        assert identities(status) == identities(before)
