"""The operator on a real API server without kubelets: what it makes, says, keeps and lets go."""

from __future__ import annotations

import asyncio
import signal
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from statusfleet.kube import InvalidError, KubeClient
from statusfleet.kube.kinds import (
    CONFIG_MAP,
    EVENT,
    LEASE,
    NAMESPACE,
    NETWORK_POLICY,
    POD_DISRUPTION_BUDGET,
    SECRET,
    SERVICE,
    SERVICE_ACCOUNT,
    STATEFUL_SET,
    STATUS_FLEET,
    Kind,
)
from statusfleet.kube.names import FINALIZER
from statusfleet.store.head import Head, encode_head
from statusnode.crypto.keys import PrivateKey
from support.kube_api import ApiServer
from support.operator_process import FleetUser, condition, eventually, has_reason, operator

IMAGE = "statusfleet.test/statusfleet:test"
CHILDREN = (
    (SERVICE, "small-relayer-0"),
    (CONFIG_MAP, "small-relayer-0"),
    (SECRET, "small-relayer-0"),
    (SECRET, "small-relayer-0-config"),
    (STATEFUL_SET, "small-relayer-0"),
    (NETWORK_POLICY, "small"),
    (POD_DISRUPTION_BUDGET, "small-relayer"),
    (SERVICE_ACCOUNT, "small"),
)
ROLES = {"relayer": {"replicas": 2, "expose": {"type": "ClusterIP", "addressScope": "Private"}}}

pytestmark = pytest.mark.slow


@pytest.fixture
def user(definition: None, client: KubeClient, namespace: str) -> FleetUser:
    return FleetUser(client, namespace)


async def names(user: FleetUser, kind: Kind) -> set[str]:
    labels = {"statusfleet.io/fleet": user.name}
    found = await user.client.list(kind, user.namespace, labels=labels)
    return {item["metadata"]["name"] for item in found}


def begun(status: dict[str, Any]) -> bool:
    return bool(status.get("members")) and all("enode" in m for m in status["members"])


async def test_a_fleet_becomes_objects_and_a_status(
    api_server: ApiServer, user: FleetUser, tmp_path: Path
) -> None:
    async with operator(tmp_path, api_server.kubeconfig(), user.namespace, IMAGE) as process:
        await user.apply(roles=ROLES)
        status = await user.until(begun, "begun")
        assert (status["phase"], status["ready"]) == ("Pending", "0/2")
        assert await names(user, STATEFUL_SET) == {"small-relayer-0", "small-relayer-1"}
        assert await names(user, SERVICE) == {"small-relayer-0", "small-relayer-1"}
        fleet = await user.get()
        assert fleet is not None
        assert fleet["metadata"]["finalizers"] == [FINALIZER]
        assert not any("kopf" in key for key in fleet["metadata"].get("annotations") or {})
        assert await process.end() == 0
    lease = await user.client.get(LEASE, user.namespace, "statusfleet")
    assert not lease["spec"].get("holderIdentity")


async def test_a_fleet_at_rest_is_not_written(
    api_server: ApiServer, user: FleetUser, tmp_path: Path
) -> None:
    async with operator(tmp_path, api_server.kubeconfig(), user.namespace, IMAGE):
        await user.apply(roles=ROLES)
        await user.until(begun, "begun")
        before = await versions(user)
        # A Service that somebody looks at, a label that nobody cares for: passes, and no writes.
        for _ in range(5):
            await asyncio.sleep(0.5)
        assert await versions(user) == before
    async with operator(tmp_path, api_server.kubeconfig(), user.namespace, IMAGE) as second:
        await eventually(second.leads)
        await asyncio.sleep(3)
        assert await versions(user) == before


async def replaced(user: FleetUser, kind: Kind, name: str, uid: str) -> bool:
    found = await user.client.find(kind, user.namespace, name)
    return found is not None and found["metadata"]["uid"] != uid


async def versions(user: FleetUser) -> dict[tuple[str, str], str]:
    found = {}
    for kind in (STATUS_FLEET, STATEFUL_SET, SERVICE, SECRET, CONFIG_MAP):
        for item in await user.client.list(kind, user.namespace):
            found[kind.kind, item["metadata"]["name"]] = item["metadata"]["resourceVersion"]
    return found


