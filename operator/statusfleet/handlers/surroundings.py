"""What all fleets of an operator share."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field

from statusfleet.handlers.numbers import Numbers
from statusfleet.handlers.slot import Slots
from statusfleet.kube.client import KubeClient
from statusfleet.reconcile.pace import DialPace
from statusfleet.worlds.kubernetes.dialing import MOST_PODS
from statusfleet.worlds.kubernetes.records import Snapshot


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What all fleets of an operator share.

    `image` is the operator's own, `vantage` what to call the place from where members are dialed;
    with `dial_from_nodes`, those behind load balancers are dialed by `pods` on their own nodes.
    Without `reach_first`, one that cannot be reached is published all the same. An unready member
    stays in its tree for `grace_seconds`.
    """

    client: KubeClient
    snapshot: Callable[[tuple[str, str]], Snapshot]
    slots: Slots
    numbers: Numbers
    image: str
    vantage: str
    reach_first: bool
    dial_from_nodes: bool
    grace_seconds: float
    now: Callable[[], float]
    dials: DialPace = field(default_factory=DialPace)
    pods: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(MOST_PODS))
