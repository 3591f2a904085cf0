"""What a user may add to the objects that the operator makes for a member: `roles.*.template`.

Only a cluster has such objects. The operator's own keys win over what stands here.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, JsonValue

from statusfleet.api.model import Maybe, Model, entries
from statusfleet.api.text import LabelKey, LabelValue, Line, ObjectName, Quantity

Labels = Annotated[dict[LabelKey, LabelValue], Field(max_length=64)]
Annotations = Annotated[dict[LabelKey, Line], Field(max_length=64)]
FreeObject = Annotated[dict[str, JsonValue], Field(max_length=64)]
"""An object of Kubernetes whose fields the API server checks when the operator applies it."""
Quantities = Annotated[dict[LabelKey, Quantity], Field(max_length=16)]


class Toleration(Model):
    """A taint that the members' pods tolerate, as in a pod's spec."""

    key: Maybe[LabelKey] = None
    """Key of the taint; absent means every key."""
    operator: Literal["Exists", "Equal"] = "Equal"
    """How `value` is compared."""
    value: Maybe[LabelValue] = None
    """Value of the taint."""
    effect: Maybe[Literal["NoSchedule", "PreferNoSchedule", "NoExecute"]] = None
    """Effect of the taint; absent means every effect."""
    toleration_seconds: Maybe[Annotated[int, Field(ge=0, le=2**31 - 1)]] = None
    """How long a taint of effect NoExecute is tolerated, in seconds."""


class Resources(Model):
    """What a member's container asks for and may take; absent values are the role's default."""

    requests: Quantities = Field(default_factory=dict)
    """What the scheduler sets aside."""
    limits: Quantities = Field(default_factory=dict)
    """What the container may not exceed."""


class Template(Model):
    """What is added to the members' pods."""

    labels: Labels = Field(default_factory=dict)
    """Labels of the pod."""
    annotations: Annotations = Field(default_factory=dict)
    """Annotations of the pod."""
    node_selector: Labels = Field(default_factory=dict)
    """Labels that a node must have."""
    tolerations: Annotated[tuple[Toleration, ...], entries(32)] = ()
    """Taints that the pod tolerates."""
    affinity: FreeObject = Field(default_factory=dict)
    """Affinity of the pod, in place of the default spread over nodes."""
    topology_spread_constraints: Annotated[tuple[FreeObject, ...], entries(8)] = ()
    """Spread of the pods over zones and nodes, in place of the default."""
    security_context: FreeObject = Field(default_factory=dict)
    """Security context of the pod, merged over the restricted default."""
    container_security_context: FreeObject = Field(default_factory=dict)
    """Security context of the node's container, merged over the restricted default."""
    priority_class_name: Maybe[ObjectName] = None
    """Priority class of the pod."""
    runtime_class_name: Maybe[ObjectName] = None
    """Runtime class of the pod."""
    service_account_name: Maybe[ObjectName] = None
    """Service account in place of the fleet's own."""
    termination_grace_period_seconds: Annotated[int, Field(ge=1, le=3600)] = 30
    """How long a member may take to stop, in seconds."""