async def test_a_child_that_is_deleted_comes_back(
    api_server: ApiServer, user: FleetUser, tmp_path: Path
) -> None:
    async with operator(tmp_path, api_server.kubeconfig(), user.namespace, IMAGE):
        await user.apply(roles=ROLES)
        before = await user.until(begun, "begun")
        for kind, name in CHILDREN:
            old = await user.client.get(kind, user.namespace, name)
            await user.client.delete(kind, user.namespace, name)
            await eventually(partial(replaced, user, kind, name, old["metadata"]["uid"]))
        after = await user.until(begun, "begun again")
    keys = [
        [member["enode"].partition("@")[0] for member in status["members"]]
        for status in (before, after)
    ]
    assert keys[0] == keys[1]


async def test_a_paused_fleet_is_told_of_and_not_touched(
    api_server: ApiServer, user: FleetUser, tmp_path: Path
) -> None:
    async with operator(tmp_path, api_server.kubeconfig(), user.namespace, IMAGE):
        await user.apply(paused=True, roles=ROLES)
        await user.until(has_reason("Paused", "PausedBySpec"), "paused")
        for kind in (STATEFUL_SET, SERVICE, SECRET, CONFIG_MAP):
            assert await names(user, kind) == set()
        await user.apply(paused=False, roles=ROLES)
        await user.until(begun, "begun")


async def test_a_member_that_is_not_wanted_any_more_goes(
    api_server: ApiServer, user: FleetUser, tmp_path: Path
) -> None:
    async with operator(tmp_path, api_server.kubeconfig(), user.namespace, IMAGE):
        await user.apply(roles=ROLES)
        await user.until(begun, "begun")
        await user.apply(roles={"relayer": {**ROLES["relayer"], "replicas": 1}})
        await user.until(lambda status: status.get("ready") == "0/1", "smaller")

        async def gone() -> bool:
            return await names(user, STATEFUL_SET) == {"small-relayer-0"}

        await eventually(gone)
        assert "small-relayer-1" in await names(user, SECRET)  # its identity is kept


async def test_identities_outlive_a_fleet_unless_it_says_otherwise(
    api_server: ApiServer, user: FleetUser, tmp_path: Path
) -> None:
    async with operator(tmp_path, api_server.kubeconfig(), user.namespace, IMAGE):
        await user.apply(roles=ROLES)
        first = await user.until(begun, "begun")
        await user.delete()
        await user.until_gone()
        assert {"small-relayer-0", "small-relayer-1"} <= await names(user, SECRET)
        await user.apply(roles=ROLES, deletion={"identities": "Delete"})
        second = await user.until(begun, "begun anew")
        assert [m["enode"].partition("@")[0] for m in second["members"]] == [
            m["enode"].partition("@")[0] for m in first["members"]
        ]
        await user.delete()
        await user.until_gone()
    left = await user.client.list(
        SECRET, user.namespace, labels={"statusfleet.io/part": "identity"}
    )
    assert left == []


async def test_a_fleet_that_was_deleted_while_no_operator_ran_is_let_go_of(
    api_server: ApiServer, user: FleetUser, tmp_path: Path
) -> None:
    async with operator(tmp_path, api_server.kubeconfig(), user.namespace, IMAGE) as process:
        await user.apply(roles=ROLES, tree={"domain": "nodes.small.example"})
        await user.until(begun, "begun")
        await process.end(signal.SIGKILL)
    await user.delete()
    assert await user.get() is not None
    async with operator(tmp_path, api_server.kubeconfig(), user.namespace, IMAGE):
        await user.until_gone()


