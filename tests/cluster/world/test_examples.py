"""Each example, applied as it stands to a cluster with an operator: what its comments promise.

An example without a row in `PROMISES` fails, so whoever adds one says what it promises.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
import yaml

from statusfleet.kube.kinds import STATUS_FLEET
from support.cluster import ROOT, Cluster
from support.operator_process import FleetUser, condition, is_true

EXAMPLES = sorted((ROOT / "examples").glob("*.yaml"))
PRIVATE = {"expose": {"addressScope": "Private"}}
MENDED = {"spec": {"roles": {"relayer": PRIVATE, "mailserver": PRIVATE}}}


async def local(user: FleetUser) -> None:
    """A laptop's fleet: private addresses are published when asked for, and never by accident."""
    remedy = "addressScope to Private"
    await user.until(
        lambda status: remedy in condition(status, "AddressesReady").get("message", ""), remedy
    )
    await user.until(lambda status: status["ready"] == "3/3", "at work all the same")
    await user.client.patch(STATUS_FLEET, user.namespace, user.name, MENDED)
    await user.until(is_true("CanaryPassing"), "proved")
    await user.until(is_true("Ready"), "ready")
    status = await user.until(is_true("TreePropagated"), "propagated")
    assert status["tree"]["records"] == 3


async def kind(user: FleetUser) -> None:
    """A cluster's fleet: reached at its nodes' ports, found by DNS, proved by its canary."""
    await user.until(is_true("CanaryPassing"), "proved")
    status = await user.until(is_true("TreePropagated"), "propagated")
    assert status["tree"]["records"] == 3
    assert {row["addressSource"] for row in status["members"]} == {"NodePort/InternalIP"}


PROMISES: dict[str, Callable[[FleetUser], Awaitable[None]]] = {
    "kind": kind,
    "local": local,
}


def names_in(example: Path) -> list[str]:
    """The fleets of a file."""
    documents = yaml.safe_load_all(example.read_text())
    return [body["metadata"]["name"] for body in documents if body["kind"] == STATUS_FLEET.kind]


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.stem)
async def test_an_example_keeps_its_promise(
    user: FleetUser, cluster: Cluster, example: Path
) -> None:
    promise = PROMISES[example.stem]
    into = f"--namespace={user.namespace}"
    await asyncio.to_thread(cluster.kubectl, "apply", f"--filename={example}", into)
    for name in names_in(example):
        fleet = FleetUser(user.client, user.namespace, name)
        try:
            await promise(fleet)
        finally:
            await fleet.delete()
            await fleet.until_gone()
