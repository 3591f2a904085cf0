"""The control plane dies in the middle of work: the API server, etcd, the operator that leads."""

from __future__ import annotations

import asyncio
import json
import os
import signal
from collections import Counter
from contextlib import suppress
from pathlib import Path

import pytest

from statusfleet.kube import TransientError
from statusfleet.kube.kinds import LEASE, POD
from support.cluster import Cluster
from support.fleet_mail import archived
from support.installed_chart import Place, installed
from support.operator_process import FleetUser, eventually, has_reason
from support.whole_fleet import Json, enodes, identities, spec, whole, witness

pytestmark = pytest.mark.usefixtures("alone")


def changed() -> Json:
    """A change for which each relayer has to be started anew."""
    found = spec()
    found["roles"]["relayer"]["template"] = {"annotations": {"example.org/changed": "yes"}}
    return found


async def pods(user: FleetUser, of: str) -> dict[str, tuple[str, int]]:
    """Return UID and restarts of a role's pods by name."""
    labels = f"statusfleet.io/fleet={user.name},statusfleet.io/role={of}"
    return {
        pod["metadata"]["name"]: (
            pod["metadata"]["uid"],
            sum(one["restartCount"] for one in pod["status"].get("containerStatuses") or ()),
        )
        for pod in await user.client.list(POD, user.namespace, labels=labels)
    }


def evictions(cluster: Cluster, user: FleetUser) -> Counter[str]:
    """Count how often the operator deleted which pod, as the API server tells it."""
    found: Counter[str] = Counter()
    for event in map(json.loads, cluster.audit_log.read_text().splitlines()):
        what = event.get("objectRef", {})
        of_ours = (event["verb"], what.get("resource")) == ("delete", "pods")
        if of_ours and what.get("namespace") == user.namespace:
            by_operator = event["user"]["username"].endswith(":statusfleet")
            found[what["name"]] += by_operator and event["responseStatus"]["code"] < 300
    return found


async def leader(user: FleetUser) -> str:
    """Return the UID of the pod that leads."""
    lease = await user.client.get(LEASE, user.namespace, "statusfleet")
    name = lease["spec"]["holderIdentity"].rpartition("_")[0]
    found = await user.client.get(POD, user.namespace, name)
    return str(found["metadata"]["uid"])


def kill_processes(uid: str) -> None:
    """Kill what runs in a pod; its pause container is left alone."""
    for folder in Path("/proc").iterdir():
        with suppress(OSError):
            if not folder.name.isdecimal() or uid not in (folder / "cgroup").read_text():
                continue
            if b"statusfleet" in (folder / "cmdline").read_bytes():
                os.kill(int(folder.name), signal.SIGKILL)


async def test_a_rollout_goes_on_when_api_server_etcd_and_leader_die_and_nobody_else_notices(
    cluster: Cluster, user: FleetUser, place: Place
) -> None:
    async with installed(place, "--set", "replicas=2"):
        await user.apply(**spec())
        before = await whole(user)
        relayers, mailservers = await pods(user, "relayer"), await pods(user, "mailserver")
        async with witness(user):
            await user.apply(**changed())
            await user.until(has_reason("Progressing", "RollingOut"), "rolling out")
            for daemon in ("kube-apiserver", "etcd"):
                await asyncio.to_thread(cluster.machine, "restart", daemon)
                # Nobody of the fleet asks the API server for anything.
                await archived(enodes(before)["mailserver-0"])

                async def answers() -> bool:
                    with suppress(TransientError):
                        return await user.get() is not None
                    return False

                await eventually(answers)
            first = await leader(user)
            kill_processes(first)

            async def all_others() -> bool:
                now = await pods(user, "relayer")
                return now.keys() == relayers.keys() and not now.items() & relayers.items()

            await eventually(all_others)
            after = await whole(user)
        assert identities(after) == identities(before)
        assert await pods(user, "mailserver") == mailservers
        assert evictions(cluster, user) == Counter(relayers.keys())
        await user.delete()
        await user.until_gone()
