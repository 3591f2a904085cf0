"""Pods that admission refuses: the fleet says why, in the words of the API server."""

from __future__ import annotations

import pytest

from statusfleet.kube.kinds import STATUS_FLEET
from statusfleet.kube.requests import named
from support.operator_process import FleetUser, condition, is_true

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

PRIVATE = {"type": "ClusterIP", "addressScope": "Private"}


def message(status: dict[str, object]) -> str:
    return str(condition(status, "Ready").get("message", ""))


async def test_a_pod_that_is_refused_is_told_with_the_reason_and_made_once_it_may_be(
    user: FleetUser,
) -> None:
    host_port = {**PRIVATE, "type": "HostPort", "port": 30999}
    roles = {"relayer": {"replicas": 1, "expose": host_port}}
    await user.apply(roles=roles, canary={"enabled": False})
    status = await user.until(lambda status: "PodSecurity" in message(status), "refused")
    told = message(status)
    assert told.startswith("relayer-0: no pod is made for it: pods ")
    assert "violates PodSecurity" in told
    assert "hostPort" in told
    assert condition(status, "Progressing")["reason"] != "Steady"

    absent = {"replicas": 1, "expose": PRIVATE, "template": {"priorityClassName": "nobody-made-it"}}
    fleet = await user.get()
    assert fleet is not None
    spec = {"roles": {"relayer": absent}, "canary": {"enabled": False}}
    await user.client.replace({**fleet, "spec": spec} | named(STATUS_FLEET))
    await user.until(lambda status: "nobody-made-it" in message(status), "refused again")

    del absent["template"]
    fleet = await user.get()
    assert fleet is not None
    await user.client.replace({**fleet, "spec": spec} | named(STATUS_FLEET))
    await user.until(is_true("Ready"), "ready")
