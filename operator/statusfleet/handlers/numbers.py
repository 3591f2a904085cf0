"""What the operator counts, as Prometheus asks for it; see the alerts that come with the chart."""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal, get_args

from statusfleet.api.spec import Canary
from statusfleet.handlers.mirror import FleetId
from statusfleet.plan.types import CanaryVerdict
from statusnode.metrics.text import Family, Labels, Sample, counters_by, gauge, histogram

Outcome = Literal["done", "retry", "blocked", "invalid", "crashed"]
_BOUNDS: Final = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
_COUNTS: Final = ("desired", "ready", "published")


@dataclass(frozen=True, slots=True)
class CanaryRun:
    """A canary's last run, and how often there should be one."""

    interval_seconds: float
    verdict: CanaryVerdict


@dataclass(slots=True)
class Numbers:
    """Counters of one process, and the last status and canary of each fleet."""

    passes: Counter[str] = field(default_factory=Counter)
    events: int = 0
    restarts: int = 0
    seconds: float = 0.0
    durations: list[int] = field(default_factory=lambda: [0] * (len(_BOUNDS) + 1))
    statuses: dict[FleetId, Mapping[str, Any]] = field(default_factory=dict)
    canaries: dict[FleetId, CanaryRun] = field(default_factory=dict)

    def passed(self, outcome: Outcome, seconds: float) -> None:
        """Count a pass and how long it took."""
        self.passes[outcome] += 1
        self.seconds += seconds
        self.durations[bisect_left(_BOUNDS, seconds)] += 1

    def ran(self, fleet: FleetId, canary: Canary, verdict: CanaryVerdict | None) -> None:
        """Remember the last run of a fleet's canary, None where there was none."""
        if canary.enabled and verdict is not None:
            self.canaries[fleet] = CanaryRun(canary.interval.seconds, verdict)
        else:
            self.canaries.pop(fleet, None)

    def forget(self, fleet: FleetId) -> None:
        """Count a fleet no more."""
        self.statuses.pop(fleet, None)
        self.canaries.pop(fleet, None)

    def families(
        self, *, leads: bool, silent_seconds: float, unseen: Mapping[str, bool]
    ) -> Iterator[Family]:
        """Yield everything that is counted; `unseen` tells by namespace whether not all is seen."""
        yield gauge("statusfleet_leader", "1 while this process leads.", float(leads))
        yield gauge(
            "statusfleet_watch_silence_seconds",
            "Seconds for which a watch has brought nothing, beyond what is usual.",
            silent_seconds,
        )
        yield Family(
            "statusfleet_namespace_unseen",
            "gauge",
            "1 for a namespace whose fleets are not looked after, since not all of it is seen.",
            tuple(Sample(float(no), (("namespace", one),)) for one, no in unseen.items()),
        )
        yield counters_by(
            "statusfleet_reconcile_total",
            "Passes over fleets by what came of them.",
            "outcome",
            # All of them from the start: from nothing to one is no increase to Prometheus.
            {outcome: self.passes[outcome] for outcome in get_args(Outcome)},
        )
        yield histogram(
            "statusfleet_reconcile_seconds",
            "Seconds that a pass took.",
            _BOUNDS,
            self.durations,
            self.seconds,
        )
        yield Family(
            "statusfleet_watch_events_total",
            "counter",
            "Events of fleets' objects.",
            (Sample(float(self.events)),),
        )
        yield Family(
            "statusfleet_member_restarts_total",
            "counter",
            "Members that rollouts started anew.",
            (Sample(float(self.restarts)),),
        )
        yield gauge("statusfleet_fleets", "Fleets that are looked after.", len(self.statuses))
        yield Family(
            "statusfleet_fleet_condition",
            "gauge",
            "1 for the present status of each condition of a fleet.",
            tuple(self._conditions()),
        )
        yield Family(
            "statusfleet_fleet_members",
            "gauge",
            "Members of a fleet by role: desired, ready, published.",
            tuple(self._members()),
        )
        yield Family(
            "statusfleet_tree_seq",
            "gauge",
            "Sequence number of a fleet's tree.",
            tuple(
                Sample(float(status["tree"]["seq"]), _labels(fleet))
                for fleet, status in self.statuses.items()
                if status.get("tree")
            ),
        )
        yield from self._canaries()

    def _canaries(self) -> Iterator[Family]:
        runs = self.canaries.items()
        yield Family(
            "statusfleet_canary_interval_seconds",
            "gauge",
            "Time between two runs of a fleet's canary.",
            tuple(Sample(run.interval_seconds, _labels(fleet)) for fleet, run in runs),
        )
        yield Family(
            "statusfleet_canary_finished_timestamp_seconds",
            "gauge",
            "When the last run of a fleet's canary ended, unix seconds; minutes late at most.",
            tuple(Sample(run.verdict.finished_at, _labels(fleet)) for fleet, run in runs),
        )
        yield Family(
            "statusfleet_canary_latency_seconds",
            "gauge",
            "From the canary's post to the message's arrival at another member.",
            tuple(
                Sample(run.verdict.latency_ms / 1000, _labels(fleet))
                for fleet, run in runs
                if run.verdict.latency_ms is not None
            ),
        )

    def _conditions(self) -> Iterator[Sample]:
        for fleet, status in self.statuses.items():
            for one in status.get("conditions") or ():
                what = (("type", one["type"]), ("status", one["status"]), ("reason", one["reason"]))
                yield Sample(1.0, (*_labels(fleet), *what))

    def _members(self) -> Iterator[Sample]:
        for fleet, status in self.statuses.items():
            for role, counts in (status.get("roles") or {}).items():
                for state in _COUNTS:
                    labels = (*_labels(fleet), ("role", role), ("state", state))
                    yield Sample(float(counts.get(state, 0)), labels)


def _labels(fleet: FleetId) -> Labels:
    return ("namespace", fleet[0]), ("fleet", fleet[1])
