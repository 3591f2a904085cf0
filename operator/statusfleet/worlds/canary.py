"""What any world tells the canary, and what it hears from it. Pure.

The program itself (`statusfleet.canary`) knows no world; this is the other side of its file and of
its lines.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from pydantic import JsonValue

from statusfleet.plan import CanaryVerdict
from statusfleet.worlds.protocol import CanaryWish
from statusnode.crypto.keys import PrivateKey
from statusnode.records.enode import Enode

_MISSED_RUNS: Final = 3
_START_SECONDS: Final = 60.0
"""How long a canary may take to be started anew, elsewhere if need be."""
_LATEST: Final = 1e11
"""Seconds: beyond the year 5000, and within what every calendar can say."""


@dataclass(frozen=True, slots=True)
class LegDetail:
    """One part of the last run: through which member, how long it took or why it failed."""

    leg: str
    member: str
    latency_ms: float | None
    error: str


def canary_settings(wish: CanaryWish, key: PrivateKey | str) -> dict[str, JsonValue]:
    """Return the canary's file; it holds a password, and `key`, or the path of the file with it."""
    named = {"nodeKeyFile": key} if isinstance(key, str) else {"nodeKey": key.data.hex()}
    return {
        **named,
        "relayers": _targets(wish.relayers),
        "mailservers": _targets(wish.mailservers),
        "intervalSeconds": wish.interval_seconds,
        "timeoutSeconds": wish.timeout_seconds,
        "minPow": wish.min_pow,
        "mailPassword": wish.mail_password.get_secret_value(),
    }


def read_verdict(line: str | bytes) -> tuple[CanaryVerdict, Mapping[str, Any]] | None:
    """Return what a line of the canary says, and the line as it was written; None for any other.

    The image is the user's choice, so any program may have written it.
    """
    try:
        found = json.loads(line)
        latency = found["latencyMs"]
        verdict = CanaryVerdict(
            passed=found["passed"] is True,
            finished_at=_time(found["finishedAt"]),
            latency_ms=None if latency is None else _time(latency),
            failures=tuple(str(failure) for failure in found["failures"]),
        )
    except (ValueError, TypeError, KeyError, RecursionError):
        return None
    return verdict, found


def _time(said: object) -> float:
    """Return a time; raises TypeError and ValueError for what is none."""
    if not isinstance(said, int | float):
        raise TypeError
    if not 0 <= said <= _LATEST:
        raise ValueError
    return float(said)


def timely(
    verdict: CanaryVerdict | None, wish: CanaryWish | None, now: float
) -> CanaryVerdict | None:
    """Return a verdict while no later one is overdue, else that the canary hangs.

    A passed run says nothing of a fleet that nobody has asked since.
    """
    if verdict is None or wish is None:
        return verdict
    patience = _MISSED_RUNS * wish.interval_seconds + wish.timeout_seconds + _START_SECONDS
    if now <= verdict.finished_at + patience:
        return verdict
    last = datetime.fromtimestamp(verdict.finished_at, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
    silence = f"running the canary: its last run ended at {last}"
    return CanaryVerdict(False, verdict.finished_at, None, (silence,))


def legs_of(said: Mapping[str, Any]) -> tuple[LegDetail, ...]:
    """Return what a verdict says of each leg; nothing where its lines have another shape."""
    try:
        return tuple(
            LegDetail(leg["leg"], leg["member"], leg["latencyMs"], leg["error"] or "")
            for leg in said["legs"]
        )
    except (TypeError, KeyError):
        return ()


def _targets(members: tuple[tuple[str, Enode], ...]) -> list[JsonValue]:
    return [{"name": name, "enode": str(enode)} for name, enode in members]