async def test_a_fleet_that_was_orphaned_while_no_operator_ran_leaves_everything(
    api_server: ApiServer, user: FleetUser, tmp_path: Path
) -> None:
    """No garbage collector runs here: the test does what one would, and forgets an object."""
    async with operator(tmp_path, api_server.kubeconfig(), user.namespace, IMAGE) as process:
        await user.apply(roles=ROLES, deletion={"identities": "Delete"})
        await user.until(begun, "begun")
        await process.end()
    ownerless: dict[str, Any] = {"metadata": {"ownerReferences": None}}
    for kind, name in (*CHILDREN, (STATEFUL_SET, "small-relayer-1")):
        if name != "small-relayer":
            await user.client.patch(kind, user.namespace, name, ownerless)
    await user.client.delete(STATUS_FLEET, user.namespace, user.name, propagation="Orphan")
    collected = {"metadata": {"finalizers": [FINALIZER]}}
    await user.client.patch(STATUS_FLEET, user.namespace, user.name, collected)
    async with operator(tmp_path, api_server.kubeconfig(), user.namespace, IMAGE):
        await user.until_gone()
    for kind, name in CHILDREN:
        found = await user.client.get(kind, user.namespace, name)
        assert "ownerReferences" not in found["metadata"]
    (event,) = [
        one for one in await user.client.list(EVENT, user.namespace) if one["reason"] == "Orphaned"
    ]
    assert event["message"].startswith("deleted with --cascade=orphan: members")


async def test_a_fleet_whose_memory_is_damaged_goes_when_somebody_says_so(
    api_server: ApiServer, user: FleetUser, tmp_path: Path
) -> None:
    async with operator(tmp_path, api_server.kubeconfig(), user.namespace, IMAGE) as process:
        await user.apply(roles=ROLES)
        await user.until(begun, "begun")
        await process.end(signal.SIGKILL)
    damage = {"data": {"state.json": "{"}}
    await user.client.patch(CONFIG_MAP, user.namespace, "small-state", damage)
    await user.delete()
    async with operator(tmp_path, api_server.kubeconfig(), user.namespace, IMAGE):
        status = await user.until(has_reason("Ready", "Blocked"), "told")
        told = condition(status, "Ready")["message"]
        assert "small-state is damaged" in told
        assert told.endswith("to let the fleet go without it, delete that ConfigMap")
        await user.client.delete(CONFIG_MAP, user.namespace, "small-state")
        await user.until_gone()


