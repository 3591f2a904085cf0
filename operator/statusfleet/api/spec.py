"""The wish: `spec` of a StatusFleet."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from statusfleet.api.duration import Duration
from statusfleet.api.model import Maybe, Model, entries
from statusfleet.api.roles import RoleName, Roles
from statusfleet.api.text import (
    DnsLabel,
    EnodeURL,
    FleetName,
    ImageDigest,
    ImageRepository,
    ImageTag,
    ObjectName,
)
from statusfleet.api.tree import TreeSpec

Enodes = Annotated[tuple[EnodeURL, ...], entries(100)]


class Image(Model):
    """The container image of the members; empty values are the operator's own."""

    repository: ImageRepository = ""
    """Repository without tag or digest."""
    tag: ImageTag = ""
    """Tag."""
    digest: ImageDigest = ""
    """Digest; with one, the tag is for people only."""
    pull_policy: Literal["Always", "IfNotPresent", "Never"] = "IfNotPresent"
    """When the image is pulled."""
    pull_secrets: Annotated[tuple[ObjectName, ...], entries(8)] = ()
    """Secrets for the registry."""


class Peers(Model):
    """Nodes beyond the fleet's own."""

    static: Enodes = ()
    """Nodes that every member dials and keeps."""
    trusted_mailservers: Enodes = ()
    """Mailservers that members exempt from limits."""


class Canary(Model):
    """The probe that posts a message through the fleet and fetches it back."""

    enabled: bool = True
    """Run it."""
    interval: Duration = Duration(60 * 10**9)
    """Time between two runs."""
    timeout: Duration = Duration(10 * 10**9)
    """Time that one run may take with all its legs."""


class Rollout(Model):
    """How a change that restarts members goes through the fleet."""

    order: Annotated[tuple[RoleName, ...], entries(4)] = (
        "relayer",
        "mailserver",
        "rendezvous",
        "bootstrap",
    )
    """Which role first; roles that are left out come last."""
    soak: Duration = Duration(30 * 10**9)
    """How long a restarted member must stay ready before the next goes."""
    max_unavailable: Annotated[int, Field(ge=1, le=100)] = 1
    """How many members of a role may be unready because of a rollout."""


class Deletion(Model):
    """What happens when the fleet itself is deleted."""

    identities: Literal["Retain", "Delete"] = "Retain"
    """Node keys, tree key and sequence numbers."""
    tree: Literal["Unpublish", "Keep"] = "Unpublish"
    """Records that sinks outside hold; also those of a sink, or a tree, that is taken out of the
    spec of a running fleet."""
    drain: bool = True
    """Wait for the root's TTL between unpublishing and stopping."""


class FleetSpec(Model):
    """What the fleet should be. The smallest spec is `roles: {relayer: {replicas: 2}}`."""

    fleet_name: Maybe[FleetName] = None
    """Name as fleets.json and clients call it, such as eth.prod; absent means the object's."""
    datacenter: Maybe[DnsLabel] = None
    """Place of the fleet, for the host names of fleets.json."""
    image: Image = Image()
    """Container image of the members."""
    paused: bool = False
    """Observe and report, change nothing."""
    roles: Roles
    """The fleet's members by role."""
    peers: Peers = Peers()
    """Nodes beyond the fleet's own."""
    tree: Maybe[TreeSpec] = None
    """The signed list of nodes; absent means none."""
    canary: Canary = Canary()
    """The fleet's probe."""
    rollout: Rollout = Rollout()
    """How changes go through the fleet."""
    deletion: Deletion = Deletion()
    """What happens when the fleet is deleted."""
