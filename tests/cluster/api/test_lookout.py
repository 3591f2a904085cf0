"""What `kubectl statusfleet` says where nobody looks after a fleet, and what it does with a screen.

No operator runs here: the test makes its Lease, and renews it where one should be at work.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from statusfleet.cli.kubectl import lookout
from statusfleet.cli.kubectl.main import app
from statusfleet.kube import KubeClient
from statusfleet.kube.kinds import LEASE, STATUS_FLEET
from statusfleet.kube.names import FINALIZER
from support.kube_api import ApiServer
from support.kube_rights import FLEETS, allow
from support.operator_process import FleetUser
from support.terminal import terminal

LEASES: dict[str, Any] = {
    "apiGroups": ["coordination.k8s.io"],
    "resources": ["leases"],
    "verbs": ["get"],
}
SILENT = "no operator has renewed its Lease"


@pytest.fixture
async def user(definition: None, client: KubeClient, namespace: str) -> FleetUser:
    """Somebody with a fleet, where the last renewal of the Lease is an hour old."""
    result = FleetUser(client, namespace)
    await result.apply(roles={"relayer": {"replicas": 1}})
    await client.create(
        {
            "apiVersion": LEASE.api_version,
            "kind": LEASE.kind,
            "metadata": {"namespace": namespace, "name": "statusfleet"},
            "spec": renewed(seconds_ago=3600),
        }
    )
    return result


def renewed(seconds_ago: float) -> dict[str, Any]:
    at = datetime.now(UTC) - timedelta(seconds=seconds_ago)
    return {"holderIdentity": "op", "renewTime": at.strftime("%Y-%m-%dT%H:%M:%S.%fZ")}


@asynccontextmanager
async def operator_whose_clock_is_slow(user: FleetUser) -> AsyncIterator[None]:
    async def renew() -> None:
        while True:
            lease = {"spec": renewed(seconds_ago=1800)}
            await user.client.patch(LEASE, user.namespace, "statusfleet", lease)
            await asyncio.sleep(0.1)

    renewing = asyncio.create_task(renew())
    try:
        yield
    finally:
        renewing.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await renewing


async def status(server: ApiServer, user: FleetUser) -> str:
    """What somebody sees who may look at one namespace only."""
    where = ["--kubeconfig", server.kubeconfig("tenant"), "-n", user.namespace]
    result = await asyncio.to_thread(CliRunner().invoke, app, ["status", user.name, *where])
    assert result.exit_code == 0, result.output
    return result.stdout


async def test_a_fleet_that_no_operator_looks_after_is_said_to_be_shown_as_it_was(
    api_server: ApiServer, user: FleetUser, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lookout, "AGAIN_SECONDS", 1.0)
    await allow(user.client, user.namespace, "tenant", FLEETS)
    assert SILENT not in await status(api_server, user)  # it cannot be known
    await allow(user.client, user.namespace, "tenant", LEASES, name="leases")
    told = f"{SILENT} {user.namespace}/statusfleet for 60m: what you see is from 20"
    lines = (await status(api_server, user)).splitlines()
    assert lines[1].startswith(told)
    assert lines[2].startswith(f"  next: kubectl get pods -n {user.namespace} -l ")
    async with operator_whose_clock_is_slow(user):
        assert SILENT not in await status(api_server, user)


async def test_ages_go_on_in_a_terminal_while_nothing_happens(
    api_server: ApiServer, user: FleetUser, tmp_path: Path
) -> None:
    command = (sys.executable, "-m", "statusfleet.cli.kubectl.main", "status", user.name, "-w")
    env = {**os.environ, "KUBECONFIG": api_server.kubeconfig()}
    async with terminal(tmp_path, env, *command, "-n", user.namespace) as screen:
        await screen.until(lambda text: text.count("s after it was made") >= 3)
        assert await screen.interrupt() == 0
    ages = [line for line in screen.text.splitlines() if "after it was made" in line]
    assert len(set(ages)) >= 3


@pytest.mark.parametrize("command", ["restart", "pause", "resume"])
async def test_a_fleet_that_is_going_is_told_nothing_else(
    api_server: ApiServer, user: FleetUser, command: str
) -> None:
    await user.client.patch(
        STATUS_FLEET, user.namespace, user.name, {"metadata": {"finalizers": [FINALIZER]}}
    )
    await user.delete()
    where = ["--kubeconfig", api_server.kubeconfig(), "-n", user.namespace]
    result = await asyncio.to_thread(CliRunner().invoke, app, [command, user.name, *where])
    assert result.exit_code == 1
    assert f"{user.namespace}/small is being deleted" in result.stderr


@pytest.mark.parametrize(
    ("where", "why"),
    [
        ("> /dev/full", "error: the output cannot be written: No space left on device\n"),
        (">&-", "error: standard output is closed\n"),
        ("| true", ""),
    ],
)
async def test_output_that_nobody_takes_is_told_in_a_line(
    api_server: ApiServer, user: FleetUser, where: str, why: str
) -> None:
    program = f"{sys.executable} -m statusfleet.cli.kubectl.main"
    command = f"set -o pipefail; {program} nodes {user.name} --format json -n {user.namespace}"
    process = await asyncio.create_subprocess_exec(
        *("bash", "-c", f"{command} {where}"),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env={**os.environ, "KUBECONFIG": api_server.kubeconfig()},
    )
    _, said = await process.communicate()
    assert "Traceback" not in said.decode()
    told = [line for line in said.decode().splitlines(keepends=True) if line.startswith("error")]
    assert "".join(told) == why
    assert process.returncode == 1
