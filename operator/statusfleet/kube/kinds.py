"""The kinds of objects that are read or written, with their place in the API.

A table instead of discovery: these paths are stable parts of Kubernetes, of this project, or of
ExternalDNS, whose objects we can make, and a start that asks nothing is a quick one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

from statusfleet.kube.errors import UnknownKindError

JsonDict: TypeAlias = dict[str, Any]
"""An object of the API as it came: plain dictionaries, lists and values."""
Body: TypeAlias = Mapping[str, Any]
"""An object of the API that nobody changes."""


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of object: `apps/v1`, `StatefulSet`, `statefulsets`."""

    api_version: str
    kind: str
    plural: str
    namespaced: bool = True

    def path(self, namespace: str = "", name: str = "", subresource: str = "") -> str:
        """Return the path of an object, or of all of a namespace, or ("") of all namespaces."""
        parts = ["apis" if "/" in self.api_version else "api", self.api_version]
        if namespace and self.namespaced:
            parts += ["namespaces", namespace]
        parts.append(self.plural)
        parts += [part for part in (name, subresource) if part]
        return "/" + "/".join(parts)

    def __str__(self) -> str:
        return self.kind


CONFIG_MAP: Final = Kind("v1", "ConfigMap", "configmaps")
EVENT: Final = Kind("v1", "Event", "events")
NAMESPACE: Final = Kind("v1", "Namespace", "namespaces", namespaced=False)
NODE: Final = Kind("v1", "Node", "nodes", namespaced=False)
PERSISTENT_VOLUME: Final = Kind("v1", "PersistentVolume", "persistentvolumes", namespaced=False)
PERSISTENT_VOLUME_CLAIM: Final = Kind("v1", "PersistentVolumeClaim", "persistentvolumeclaims")
POD: Final = Kind("v1", "Pod", "pods")
SECRET: Final = Kind("v1", "Secret", "secrets")
SERVICE: Final = Kind("v1", "Service", "services")
SERVICE_ACCOUNT: Final = Kind("v1", "ServiceAccount", "serviceaccounts")
CUSTOM_RESOURCE_DEFINITION: Final = Kind(
    "apiextensions.k8s.io/v1",
    "CustomResourceDefinition",
    "customresourcedefinitions",
    namespaced=False,
)
DEPLOYMENT: Final = Kind("apps/v1", "Deployment", "deployments")
STATEFUL_SET: Final = Kind("apps/v1", "StatefulSet", "statefulsets")
JOB: Final = Kind("batch/v1", "Job", "jobs")
LEASE: Final = Kind("coordination.k8s.io/v1", "Lease", "leases")
ENDPOINT_SLICE: Final = Kind("discovery.k8s.io/v1", "EndpointSlice", "endpointslices")
DNS_ENDPOINT: Final = Kind("externaldns.k8s.io/v1alpha1", "DNSEndpoint", "dnsendpoints")
NETWORK_POLICY: Final = Kind("networking.k8s.io/v1", "NetworkPolicy", "networkpolicies")
POD_DISRUPTION_BUDGET: Final = Kind("policy/v1", "PodDisruptionBudget", "poddisruptionbudgets")
ROLE: Final = Kind("rbac.authorization.k8s.io/v1", "Role", "roles")
ROLE_BINDING: Final = Kind("rbac.authorization.k8s.io/v1", "RoleBinding", "rolebindings")
STATUS_FLEET: Final = Kind("statusfleet.io/v1alpha1", "StatusFleet", "statusfleets")

_KINDS: Final = {
    (kind.api_version, kind.kind): kind
    for kind in tuple(globals().values())
    if isinstance(kind, Kind)
}


def kind_of(body: Body) -> Kind:
    """Return the kind of an object.

    Raises:
        UnknownKindError: it names none of those above.
    """
    named = (str(body.get("apiVersion", "")), str(body.get("kind", "")))
    try:
        return _KINDS[named]
    except KeyError:
        raise UnknownKindError(f"{named[1] or 'an object'} of {named[0] or 'no API'}") from None
