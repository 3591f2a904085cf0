"""Objects that are called as ours and belong to somebody else: left as they are, and told of."""

from __future__ import annotations

from pathlib import Path

import pytest

from statusfleet.kube import KubeClient
from statusfleet.kube.kinds import NETWORK_POLICY, SERVICE, SERVICE_ACCOUNT, Kind
from support.kube_api import ApiServer
from support.operator_process import FleetUser, condition, has_reason, operator

IMAGE = "statusfleet.test/statusfleet:test"
ROLES = {"relayer": {"replicas": 2, "expose": {"type": "ClusterIP", "addressScope": "Private"}}}


@pytest.fixture
def user(definition: None, client: KubeClient, namespace: str) -> FleetUser:
    return FleetUser(client, namespace)


async def version(user: FleetUser, kind: Kind, name: str) -> str:
    found = await user.client.get(kind, user.namespace, name)
    return str(found["metadata"]["resourceVersion"])


async def test_a_user_s_service_is_no_member_s_until_it_is_gone(
    api_server: ApiServer, user: FleetUser, tmp_path: Path
) -> None:
    theirs = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"namespace": user.namespace, "name": "small-relayer-0"},
        "spec": {"selector": {"app": "web"}, "ports": [{"port": 80}]},
    }
    made = await user.client.create(theirs)
    async with operator(tmp_path, api_server.kubeconfig(), user.namespace, IMAGE):
        await user.apply(roles=ROLES)
        status = await user.until(has_reason("Ready", "NotApplied"), "told")
        told = condition(status, "Ready")["message"]
        assert told.startswith("Service small-relayer-0: there is one already that belongs to")
        assert await user.client.get(SERVICE, user.namespace, "small-relayer-0") == made
        # Not asked for any more, it is no problem; nor is it deleted with the member.
        disabled = {**ROLES["relayer"], "members": [{"ordinal": 0, "disabled": True}]}
        await user.apply(roles={"relayer": disabled})
        await user.until(has_reason("Ready", "MembersNotReady"), "without it")
        assert await user.client.get(SERVICE, user.namespace, "small-relayer-0") == made


async def test_of_two_fleets_whose_objects_are_called_alike_the_second_is_told(
    api_server: ApiServer, user: FleetUser, tmp_path: Path
) -> None:
    other = FleetUser(user.client, user.namespace, f"{user.name}-dns")
    async with operator(tmp_path, api_server.kubeconfig(), user.namespace, IMAGE):
        await user.apply(roles=ROLES, tree={"domain": "nodes.test.example"})
        await user.until(has_reason("Ready", "MembersNotReady"), "begun")
        shared = [(NETWORK_POLICY, other.name), (SERVICE_ACCOUNT, other.name)]
        before = [await version(user, kind, name) for kind, name in shared]
        await other.apply(roles=ROLES)
        status = await other.until(has_reason("Ready", "NotApplied"), "told")
        told = condition(status, "Ready")["message"]
        for kind, name in shared:
            words = f"{kind} {name}: there is one already that belongs to StatusFleet {user.name}"
            assert words in told
        assert [await version(user, kind, name) for kind, name in shared] == before
