"""A webhook of the cluster that does not answer holds up what it has to judge, and nothing else."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

import pytest

from statusfleet.kube import KubeClient
from statusfleet.kube.errors import AdmissionError
from statusfleet.kube.kinds import NETWORK_POLICY, SECRET, SERVICE, STATEFUL_SET, Kind
from support.kube_api import ApiServer
from support.operator_process import FleetUser, condition, eventually, has_reason, operator

IMAGE = "statusfleet.test/statusfleet:test"
ROLES = {"relayer": {"replicas": 3, "expose": {"type": "ClusterIP", "addressScope": "Private"}}}
JUDGES = Kind(
    "admissionregistration.k8s.io/v1",
    "ValidatingWebhookConfiguration",
    "validatingwebhookconfigurations",
    namespaced=False,
)


@pytest.fixture
def user(definition: None, client: KubeClient, namespace: str) -> FleetUser:
    return FleetUser(client, namespace)


def judge(namespace: str, resource: str, ordinals: list[str]) -> dict[str, object]:
    """Return a webhook that does not answer; with `ordinals`, it judges these members' alone."""
    which = {"key": "statusfleet.io/ordinal", "operator": "In", "values": ordinals}
    return {
        "name": f"{resource}.example.com",
        "clientConfig": {"url": "https://127.0.0.1:1/"},
        "rules": [
            {
                "apiGroups": ["*"],
                "apiVersions": ["*"],
                "operations": ["CREATE", "UPDATE", "DELETE"],
                "resources": [resource],
            }
        ],
        "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": namespace}},
        "objectSelector": {"matchExpressions": [which]} if ordinals else {},
        "failurePolicy": "Fail",
        "sideEffects": "None",
        "admissionReviewVersions": ["v1"],
        "timeoutSeconds": 1,
    }


@asynccontextmanager
async def judged(user: FleetUser, *webhooks: dict[str, object]) -> AsyncIterator[None]:
    """Have the cluster ask these webhooks, one of which judges every NetworkPolicy."""
    body = {"metadata": {"name": user.namespace}, "webhooks": [*webhooks]}
    await user.client._send("make", "POST", JUDGES.path(), body=body)

    async def is_asked() -> bool:
        probe = {
            "apiVersion": NETWORK_POLICY.api_version,
            "kind": NETWORK_POLICY.kind,
            "metadata": {"namespace": user.namespace, "name": "probe"},
            "spec": {"podSelector": {}},
        }
        try:
            await user.client.apply(probe, dry_run=True)
        except AdmissionError:
            return True
        return False

    try:
        await eventually(is_asked)
        yield
    finally:
        await user.client.delete(JUDGES, "", user.namespace)


async def test_only_what_it_judges_waits_and_is_named_and_comes_when_it_answers_again(
    api_server: ApiServer, user: FleetUser, tmp_path: Path
) -> None:
    async def has(kind: Kind, name: str) -> bool:
        return await user.client.find(kind, user.namespace, name) is not None

    webhooks = (
        judge(user.namespace, "networkpolicies", []),
        judge(user.namespace, "services", ["0"]),
        judge(user.namespace, "secrets", ["1"]),
    )
    waiting = [
        (NETWORK_POLICY, "small"),
        (SERVICE, "small-relayer-0"),
        (SECRET, "small-relayer-1"),
        (STATEFUL_SET, "small-relayer-1"),
    ]
    async with operator(tmp_path, api_server.kubeconfig(), user.namespace, IMAGE):
        async with judged(user, *webhooks):
            await user.apply(roles=ROLES, canary={"enabled": False})
            # Whoever has a key can run, also before others can reach it.
            for ordinal in (0, 2):
                await eventually(partial(has, STATEFUL_SET, f"small-relayer-{ordinal}"))
            status = await user.until(has_reason("Ready", "NotApplied"), "told")
            told = condition(status, "Ready")["message"]
            for kind, name in waiting[:3]:
                assert f"{kind} {name}: " in told
            assert 'failed calling webhook "networkpolicies.example.com"' in told
            assert condition(status, "Progressing")["reason"] != "Retrying"
            assert not any([await has(*what) for what in waiting])
        for what in waiting:
            await eventually(partial(has, *what))
        await user.until(has_reason("Ready", "MembersNotReady"), "nothing is refused any more")
