"""What the operator cannot see for a while: a namespace, or the definition of fleets itself."""

from __future__ import annotations

import asyncio
import re
import subprocess
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from statusfleet.kube import KubeClient
from statusfleet.kube.kinds import ROLE_BINDING, STATEFUL_SET, STATUS_FLEET
from support import kube_api
from support.definition import CRD, define
from support.kube_api import ApiServer
from support.kube_gate import gate
from support.kube_rights import allow
from support.operator_process import FleetUser, OperatorProcess, eventually, operator

IMAGE = "statusfleet.test/statusfleet:test"
EVERYTHING = {"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]}


def roles(replicas: int) -> dict[str, Any]:
    exposed = {"type": "ClusterIP", "addressScope": "Private"}
    return {"relayer": {"replicas": replicas, "expose": exposed}}


def has(replicas: int) -> Any:
    return lambda status: status.get("ready") == f"0/{replicas}"


@pytest.fixture(scope="module")
def own_server(
    api_server: ApiServer, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[ApiServer]:
    """A server of our own, for no other test knows fleets while their definition is away."""
    with kube_api.running(tmp_path_factory.mktemp("own")) as server:
        yield server


@pytest.fixture
def kubectl(own_server: ApiServer) -> list[str]:
    """kubectl, and fleets defined."""
    program = kube_api.program("kubectl")
    assert program is not None
    define(program, own_server.kubeconfig())
    return [program, f"--kubeconfig={own_server.kubeconfig()}"]


@pytest.fixture
async def admin(own_server: ApiServer) -> AsyncIterator[KubeClient]:
    async with await KubeClient.connect(own_server.kubeconfig()) as client:
        yield client


async def ask(process: OperatorProcess, path: str) -> tuple[int, str]:
    (port,) = re.findall(r"health and metrics are served on port (\d+)", process.log)
    async with (
        aiohttp.ClientSession() as session,
        session.get(f"http://127.0.0.1:{port}/{path}") as answer,
    ):
        return answer.status, await answer.text()


async def unseen(process: OperatorProcess) -> set[str]:
    """Return the namespaces whose fleets the operator does not look after."""
    told = re.findall(
        r'^statusfleet_namespace_unseen\{namespace="(\w*)"\} 1$',
        (await ask(process, "metrics"))[1],
        re.MULTILINE,
    )
    return set(told)


def watches(request: web.Request) -> bool:
    return "watch" in request.query and "leases" not in request.path


@pytest.fixture
def spaces(kubectl: list[str]) -> tuple[str, str]:
    """Two namespaces, in a cluster whose nodes the operator's user may see."""
    for words in (
        ("namespace", "here"),
        ("namespace", "there"),
        ("clusterrole", "nodes", "--verb=list,watch", "--resource=nodes"),
        ("clusterrolebinding", "nodes", "--clusterrole=nodes", "--user=tenant"),
    ):
        subprocess.run([*kubectl, "create", *words], check=True, capture_output=True)
    return "here", "there"


async def test_a_namespace_that_may_not_be_seen_holds_up_no_other(
    own_server: ApiServer, spaces: tuple[str, str], admin: KubeClient, tmp_path: Path
) -> None:
    one, other = (FleetUser(admin, name) for name in spaces)
    await allow(admin, "here", "tenant", EVERYTHING)
    await one.apply(roles=roles(1))
    await other.apply(roles=roles(1))
    async with (
        gate(own_server.kubeconfig("tenant"), tmp_path) as before_it,
        operator(tmp_path, before_it.kubeconfig, "here", IMAGE, "-n", "there") as process,
    ):

        async def one_is_unseen() -> bool:
            return await unseen(process) == {"there"}

        async def nothing_is_unseen() -> bool:
            return not await unseen(process)

        async def is_told() -> bool:
            return "fleets in namespace there are not looked after" in process.log

        # From the start.
        await one.until(has(1), "begun")
        await eventually(is_told)
        assert await unseen(process) == {"there"}
        assert await other.status() == {}
        # The right comes.
        await allow(admin, "there", "tenant", EVERYTHING)
        await other.until(has(1), "begun, too")
        await eventually(nothing_is_unseen)
        # And goes, which a server tells when it is asked again.
        await admin.delete(ROLE_BINDING, "there", "allowed")
        before_it.cut(watches)
        await eventually(one_is_unseen)
        await one.apply(roles=roles(2))
        await other.apply(roles=roles(2))
        await one.until(has(2), "grown")
        assert (await other.status())["ready"] == "0/1"
        assert (await ask(process, "health"))[0] == 200
        # And comes back.
        await allow(admin, "there", "tenant", EVERYTHING, name="again")
        await other.until(has(2), "grown, too")
        for user in (one, other):
            await user.delete()
            await user.until_gone()
        assert await process.end() == 0
    assert process.log.count("fleets in namespace there are not looked after") == 2
    assert process.log.count("fleets in namespace there are looked after again") == 2
    assert "Traceback" not in process.log


async def test_a_definition_that_is_deleted_and_installed_again_finds_the_same_operator(
    own_server: ApiServer, kubectl: list[str], admin: KubeClient, tmp_path: Path
) -> None:
    user = FleetUser(admin, "default")
    where = (tmp_path, own_server.kubeconfig(), "default", IMAGE)
    async with operator(*where) as process:

        async def is_told() -> bool:
            return "the cluster does not know StatusFleet" in process.log

        async def is_discovered_no_more() -> bool:
            return not await admin.discovers(STATUS_FLEET)

        await user.apply(roles=roles(1))
        await user.until(has(1), "begun")
        # Every fleet goes with it, each as its spec says.
        deleted = await asyncio.create_subprocess_exec(
            *kubectl, "delete", "--timeout=60s", f"--filename={CRD}"
        )
        assert await deleted.wait() == 0
        await eventually(is_told)
        assert await admin.find(STATEFUL_SET, "default", "small-relayer-0") is None
        await eventually(is_discovered_no_more)
        define(kubectl[0], own_server.kubeconfig())
        await user.apply(roles=roles(2))
        await user.until(has(2), "begun again")
        assert (await ask(process, "health"))[0] == 200
        assert await process.end() == 0
    assert "Traceback" not in process.log
