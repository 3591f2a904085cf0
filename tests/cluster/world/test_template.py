"""What users add to pods reaches them, and what the API server refuses is told by field."""

from __future__ import annotations

from typing import Any

import pytest

from statusfleet.kube.kinds import STATEFUL_SET
from support.kube_stage import Stage

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

WHOLE = {
    "labels": {"team": "relay"},
    "annotations": {"note": "x"},
    "nodeSelector": {"kubernetes.io/os": "linux"},
    "tolerations": [{"key": "relay", "operator": "Exists", "effect": "NoSchedule"}],
    "affinity": {
        "nodeAffinity": {
            "preferredDuringSchedulingIgnoredDuringExecution": [
                {
                    "weight": 1,
                    "preference": {
                        "matchExpressions": [{"key": "disk", "operator": "In", "values": ["fast"]}]
                    },
                }
            ]
        }
    },
    "topologySpreadConstraints": [
        {
            "maxSkew": 1,
            "topologyKey": "kubernetes.io/hostname",
            "whenUnsatisfiable": "ScheduleAnyway",
            "labelSelector": {"matchLabels": {"statusfleet.io/role": "relayer"}},
        }
    ],
    "securityContext": {"runAsUser": 1000, "fsGroup": 1000},
    "containerSecurityContext": {"seccompProfile": {"type": "RuntimeDefault"}},
    "terminationGracePeriodSeconds": 5,
}


def spec(template: dict[str, Any]) -> dict[str, Any]:
    expose = {"type": "ClusterIP", "addressScope": "Private"}
    return {"roles": {"relayer": {"expose": expose, "template": template}}}


async def test_a_whole_template_is_taken_and_its_pod_runs(stage: Stage) -> None:
    fleet = stage.fleet(spec(WHOLE))
    await stage.grown(fleet)
    body = await stage.client.get(STATEFUL_SET, stage.namespace, "eth-dev-relayer-0")
    pod = body["spec"]["template"]["spec"]
    assert pod["affinity"] == WHOLE["affinity"]
    assert pod["securityContext"]["runAsUser"] == 1000
    stage.writes = 0
    await stage.turn(fleet)
    await stage.turn(fleet)
    assert stage.writes == 0


async def test_what_the_api_server_refuses_is_told_once_and_hurts_nobody_else(
    stage: Stage,
) -> None:
    wish = spec({"affinity": {"podAntiAfinity": {}}})
    wish["roles"]["mailserver"] = {"expose": wish["roles"]["relayer"]["expose"]}
    fleet = stage.fleet(wish)
    _, observation = await stage.until(
        fleet, lambda _, seen: seen.members["mailserver-0"].ready and bool(seen.problems)
    )
    assert "podAntiAfinity" in observation.problems["StatefulSet eth-dev-relayer-0"]
    stage.writes = 0
    await stage.turn(fleet)
    assert stage.writes == 0
