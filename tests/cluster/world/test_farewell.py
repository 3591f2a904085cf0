"""The end of a fleet on a real cluster: what readers may still use goes last, and once."""

from __future__ import annotations

import json
import signal
from pathlib import Path

from statusfleet.kube import KubeClient
from statusfleet.kube.kinds import CONFIG_MAP, POD
from support.cluster import Cluster
from support.operator_process import FleetUser, condition, is_true, operator

RELAYER = {"replicas": 1, "expose": {"type": "NodePort", "addressScope": "Private"}}


async def withdrawn(user: FleetUser) -> dict[str, float]:
    """Return since when the fleet's memory says that the tree is withdrawn."""
    found = await user.client.get(CONFIG_MAP, user.namespace, f"{user.name}-state")
    since: dict[str, float] = json.loads(found["data"]["state.json"]).get("withdrawn", {})
    return since


async def test_an_operator_that_is_restarted_does_not_wait_anew_for_readers(
    cluster: Cluster,
    definition: str,
    client: KubeClient,
    namespace: str,
    image: str,
    tmp_path: Path,
) -> None:
    user = FleetUser(client, namespace, "short")
    where = (tmp_path, cluster.kubeconfig, namespace, image)
    tree = {"domain": "nodes.short.example", "ttl": {"root": "30s"}}
    async with operator(*where) as first:
        await user.apply(roles={"relayer": RELAYER}, tree=tree, canary={"enabled": False})
        await user.until(is_true("TreePropagated"), "propagated")
        await user.delete()
        status = await user.until(
            lambda status: (
                "readers have forgotten" in condition(status, "Progressing").get("message", "")
            ),
            "waiting for readers",
        )
        assert (status["phase"], condition(status, "Ready")["reason"]) == ("Deleting", "Deleting")
        assert condition(status, "TreePublished")["reason"] == "Deleting"
        assert not any(member["published"] for member in status["members"])
        before = await withdrawn(user)
        assert len(before) == 1
        labels = f"statusfleet.io/fleet={user.name},statusfleet.io/ordinal"
        assert await client.list(POD, namespace, labels=labels)  # readers may still come
        await first.end(signal.SIGKILL)
    async with operator(*where):
        await user.until_gone()
        assert await withdrawn(user) == before
        # A fleet of that name that follows is another: its tree is published, and withdrawn anew.
        await user.apply(roles={"relayer": RELAYER}, tree=tree, canary={"enabled": False})
        await user.until(is_true("TreePropagated"), "propagated again")
        await user.delete()
        await user.until_gone()
        after = await withdrawn(user)
        assert after.keys().isdisjoint(before)
