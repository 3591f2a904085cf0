"""What a run of the canary found: one JSON object a line on its standard output."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum


class LegKind(StrEnum):
    """The parts of a run."""

    CONNECT = "connect"
    POST = "post"
    RECEIVE = "receive"
    FETCH = "fetch"


@dataclass(frozen=True, slots=True)
class Leg:
    """One part of a run, with the member it went through.

    `latency_ms` counts from the start of the part itself: a connection's from the dial, all others
    from the post.
    """

    kind: LegKind
    member: str
    latency_ms: float | None
    error: str = ""

    @property
    def passed(self) -> bool:
        """Whether it worked."""
        return not self.error

    @property
    def sentence(self) -> str:
        """What failed and where, in words."""
        words = {
            LegKind.CONNECT: f"connecting to {self.member}",
            LegKind.POST: f"posting through {self.member}",
            LegKind.RECEIVE: f"receiving from {self.member}",
            LegKind.FETCH: f"fetching from {self.member}",
        }
        return f"{words[self.kind]}: {self.error}"


@dataclass(frozen=True, slots=True)
class Verdict:
    """A whole run; `finished_at` in unix seconds."""

    run: int
    finished_at: float
    legs: tuple[Leg, ...]

    @property
    def passed(self) -> bool:
        """Whether every part worked."""
        return bool(self.legs) and all(leg.passed for leg in self.legs)

    @property
    def latency_ms(self) -> float | None:
        """From the post to the message's arrival at the other member."""
        return next((leg.latency_ms for leg in self.legs if leg.kind is LegKind.RECEIVE), None)

    @property
    def failures(self) -> Sequence[str]:
        """A sentence for each part that failed."""
        return [leg.sentence for leg in self.legs if not leg.passed]

    def to_json(self) -> str:
        """Write it as one line."""
        return json.dumps(
            {
                "run": self.run,
                "finishedAt": round(self.finished_at, 3),
                "passed": self.passed,
                "latencyMs": self.latency_ms,
                "failures": list(self.failures),
                "legs": [
                    {
                        "leg": leg.kind.value,
                        "member": leg.member,
                        "latencyMs": leg.latency_ms,
                        "error": leg.error or None,
                    }
                    for leg in self.legs
                ],
            }
        )
