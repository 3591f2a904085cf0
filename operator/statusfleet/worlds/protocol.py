"""What `reconcile` asks of a world, whichever it is.

A world is told what should exist and tells what it sees; it decides nothing. Every call may be
repeated: applying an equal plan writes nothing and starts nothing.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from pydantic import SecretStr

from statusfleet.api.fleet import StatusFleet
from statusfleet.plan import Observation, Plan
from statusnode.records.enode import Enode


@dataclass(frozen=True, slots=True)
class CanaryWish:
    """What the canary should do: which members by name, how often, within which time.

    Without `renew`, one that runs goes on by the image that it was started with.
    """

    relayers: tuple[tuple[str, Enode], ...]
    mailservers: tuple[tuple[str, Enode], ...]
    interval_seconds: float
    timeout_seconds: float
    min_pow: float
    mail_password: SecretStr = field(repr=False)
    renew: bool = True


Knock = Callable[[Enode], Awaitable[str]]
"""Dials a node; returns what keeps it from being reached, "" where nothing does."""


@dataclass(frozen=True, slots=True)
class Vantage:
    """A place from where members are dialed, under the name that conditions give it.

    A member that was reached is dialed again after `repeat_seconds`, one that was not after
    `retry_seconds`, then after twice that, and so on. `caveat` says in how far a dial from there
    proves less than one from elsewhere.
    """

    name: str
    knock: Knock = field(compare=False, repr=False)
    repeat_seconds: float = 300.0
    retry_seconds: float = 1.0
    caveat: str = ""


class World(Protocol):
    """Where members run."""

    @property
    def problems(self) -> Mapping[str, str]:
        """What could not be brought about by now, and why, by the name of the thing."""
        ...

    @property
    def unapplied(self) -> frozenset[str]:
        """The members of whose new start something could not be brought about by now."""
        ...

    async def observe(self, fleet: StatusFleet) -> Observation:
        """Tell what is there, after making the keys and seats that `fleet` wants and lacks.

        A member that cannot be given what it lacks is told of with the reason in its message.

        Raises:
            StoreError: the fleet's memory cannot be used at all.
            WorldError: no ports are left to give.
        """
        ...

    async def apply(self, plan: Plan) -> None:
        """Bring the plan's members about: new ones started, changed ones told or restarted.

        Does not wait for them to be ready; that is seen by a later `observe`.

        Raises:
            StoreError: the fleet's memory cannot be written.
        """
        ...

    async def prune(self, plan: Plan) -> None:
        """Stop the members that the plan names as removed; their identities and data are kept."""
        ...

    async def probe(self, wish: CanaryWish | None) -> None:
        """Have the canary run as told, or (None) not at all.

        Raises:
            StoreError: the fleet's memory cannot be written.
        """
        ...
