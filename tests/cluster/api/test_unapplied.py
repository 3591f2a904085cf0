"""A change that the API server does not take costs no member its pod.

No kubelet runs here: `support/pretended_pods.py` does what one would.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from statusfleet.kube import KubeClient
from statusfleet.kube.kinds import CONFIG_MAP, POD
from support.kube_api import ApiServer
from support.operator_process import FleetUser, condition, eventually, has_reason, operator
from support.pretended_pods import run_pod

IMAGE = "statusfleet.test/statusfleet:test"
RELAYER = {"replicas": 1, "expose": {"type": "ClusterIP", "addressScope": "Private"}}
NAME = "small-relayer-0"


@pytest.fixture
def user(definition: None, client: KubeClient, namespace: str) -> FleetUser:
    return FleetUser(client, namespace)


@asynccontextmanager
async def running_fleet(api_server: ApiServer, user: FleetUser, folder: Path) -> AsyncIterator[str]:
    """Run an operator, and a fleet of one relayer that is ready; gives the uid of its pod."""
    async with operator(folder, api_server.kubeconfig(), user.namespace, IMAGE):
        await user.apply(roles={"relayer": RELAYER}, canary={"enabled": False})
        uid = await run_pod(user, "relayer-0")
        await user.until(has_reason("Ready", "AllReady"), "ready")
        yield uid


async def lives(user: FleetUser, uid: str) -> bool:
    pod = await user.client.get(POD, user.namespace, f"{NAME}-0")
    return pod["metadata"]["uid"] == uid and "deletionTimestamp" not in pod["metadata"]


async def test_a_template_that_is_refused_stops_the_rollout_before_it_begins(
    api_server: ApiServer, user: FleetUser, tmp_path: Path
) -> None:
    async with running_fleet(api_server, user, tmp_path) as uid:
        wrong = {"tolerations": [{"operator": "Equal", "value": "x"}]}
        relayer = {**RELAYER, "template": wrong}
        await user.apply(roles={"relayer": relayer}, canary={"enabled": False})
        status = await user.until(has_reason("Progressing", "RolloutStopped"), "stopped")
        assert condition(status, "Ready")["reason"] == "NotApplied"
        assert "operator must be Exists" in condition(status, "Ready")["message"]
        assert await lives(user, uid)
        # Another change does not help as long as the wrong one stands.
        again = {**relayer, "resources": {"limits": {"memory": "1Gi"}}}
        await user.apply(roles={"relayer": again}, canary={"enabled": False})
        await user.until(has_reason("Progressing", "RolloutStopped"), "stopped again")
        assert await lives(user, uid)


async def test_settings_that_somebody_holds_start_nobody_anew(
    api_server: ApiServer, user: FleetUser, tmp_path: Path
) -> None:
    async with running_fleet(api_server, user, tmp_path) as uid:
        metadata = {"namespace": user.namespace, "name": NAME}
        theirs = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata}
        held = {**theirs, "data": {"config.json": "{}"}}
        await user.client.apply(held, force=True, field_manager="somebody")
        await user.until(has_reason("Ready", "NotApplied"), "told")
        relayer = {**RELAYER, "config": {"APIModules": "net,waku"}}
        await user.apply(roles={"relayer": relayer}, canary={"enabled": False})
        await user.until(has_reason("Progressing", "RolloutStopped"), "stopped")
        assert await lives(user, uid)
        await user.client.apply(theirs, field_manager="somebody")

        async def goes() -> bool:
            return not await lives(user, uid)

        await eventually(goes)
        found = await user.client.get(CONFIG_MAP, user.namespace, NAME)
        assert "net,waku" in found["data"]["config.json"]
