"""Names and labels of a fleet's objects, so that whoever makes one and whoever looks for it agree.

A fleet's name has at most 40 characters (the CRD sees to it), so every name here is a DNS label.
"""

from __future__ import annotations

from typing import Final

FLEET_LABEL: Final = "statusfleet.io/fleet"
ROLE_LABEL: Final = "statusfleet.io/role"
ORDINAL_LABEL: Final = "statusfleet.io/ordinal"
PART_LABEL: Final = "statusfleet.io/part"
"""What an object is of, where it is no member's: `identity`, `state`, `canary`, `dns`, …"""
MANAGED_BY: Final = "statusfleet"
FINALIZER: Final = "statusfleet.io/cleanup"

NODE_KEY: Final = "nodekey"
"""Key of a member's (and the canary's) identity within its Secret: 64 hex digits."""
TREE_KEY: Final = "signingkey"
"""Key of the tree's signing key within its Secret: 64 hex digits."""


def member_object(fleet: str, member: str) -> str:
    """Return the name of a member's objects; `member` is such as relayer-0."""
    return f"{fleet}-{member}"


def canary_object(fleet: str) -> str:
    """Return the name of the canary's Deployment, and of the Secret with its key."""
    return f"{fleet}-canary"


def tree_secret(fleet: str) -> str:
    """Return the name of the Secret with the key that was made to sign the tree."""
    return f"{fleet}-tree"


def state_object(fleet: str) -> str:
    """Return the name of the ConfigMap with sequence numbers and the published tree's root."""
    return f"{fleet}-state"


def dns_object(fleet: str) -> str:
    """Return the name of the fleet's DNS servers: Deployment, Service, and what they serve."""
    return f"{fleet}-dns"


def fleet_labels(fleet: str, *, part: str = "") -> dict[str, str]:
    """Return the labels of an object of a fleet."""
    labels = {
        FLEET_LABEL: fleet,
        "app.kubernetes.io/name": "statusfleet",
        "app.kubernetes.io/instance": fleet,
        "app.kubernetes.io/managed-by": MANAGED_BY,
    }
    return labels | {PART_LABEL: part} if part else labels


def fleet_selector(fleet: str, *, part: str = "") -> dict[str, str]:
    """Return the labels by which a fleet's objects, or those of one part, are found."""
    return {FLEET_LABEL: fleet} | ({PART_LABEL: part} if part else {})


def member_labels(fleet: str, role: str, ordinal: int) -> dict[str, str]:
    """Return the labels of an object of one member."""
    return fleet_labels(fleet) | {
        ROLE_LABEL: role,
        ORDINAL_LABEL: str(ordinal),
        "app.kubernetes.io/component": role,
    }
