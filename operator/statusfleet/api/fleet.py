"""The whole document: `StatusFleet`, group statusfleet.io, version v1alpha1."""

from __future__ import annotations

from typing import Annotated, Final, Literal

from pydantic import ConfigDict, Field

from statusfleet.api.model import Model
from statusfleet.api.spec import FleetSpec
from statusfleet.api.status import FleetStatus
from statusfleet.api.template import Labels
from statusfleet.api.text import DnsLabel, ObjectName

GROUP: Final = "statusfleet.io"
VERSION: Final = "v1alpha1"
API_VERSION: Final = f"{GROUP}/{VERSION}"
KIND: Final = "StatusFleet"
PLURAL: Final = "statusfleets"
MAX_NAME: Final = 40


class ObjectMeta(Model):
    """The object's name and labels.

    What the API server adds (uid, resourceVersion, …) is taken and not looked at, so that the
    output of `kubectl get -o yaml` is a manifest too.
    """

    model_config = ConfigDict(extra="allow")

    name: ObjectName
    """Name of the object; of a fleet a DNS label of at most 40 characters."""
    namespace: DnsLabel = "default"
    """Namespace of the fleet, and of the Secrets that it names."""
    labels: Labels = Field(default_factory=dict)
    """Labels."""
    annotations: dict[str, str] = Field(default_factory=dict)
    """Annotations; others' may hold anything, such as the whole object as it was applied last."""
    generation: Annotated[int, Field(ge=0)] = 0
    """Counts the changes of the spec; the API server writes it."""


class StatusFleet(Model):
    """A fleet of Status nodes."""

    api_version: Literal["statusfleet.io/v1alpha1"] = Field(alias="apiVersion")
    """Group and version."""
    kind: Literal["StatusFleet"]
    """Kind."""
    metadata: ObjectMeta
    """Name and labels."""
    spec: FleetSpec
    """What the fleet should be. The smallest is `roles: {relayer: {replicas: 2}}`."""
    status: FleetStatus | None = None
    """What the operator sees."""

    @property
    def name(self) -> str:
        """The object's name."""
        return self.metadata.name

    @property
    def fleet_name(self) -> str:
        """Return the name as fleets.json and clients call the fleet."""
        return self.spec.fleet_name or self.metadata.name
