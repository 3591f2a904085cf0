"""Whose logs are meant, and in which order they are printed. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, get_args

from statusfleet.api.roles import RoleName
from statusfleet.cli.kubectl.cluster import CommandError
from statusfleet.kube import names
from statusfleet.kube.kinds import JsonDict
from statusfleet.worlds.kubernetes.pod import CONTAINER

_PARTS: Final = ("canary", "dns")


@dataclass(frozen=True, slots=True)
class Source:
    """One pod to read: how its lines are called, and which of its containers."""

    pod: str
    called: str
    container: str


def selector(fleet: str, what: str) -> str:
    """Return the label selector of the pods that are meant.

    Raises:
        CommandError: `what` is no role, member or part.
    """
    of_fleet = f"{names.FLEET_LABEL}={fleet}"
    if not what:
        return f"{of_fleet},{names.ROLE_LABEL}"
    if what in _PARTS:
        return f"{of_fleet},{names.PART_LABEL}={what}"
    role, _, ordinal = what.partition("-")
    if role not in get_args(RoleName) or (what != role and not ordinal.isdecimal()):
        known = ", ".join((*get_args(RoleName), *_PARTS))
        raise CommandError(f"{what} is no role, member such as relayer-0, or one of {known}")
    of_role = f"{of_fleet},{names.ROLE_LABEL}={role}"
    return f"{of_role},{names.ORDINAL_LABEL}={ordinal}" if ordinal else of_role


def sources_of(pods: Sequence[JsonDict]) -> list[Source]:
    """Return the pods to read, members by role and ordinal. Pure."""
    return [source for _, source in sorted(map(_source, pods), key=lambda pair: pair[0])]


def _source(pod: JsonDict) -> tuple[tuple[str, int, str], Source]:
    metadata: Mapping[str, Any] = pod["metadata"]
    labels: Mapping[str, str] = metadata.get("labels") or {}
    name, role = metadata["name"], labels.get(names.ROLE_LABEL, "")
    ordinal = labels.get(names.ORDINAL_LABEL, "")
    if not role or not ordinal.isdecimal():
        return ("", 0, name), Source(name, name, "")
    called = f"{role}-{ordinal}"
    return (role, int(ordinal), name), Source(name, called, CONTAINER)
