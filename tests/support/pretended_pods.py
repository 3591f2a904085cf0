"""Pods on an API server without kubelets: tests write what those say, and controllers make."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from statusfleet.kube.kinds import POD, STATEFUL_SET
from support.operator_process import FleetUser, eventually


async def run_pod(user: FleetUser, member: str, *, node: str = "nowhere") -> str:
    """Make the pod that a member's StatefulSet asks for, and have it be ready; return its uid."""
    name = f"{user.name}-{member}"

    async def there() -> bool:
        return await user.client.find(STATEFUL_SET, user.namespace, name) is not None

    await eventually(there)
    template = (await user.client.get(STATEFUL_SET, user.namespace, name))["spec"]["template"]
    metadata = {**template["metadata"], "namespace": user.namespace, "name": f"{name}-0"}
    # The admission of accounts, and so their pods, wait for a controller that is not here.
    spec = {**template["spec"], "nodeName": node}
    pod = await user.client.create(
        {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec}
    )
    await say_ready(user, member, ready=True)
    return str(pod["metadata"]["uid"])


async def say_ready(user: FleetUser, member: str, *, ready: bool) -> None:
    """Have a member's pod run, and be ready or not from now on."""
    now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    condition = {"type": "Ready", "status": str(ready), "lastTransitionTime": now}
    container = {"name": "statusd", "ready": ready, "restartCount": 0, "image": "", "imageID": ""}
    status: dict[str, Any] = {
        "phase": "Running",
        "conditions": [condition],
        "containerStatuses": [{**container, "state": {"running": {"startedAt": now}}}],
    }
    name = f"{user.name}-{member}-0"
    await user.client.patch(POD, user.namespace, name, {"status": status}, subresource="status")
