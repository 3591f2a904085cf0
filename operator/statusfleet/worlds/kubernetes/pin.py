"""What keeps an upgrade of the operator from restarting anybody. Pure.

A pod's shape and image, and what statusd is told at its start, are rendered when the part of the
spec that they come from changes, and then kept on the StatefulSet. An operator that would render
something else keeps to what is pinned and says that an update is pending, until that part of the
spec changes, or the user asks for a restart (annotation `statusfleet.io/restart` of the fleet, or
`statusfleet.io/restart.relayer-0` for one member, with a value that was not there before; to take
one out asks for nothing).
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any, Final

from statusfleet.api.fleet import StatusFleet
from statusfleet.api.roles import RoleSpec
from statusfleet.kube.kinds import Body, JsonDict
from statusfleet.plan import MemberId
from statusfleet.plan.types import JsonObject
from statusfleet.worlds.kubernetes.names import RESTART
from statusfleet.worlds.kubernetes.pod import pod_shape

_UNPINNED: Final = frozenset(
    {"replicas", "members", "max_peers", "min_pow", "retention_days", "rate_limit"}
)
"""Fields of a role that change no pod, or that a member takes up while it runs."""
_TEXTS: Final = 64
"""The members of a role are pinned to the same text: it is read once for all of them."""


@dataclass(frozen=True, slots=True)
class Pin:
    """A rendered shape, and the digest of what the user had said when it was rendered.

    `startup` are the settings of statusd's start that belong to it; None before the plan made them.
    """

    said: str
    restart: tuple[str, ...]
    shape: JsonDict
    startup: JsonObject | None = None

    @property
    def image(self) -> str:
        """The image that the pod runs."""
        return str(self.shape["spec"]["containers"][0]["image"])

    @property
    def program(self) -> str:
        """What changes exactly when the pod must be made anew for its shape's sake."""
        return f"{self.image} {_digest(self.shape)} {' '.join(self.restart)}".rstrip()

    @property
    def text(self) -> str:
        """How the pin is kept."""
        kept = {"said": self.said, "restart": self.restart, "shape": self.shape}
        return _canonical(kept if self.startup is None else {**kept, "startup": self.startup})

    @classmethod
    def parse(cls, text: str) -> Pin | None:
        """Read what `text` wrote; None for anything else, which is then rendered anew."""
        try:
            found: Any = json.loads(text)
            startup = found.get("startup")
            pin = cls(
                str(found["said"]),
                tuple(map(str, found["restart"])),
                dict(found["shape"]),
                None if startup is None else dict(startup),
            )
            whole = bool(pin.image)
        except (AttributeError, IndexError, KeyError, TypeError, ValueError):
            return None
        return pin if whole else None


@dataclass(frozen=True, slots=True)
class Choice:
    """The pin to run by; `newer` where this operator would run something else."""

    pin: Pin
    newer: bool = False


class Pins:
    """What the pods of one fleet are made from: the members of a role alike, so it is made once."""

    def __init__(self, fleet: StatusFleet, own_image: str) -> None:
        self._fleet = fleet
        self._own_image = own_image
        self._rendered: dict[str, Pin] = {}

    def choose(self, member: MemberId, pinned: str) -> Choice:
        """Return what a member's pod is made from; `pinned` is the text on its StatefulSet."""
        if member.role not in self._rendered:
            role = role_of(self._fleet, member)
            self._rendered[member.role] = _render(self._fleet, role, self._own_image)
        restart = _restarts(self._fleet, member)
        rendered = replace(self._rendered[member.role], restart=restart)
        kept = _parse(pinned)
        asked = kept is not None and not set(restart) <= set(kept.restart)
        if kept is None or kept.said != rendered.said or asked:
            return Choice(rendered)
        return Choice(kept, newer=kept.shape != rendered.shape)


def choose_pin(fleet: StatusFleet, member: MemberId, pinned: str, own_image: str) -> Choice:
    """Return what a member's pod is made from; `pinned` is the text on its StatefulSet, or ""."""
    return Pins(fleet, own_image).choose(member, pinned)


def role_of(fleet: StatusFleet, member: MemberId) -> RoleSpec:
    """Return the role of a member that the spec wants."""
    return next(role for role in fleet.spec.roles.present() if role.role == member.role)


def _render(fleet: StatusFleet, role: RoleSpec, own_image: str) -> Pin:
    # Without defaults: else each field that a newer version adds would be a change of the spec.
    said = {
        "fleet": fleet.fleet_name,
        "image": fleet.spec.image.model_dump(mode="json", exclude_defaults=True),
        "role": role.model_dump(mode="json", exclude=set(_UNPINNED), exclude_defaults=True),
    }
    shape = pod_shape(fleet.name, role, fleet.spec.image, own_image)
    return Pin(_digest(said), (), json.loads(_canonical(shape)))


def _restarts(fleet: StatusFleet, member: MemberId) -> tuple[str, ...]:
    """Return what the user has asked for by annotations of the fleet."""
    asked = fleet.metadata.annotations
    named = (asked.get(RESTART, ""), asked.get(f"{RESTART}.{member.name}", ""))
    return tuple(filter(None, named))


@lru_cache(maxsize=_TEXTS)
def _parse(text: str) -> Pin | None:
    return Pin.parse(text)


def _digest(value: Body) -> str:
    return hashlib.sha256(_canonical(value).encode()).hexdigest()[:16]


def _canonical(value: Body) -> str:
    return json.dumps(value, sort_keys=True, separators=(",", ":"))
