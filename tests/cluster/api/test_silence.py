"""A watch of fleets that is dead and does not say so, as the operator's health tells of it."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import aiohttp
from aiohttp import web

from statusfleet.kube import KubeClient
from statusfleet.kube.kinds import STATUS_FLEET
from support.kube_api import ApiServer
from support.kube_gate import gate
from support.operator_process import FleetUser, OperatorProcess, eventually, operator

IMAGE = "statusfleet.test/statusfleet:test"
SECONDS = 6.0
"""Far more than a renewal of the Lease takes to come in."""
ROLES = {"relayer": {"replicas": 1, "expose": {"type": "ClusterIP", "addressScope": "Private"}}}


def tells_of_fleets(request: web.Request) -> bool:
    """Whether this is the watch by which the operator learns of edits: the one of whole fleets."""
    whole = "PartialObjectMetadata" not in request.headers["Accept"]
    return whole and request.path.endswith(STATUS_FLEET.plural) and "watch" in request.query


async def silence(process: OperatorProcess) -> float:
    (port,) = re.findall(r"health and metrics are served on port (\d+)", process.log)
    async with (
        aiohttp.ClientSession() as session,
        session.get(f"http://127.0.0.1:{port}/metrics") as answer,
    ):
        (seconds,) = re.findall(
            r"^statusfleet_watch_silence_seconds (\S+)", await answer.text(), re.MULTILINE
        )
        return float(seconds)


def is_seen(_status: dict[str, Any]) -> bool:
    return True


async def test_an_edit_that_is_not_told_of_counts_as_silence_until_it_is(
    api_server: ApiServer, definition: None, client: KubeClient, namespace: str, tmp_path: Path
) -> None:
    user = FleetUser(client, namespace)
    async with (
        gate(api_server.kubeconfig("operator"), tmp_path) as before_it,
        operator(tmp_path, before_it.kubeconfig, namespace, IMAGE) as process,
    ):

        async def silent() -> bool:
            return await silence(process) > SECONDS

        async def heard() -> bool:
            return not await silent()

        await user.apply(roles=ROLES)
        await user.until(is_seen, "seen")
        before_it.hold(tells_of_fleets)
        await user.apply(roles=ROLES, datacenter="do-ams3")
        await eventually(silent)
        before_it.release()
        await user.until(is_seen, "seen")
        await eventually(heard)
