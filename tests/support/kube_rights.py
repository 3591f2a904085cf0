"""Rights of a user in one namespace."""

from __future__ import annotations

from typing import Any, Final

from statusfleet.kube import KubeClient
from statusfleet.kube.kinds import ROLE, ROLE_BINDING

_GROUP: Final = "rbac.authorization.k8s.io"
FLEETS: Final = {
    "apiGroups": ["statusfleet.io"],
    "resources": ["statusfleets"],
    "verbs": ["create", "get", "patch"],
}
LOOKING: Final = {
    "apiGroups": [""],
    "resources": ["configmaps", "events", "pods", "pods/log", "services"],
    "verbs": ["get", "list"],
}


async def allow(
    client: KubeClient, namespace: str, user: str, *rules: dict[str, Any], name: str = "allowed"
) -> None:
    """Let a user do what rules say, and nothing else."""
    metadata = {"namespace": namespace, "name": name}
    role = {"apiVersion": ROLE.api_version, "kind": ROLE.kind, "metadata": metadata}
    await client.create(role | {"rules": list(rules)})
    binding = {
        "apiVersion": ROLE_BINDING.api_version,
        "kind": ROLE_BINDING.kind,
        "metadata": metadata,
        "roleRef": {"apiGroup": _GROUP, "kind": "Role", "name": name},
        "subjects": [{"apiGroup": _GROUP, "kind": "User", "name": user}],
    }
    await client.create(binding)
