"""What the chart makes, put to a real API server: is it taken, and are its rights enough?"""

from __future__ import annotations

import asyncio
import re
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import yaml

from statusfleet.kube import KubeClient
from statusfleet.kube.kinds import ROLE
from support import kube_api
from support.chart import needs_helm, rendered
from support.kube_api import ApiServer
from support.operator_process import FleetUser, eventually

RIGHTS = {"ClusterRole", "ClusterRoleBinding", "CustomResourceDefinition", "Role", "RoleBinding"}


def _program(name: str) -> str:
    found = kube_api.program(name)
    if found is None:
        pytest.skip(f"needs {name}")
    return found


def _kubectl(server: ApiServer, bodies: list[dict[str, Any]], *arguments: str) -> None:
    command = [_program("kubectl"), "--kubeconfig", server.kubeconfig(), *arguments, "-f", "-"]
    done = subprocess.run(
        command, input=yaml.safe_dump_all(bodies), capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


@needs_helm
@pytest.mark.parametrize("listed", [False, True], ids=["cluster-wide", "namespaces"])
async def test_every_object_is_taken_as_it_is(
    api_server: ApiServer, namespace: str, listed: bool
) -> None:
    enabled = {"enabled": True}
    values = {
        "namespaces": [namespace] if listed else [],
        "grafanaDashboard": enabled,
        "networkPolicy": enabled,
        "podDisruptionBudget": enabled,
    }
    bodies = rendered(values, namespace=namespace)
    strictly = ("apply", "--server-side", "--dry-run=server", "--validate=strict")
    _kubectl(api_server, bodies, *strictly)


@needs_helm
@pytest.mark.parametrize(("who", "listed"), [("leader", False), ("tenant", True)])
async def test_the_rights_are_enough_to_look_after_fleets(
    api_server: ApiServer,
    definition: None,
    client: KubeClient,
    namespace: str,
    tmp_path: Path,
    who: str,
    listed: bool,
) -> None:
    """With a list of namespaces, that of the release, where the Lease stands, is none of them."""
    place = f"{namespace}-fleets" if listed else namespace
    if listed:
        await client.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": place}})
    values = {"namespaces": [place] if listed else []}
    bodies = [b for b in rendered(values, namespace=namespace) if b["kind"] in RIGHTS]
    for body in bodies:
        # The server knows users by their tokens, and no service accounts.
        for subject in body.get("subjects", ()):
            subject.clear()
            subject |= {"kind": "User", "name": who, "apiGroup": body["apiVersion"][:-3]}
    granted = [b for b in bodies if "helm.sh/hook" not in b["metadata"].get("annotations", {})]
    _kubectl(api_server, granted, "apply", "--server-side", "--force-conflicts")
    log = tmp_path / "operator.log"
    command = [sys.executable, "-m", "statusfleet.cli.main", "operator", "--image", "r/i:t"]
    where = ["--kubeconfig", api_server.kubeconfig(who), "--lease-namespace", namespace]
    where += ["--namespace", place] if listed else []
    with log.open("wb") as file:
        process = await asyncio.create_subprocess_exec(
            *command, *where, "--port", "0", "--verbose", stdout=file, stderr=file
        )
    try:
        user = FleetUser(client, place)
        await user.apply(
            roles={"relayer": {"replicas": 1, "expose": {"type": "NodePort"}}},
            tree={"domain": "nodes.test.example", "publish": [{"embedded": {}}]},
        )
        await user.until(lambda status: bool(status.get("conditions")), "seen")

        async def made() -> bool:
            # The role is granted with it, so the operator must hold what that says.
            return await client.find(ROLE, place, f"{user.name}-dns") is not None

        await eventually(made)
        await user.delete()
        await user.until_gone()
        await _until_renewals_are_seen(log.read_text())
        assert "forbidden" not in log.read_text().lower()
    finally:
        process.send_signal(signal.SIGTERM)
        await process.wait()


async def _until_renewals_are_seen(log: str) -> None:
    """Wait until the silence of the watches, which grows by itself, is less than it was."""
    (port,) = re.findall(r"health and metrics are served on port (\d+)", log)
    before = 0.0

    async def page() -> str:
        # Port 0 is another one for each family of addresses, and the log names the first.
        for host in ("127.0.0.1", "[::1]"):
            with suppress(aiohttp.ClientConnectionError):
                async with (
                    aiohttp.ClientSession() as session,
                    session.get(f"http://{host}:{port}/metrics") as response,
                ):
                    return await response.text()
        raise AssertionError("nobody listens there")

    async def shrunk() -> bool:
        nonlocal before
        text = await page()
        (value,) = re.findall(r"^statusfleet_watch_silence_seconds (\S+)$", text, re.MULTILINE)
        after, before = before, float(value)
        return before < after

    await eventually(shrunk)
