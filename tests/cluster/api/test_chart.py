"""What the chart makes, put to a real API server: is it taken, and are its rights enough?"""

from __future__ import annotations

import asyncio
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

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
async def test_the_rights_are_enough_to_look_after_the_fleets_of_all_namespaces(
    api_server: ApiServer, client: KubeClient, namespace: str, tmp_path: Path
) -> None:
    bodies = [body for body in rendered(namespace=namespace) if body["kind"] in RIGHTS]
    for body in bodies:
        if body["kind"] == "ClusterRoleBinding" or body["metadata"]["name"].endswith("-leader"):
            # The server knows users by their tokens, and no service accounts.
            for subject in body.get("subjects", ()):
                subject.clear()
                subject |= {"kind": "User", "name": "leader", "apiGroup": body["apiVersion"][:-3]}
    _kubectl(api_server, bodies, "apply", "--server-side", "--force-conflicts")
    log = tmp_path / "operator.log"
    command = [sys.executable, "-m", "statusfleet.cli.main", "operator", "--image", "r/i:t"]
    where = ("--kubeconfig", api_server.kubeconfig("leader"), "--lease-namespace", namespace)
    with log.open("wb") as file:
        process = await asyncio.create_subprocess_exec(
            *command, *where, "--port", "0", "--verbose", stdout=file, stderr=file
        )
    try:
        user = FleetUser(client, namespace)
        await user.apply(
            roles={"relayer": {"replicas": 1, "expose": {"type": "NodePort"}}},
            tree={"domain": "nodes.test.example", "publish": [{"embedded": {}}]},
        )
        await user.until(lambda status: bool(status.get("conditions")), "seen")

        async def made() -> bool:
            # The role is granted with it, so the operator must hold what that says.
            return await client.find(ROLE, namespace, f"{user.name}-dns") is not None

        await eventually(made)
        await user.delete()
        await user.until_gone()
        assert "forbidden" not in log.read_text().lower()
    finally:
        process.send_signal(signal.SIGTERM)
        await process.wait()
