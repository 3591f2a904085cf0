"""`kubectl statusfleet` on a API server, where status and memory are as an operator leaves them.

No kubelet runs here, so the only log that can be read is the refusal.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
from dataclasses import dataclass
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from statusfleet.cli.kubectl.main import app
from statusfleet.kube import KubeClient
from statusfleet.kube.kinds import POD, STATUS_FLEET
from statusfleet.store import State, TreeState
from statusfleet.store.kubernetes import KubernetesStore
from statusfleet.tree.publication import Publication
from statusnode.crypto.keys import PrivateKey
from statusnode.records.enr import Record
from statusnode.records.tree import Tree
from support.kube_api import ApiServer
from support.operator_process import FleetUser

KEY = PrivateKey(b"\x01" * 32)
RECORD = Record.sign(KEY, 4, ip="192.0.2.1", tcp=30303)
MEMBER = {"name": "relayer-0", "role": "relayer", "ready": True, "published": True, "seq": 4}
STATUS: dict[str, Any] = {
    "observedGeneration": 1,
    "phase": "Ready",
    "ready": "1/2",
    "members": [MEMBER | {"enode": str(RECORD.enode()), "enr": str(RECORD)}],
    "conditions": [
        {
            "type": "Ready",
            "status": "False",
            "reason": "MembersNotReady",
            "message": "relayer-1: is being started",
            "observedGeneration": 1,
            "lastTransitionTime": "2026-01-01T00:00:00Z",
        }
    ],
}


@dataclass(frozen=True)
class Plugin:
    """The plugin, and a fleet of two relayers that it looks at."""

    server: ApiServer
    user: FleetUser

    async def run(self, *arguments: str) -> Result:
        where = ["--kubeconfig", self.server.kubeconfig(), "-n", self.user.namespace]
        return await asyncio.to_thread(CliRunner().invoke, app, [*arguments, *where])

    async def output(self, *arguments: str) -> str:
        result = await self.run(*arguments)
        assert result.exit_code == 0, result.output
        return result.stdout

    async def error(self, *arguments: str) -> str:
        result = await self.run(*arguments)
        assert result.exit_code == 1, result.output
        return result.stderr.strip()

    async def fleet(self) -> dict[str, Any]:
        found = await self.user.get()
        assert found is not None
        return found


@pytest.fixture
async def plugin(
    api_server: ApiServer, definition: None, client: KubeClient, namespace: str
) -> Plugin:
    user = FleetUser(client, namespace)
    await user.apply(
        roles={"relayer": {"replicas": 2}},
        tree={"domain": "nodes.small.example"},
        fleetName="eth.dev",
    )
    await client.patch_status(STATUS_FLEET, namespace, user.name, STATUS)
    return Plugin(api_server, user)


async def test_a_status_is_shown(plugin: Plugin) -> None:
    lines = (await plugin.output("status", "small")).splitlines()
    assert lines[0] == f"{plugin.user.namespace}/small: Ready, 1/2 members ready"
    assert f"  next: kubectl statusfleet logs small -n {plugin.user.namespace}" in lines


async def test_a_fleet_that_is_not_there_is_an_error(plugin: Plugin) -> None:
    told = f"error: there is no fleet big in the namespace {plugin.user.namespace}"
    for command in ("status", "tree", "logs", "nodes", "restart", "pause", "resume"):
        assert await plugin.error(command, "big") == told
    assert await plugin.error("status", "big", "--watch") == told


async def test_a_fleet_is_watched_until_it_is_gone(plugin: Plugin) -> None:
    watching = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "statusfleet.cli.kubectl.main", "status", "small", "-w"),
        *("-n", plugin.user.namespace),
        stdout=asyncio.subprocess.PIPE,
        env={**os.environ, "KUBECONFIG": plugin.server.kubeconfig()},
    )
    assert watching.stdout is not None
    try:
        async with asyncio.timeout(60):
            await until_line(watching.stdout, "small: Ready")
            paused = STATUS | {"phase": "Paused"}
            await plugin.user.client.patch_status(
                STATUS_FLEET, plugin.user.namespace, "small", paused
            )
            await until_line(watching.stdout, "small: Paused")
            await plugin.user.delete()
            await until_line(watching.stdout, "small is gone")
            assert await watching.wait() == 0
    finally:
        if watching.returncode is None:
            watching.kill()
        await watching.communicate()


async def until_line(lines: asyncio.StreamReader, text: str) -> None:
    while line := await lines.readline():
        if text in line.decode():
            return
    raise AssertionError(f"the output ended before {text}")


async def test_nodes_are_listed_from_the_status_and_from_what_was_signed(plugin: Plugin) -> None:
    other = Record.sign(PrivateKey(b"\x02" * 32), 1, ip="192.0.2.2", tcp=30303)
    result = await plugin.run("nodes", "small")
    assert result.stdout.splitlines() == [str(RECORD.enode())]
    assert result.stderr == "without an address yet: relayer-1\n"
    store = KubernetesStore(plugin.user.client, plugin.user.namespace, "small")
    await store.write(State(records={"relayer-1": str(other), "relayer-7": str(RECORD)}))
    enodes = [str(RECORD.enode()), str(other.enode())]
    assert (await plugin.output("nodes", "small", "--format", "enode")).splitlines() == enodes
    config = json.loads(await plugin.output("nodes", "small", "--format", "cluster-config"))
    assert sorted(config["ClusterConfig"]["StaticNodes"]) == sorted(enodes)
    table = json.loads(await plugin.output("nodes", "small", "--format", "fleets-json"))
    assert list(table["fleets"]["eth.dev"]["whisper"]) == ["node-01.eth.dev", "node-02.eth.dev"]


async def test_a_tree_is_shown_as_it_is_kept(plugin: Plugin) -> None:
    assert "has published no tree yet" in await plugin.error("tree", "small")
    signed = Tree.build([RECORD]).sign(KEY, "nodes.small.example", 9)
    store = KubernetesStore(plugin.user.client, plugin.user.namespace, "small")
    state = State(records={"relayer-0": str(RECORD)}, tree=TreeState(9, Publication(signed)))
    await store.write(state)
    lines = (await plugin.output("tree", "small")).splitlines()
    assert lines[:2] == [signed.url, "seq 9, 1 nodes"]
    assert any(line.split()[:1] == ["relayer-0"] for line in lines)


async def test_a_restart_is_a_word_in_the_fleet_each_time_a_new_one(plugin: Plugin) -> None:
    for arguments in (("restart", "small"), ("restart", "small", "relayer-1")):
        key = ".".join(("statusfleet.io/restart", *arguments[2:]))
        await plugin.output(*arguments)
        first = (await plugin.fleet())["metadata"]["annotations"][key]
        await plugin.output(*arguments)
        assert (await plugin.fleet())["metadata"]["annotations"][key] > first
    assert "has no member relayer-2" in await plugin.error("restart", "small", "relayer-2")


async def test_a_fleet_is_paused_and_goes_on(plugin: Plugin) -> None:
    assert await plugin.output("pause", "small") == "small is paused\n"
    fleet = await plugin.fleet()
    assert fleet["spec"]["paused"] is True
    managers = {entry["manager"] for entry in fleet["metadata"]["managedFields"]}
    assert "kubectl-statusfleet" in managers
    assert await plugin.output("pause", "small") == "small was paused already\n"
    restarted = await plugin.run("restart", "small")
    assert "nothing happens while small is paused" in restarted.stderr
    assert await plugin.output("resume", "small") == "small is not paused\n"
    assert await plugin.output("resume", "small") == "small was not paused before\n"
    assert (await plugin.fleet())["spec"]["paused"] is False


async def test_a_log_that_cannot_be_read_is_told_of_with_its_member(plugin: Plugin) -> None:
    assert "has no pods of any member" in await plugin.error("logs", "small")
    assert "is no role" in await plugin.error("logs", "small", "relay")
    labels = {"fleet": "small", "role": "relayer", "ordinal": "0"}
    await plugin.user.client.create(
        {
            "apiVersion": POD.api_version,
            "kind": POD.kind,
            "metadata": {
                "namespace": plugin.user.namespace,
                "name": "small-relayer-0-0",
                "labels": {f"statusfleet.io/{key}": value for key, value in labels.items()},
            },
            "spec": {
                "nodeName": "nowhere",
                "containers": [{"name": "statusd", "image": "none"}],
            },
        }
    )
    for more in ((), ("--follow",)):
        told = await plugin.error("logs", "small", "relayer", *more)
        assert told.startswith("relayer-0  error: ")
