"""The chart from install to uninstall, on a real cluster, as helm's users see it."""

from __future__ import annotations

import re

import pytest

from statusfleet.kube import KubeClient
from statusfleet.kube.kinds import DEPLOYMENT, STATEFUL_SET, STATUS_FLEET
from statusfleet.kube.names import FINALIZER
from support.chart import CHART
from support.cluster import Cluster
from support.installed_chart import RELEASE, WAIT, Place, installed
from support.operator_process import FleetUser, eventually, is_true

RELAYER = {"replicas": 1, "expose": {"type": "NodePort", "addressScope": "Private"}}


@pytest.fixture
def place(cluster: Cluster, definition: str, namespace: str, image: str, helm: str) -> Place:
    return Place(helm, cluster.kubeconfig, namespace, image)


async def test_the_installed_operator_answers_helms_test_and_looks_after_a_fleet(
    cluster: Cluster, client: KubeClient, place: Place
) -> None:
    async with installed(place) as run:
        deployment = await client.get(DEPLOYMENT, place.namespace, "statusfleet")
        assert deployment["status"]["readyReplicas"] == 1
        assert "a paused fleet was seen" in await run("test", RELEASE, "--logs", "--timeout", "90s")
        user = FleetUser(client, place.namespace)
        await user.apply(
            roles={"relayer": RELAYER},
            canary={"interval": "2s"},
            tree={"domain": "nodes.test.example", "ttl": {"root": "1s"}},
        )
        await user.until(is_true("CanaryPassing"), "proved by the canary")
        await user.until(is_true("TreePropagated"), "propagated")
        pair = "replicas=2,podDisruptionBudget.enabled=true"
        await run("upgrade", RELEASE, str(CHART), "--reuse-values", "--set", pair, *WAIT)
        where = f"--namespace={place.namespace}"

        async def one_may_go() -> bool:
            budget = cluster.get("poddisruptionbudget", RELEASE, where)
            return bool(budget["status"]["disruptionsAllowed"] == 1)

        await eventually(one_may_go)
        selector = "--selector=app.kubernetes.io/component=operator"
        pods = [
            pod
            for pod in cluster.get("pods", where, selector)["items"]
            if "deletionTimestamp" not in pod["metadata"]
        ]
        assert len({pod["spec"]["nodeName"] for pod in pods}) == len(pods) == 2

        base = f"/api/v1/namespaces/{place.namespace}/pods"
        pages = [f"{base}/{pod['metadata']['name']}:8080/proxy/metrics" for pod in pods]

        async def one_leads() -> bool:
            text = "".join(cluster.kubectl("get", f"--raw={page}") for page in pages)
            return sorted(re.findall(r"^statusfleet_leader (\d)$", text, re.MULTILINE)) == [
                "0",
                "1",
            ]

        await eventually(one_leads)
        await user.delete()
        await user.until_gone()


@pytest.mark.parametrize("fleets", ["Keep", "Delete"])
async def test_fleets_end_with_the_chart_as_its_values_say(
    client: KubeClient, place: Place, fleets: str
) -> None:
    user = FleetUser(client, place.namespace)
    async with installed(place, "--set", f"uninstall.fleets={fleets}") as run:
        await user.apply(roles={"relayer": RELAYER}, canary={"enabled": False})
        await user.until(is_true("Ready"), "ready")
        await run("uninstall", RELEASE, "--timeout", "90s")
        found = await user.get()
        if fleets == "Delete":
            assert found is None
            return
        assert found is not None
        assert FINALIZER not in found["metadata"].get("finalizers", [])
        assert (
            await client.find(STATEFUL_SET, place.namespace, f"{user.name}-relayer-0") is not None
        )
        await user.delete()
        await user.until_gone()


async def test_a_fleet_that_does_not_end_keeps_the_operator_there_and_nothing_hangs(
    client: KubeClient, place: Place
) -> None:
    user = FleetUser(client, place.namespace)
    values = ("--set", "uninstall.fleets=Delete,uninstall.timeoutSeconds=15")
    async with installed(place, *values) as run:
        await user.apply(roles={"relayer": RELAYER}, canary={"enabled": False})
        await user.until(is_true("Ready"), "ready")
        hold = {"metadata": {"finalizers": [FINALIZER, "example.org/hold"]}}
        await client.patch(STATUS_FLEET, place.namespace, user.name, hold)
        with pytest.raises(AssertionError, match="DeadlineExceeded"):
            await run("uninstall", RELEASE, "--timeout", "60s")
        assert await client.find(DEPLOYMENT, place.namespace, RELEASE) is not None
        # Whoever held it lets go, and the same command goes through.
        await client.patch(
            STATUS_FLEET, place.namespace, user.name, {"metadata": {"finalizers": None}}
        )
        await run("uninstall", RELEASE, "--timeout", "60s")
        assert await client.find(DEPLOYMENT, place.namespace, RELEASE) is None