async def test_a_fleet_that_fails_is_left_alone_until_the_time_it_names(
    api_server: ApiServer, user: FleetUser, tmp_path: Path
) -> None:
    others = {"state.json": encode_head(Head("another", 1))}
    metadata = {"namespace": user.namespace, "name": "small-state"}
    await user.client.create(
        {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": others}
    )
    async with operator(tmp_path, api_server.kubeconfig(), user.namespace, IMAGE) as process:
        await user.apply(roles=ROLES)

        async def is_told() -> bool:
            return has_reason("Progressing", "Retrying")(await user.status())

        await eventually(is_told)
        status = await user.status()
        told = condition(status, "Progressing")["message"]
        assert "belongs to the fleet another" in told
        again = datetime.fromisoformat(told.rpartition("; tried again at ")[2])
        assert again.utcoffset() == timedelta(0)
        assert status["observedGeneration"] == 0  # nobody should take it for done
        # After 1, 2 and 4 seconds: each time is told, which is no reason to try again.
        tried = process.log.count("belongs to the fleet another")
        await asyncio.sleep(5)
        assert process.log.count("belongs to the fleet another") <= tried + 3


async def test_a_spec_that_slipped_in_is_a_condition(
    api_server: ApiServer, user: FleetUser, tmp_path: Path
) -> None:
    wrong = {"relayer": {"replicas": 1, "config": {"NodeKey": "00"}}}
    async with operator(tmp_path, api_server.kubeconfig(), user.namespace, IMAGE):
        try:
            await user.apply(roles=wrong)
        except InvalidError:
            pytest.skip("the CRD refuses what only the loop was to see")
        status = await user.until(has_reason("Ready", "InvalidSpec"), "told")
        assert "spec.roles.relayer.config" in condition(status, "Ready")["message"]

        async def told() -> bool:
            events = await user.client.list(EVENT, user.namespace)
            found = [(e["reason"], e["type"], e["message"].split(".")[0]) for e in events]
            return ("InvalidSpec", "Warning", "Ready: spec") in found

        await eventually(told)
        await user.apply(roles={"relayer": {**ROLES["relayer"], "config": {"NodeKey": None}}})
        await user.until(begun, "begun")


async def test_a_secret_that_is_made_later_is_taken_up(
    api_server: ApiServer, user: FleetUser, tmp_path: Path
) -> None:
    key = PrivateKey.generate()
    given = {"ordinal": 0, "nodeKeySecret": {"name": "old", "key": "nodekey"}}
    async with operator(tmp_path, api_server.kubeconfig(), user.namespace, IMAGE):
        await user.apply(roles={"relayer": {**ROLES["relayer"], "members": [given]}})
        status = await user.until(has_reason("Ready", "MembersNotReady"), "told")
        assert "key nodekey of Secret old, which is not there" in status["members"][0]["message"]
        secret = {
            "apiVersion": SECRET.api_version,
            "kind": SECRET.kind,
            "metadata": {"namespace": user.namespace, "name": "old"},
            "stringData": {"nodekey": key.data.hex()},
        }
        await user.client.create(secret)
        status = await user.until(begun, "begun")
    assert key.public_key.data.hex() in status["members"][0]["enode"]
    assert await user.client.find(SECRET, user.namespace, "small-relayer-0") is None
    body = await user.client.get(STATEFUL_SET, user.namespace, "small-relayer-0")
    assert key.data.hex() not in str(body)


async def test_a_fleet_with_a_wrong_spec_goes_as_it_says(
    api_server: ApiServer, user: FleetUser, tmp_path: Path
) -> None:
    wrong = {"relayer": {**ROLES["relayer"], "config": {"NodeKey": "00"}}}
    async with operator(tmp_path, api_server.kubeconfig(), user.namespace, IMAGE) as process:
        await user.apply(roles=ROLES)
        await user.until(begun, "begun")
        await process.end(signal.SIGKILL)
    await user.apply(roles=wrong, deletion={"identities": "Delete"})
    await user.delete()
    async with operator(tmp_path, api_server.kubeconfig(), user.namespace, IMAGE):
        await user.until_gone()
    assert await names(user, SECRET) & {"small-relayer-0", "small-relayer-1"} == set()


async def test_a_second_operator_goes_on_when_the_first_is_killed(
    api_server: ApiServer, user: FleetUser, tmp_path: Path
) -> None:
    where = (tmp_path, api_server.kubeconfig(), user.namespace, IMAGE)
    async with operator(*where) as first:
        await user.apply(roles=ROLES)
        await user.until(begun, "begun")
        async with operator(*where) as second:
            await first.end(signal.SIGKILL)
            await user.apply(roles={"relayer": {**ROLES["relayer"], "replicas": 3}})
            await user.until(lambda status: len(status.get("members") or ()) == 3, "grown")
            assert "this process leads" in second.log


async def test_a_leader_that_slept_past_its_lease_exits_and_writes_nothing(
    api_server: ApiServer, user: FleetUser, tmp_path: Path
) -> None:
    where = (tmp_path, api_server.kubeconfig(), user.namespace, IMAGE)
    async with operator(*where) as first:
        await user.apply(roles=ROLES)
        await user.until(begun, "begun")
        first.send(signal.SIGSTOP)
        async with operator(*where) as second:
            await eventually(second.leads)
            await user.apply(roles={"relayer": {**ROLES["relayer"], "replicas": 1}})
            await user.until(lambda status: status.get("ready") == "0/1", "smaller")
            before = await versions(user)
            first.send(signal.SIGCONT)
            assert await first.end(signal.SIGCONT) == 1
            assert await versions(user) == before


async def test_one_namespace_that_goes_away_does_not_end_the_operator(
    api_server: ApiServer, user: FleetUser, tmp_path: Path
) -> None:
    async with operator(tmp_path, api_server.kubeconfig(), user.namespace, IMAGE) as process:
        await user.apply(roles=ROLES)
        await user.until(begun, "begun")
        await user.client.delete(NAMESPACE, "", user.namespace)
        await user.delete()
        await user.until_gone()
        assert await process.end() == 0
