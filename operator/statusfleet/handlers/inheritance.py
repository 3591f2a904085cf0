"""What the last operator said of things that this one has not looked at yet. No I/O.

To dial members, and to read what their canary found, takes a moment. For that moment an operator
that is started anew would say that nobody knows, of fleets of which everything was known.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from typing import Any, Final

from statusfleet.api.status import ConditionType
from statusfleet.reconcile.conditions import Finding
from statusfleet.reconcile.fleet import Report
from statusfleet.reconcile.reasons import Reason

PATIENCE_SECONDS: Final = 60.0
"""For how long the last word stands where nobody says another."""
_NOT_YET: Final[Mapping[str, Reason]] = {
    ConditionType.REACHABLE: Reason.NOT_DIALED_YET,
    ConditionType.CANARY_PASSING: Reason.NO_VERDICT_YET,
}
"""The conditions that take a moment to know, and what they say until then."""


class Inheritance:
    """What is left of the status that stood in a fleet when this operator first saw it."""

    def __init__(self, status: Mapping[str, Any]) -> None:
        """Take the status."""
        self._until: float | None = None
        self._left: dict[str, tuple[Finding, int]] = {}
        for one in status.get("conditions") or ():
            kind, generation = str(one["type"]), int(one.get("observedGeneration") or 0)
            with suppress(ValueError):  # a word that another version says
                reason, text = Reason(one["reason"]), str(one.get("message") or "")
                if kind in _NOT_YET and one["status"] in ("True", "False"):
                    found = Finding(ConditionType(kind), one["status"], reason, text)
                    self._left[kind] = found, generation

    def fill(self, report: Report, generation: int, now: float) -> Report:
        """Return a report that says of the same spec what was known, until something is found.

        `now` is in Unix seconds.
        """
        self._until = now + PATIENCE_SECONDS if self._until is None else self._until
        is_over = now >= self._until
        found = tuple(self._last(one, generation, is_over=is_over) for one in report.findings)
        if found == report.findings:
            return report
        moments = (self._until, report.next_look)
        return replace(
            report, findings=found, next_look=min(one for one in moments if one is not None)
        )

    def _last(self, finding: Finding, generation: int, *, is_over: bool) -> Finding:
        last = self._left.get(finding.type)
        if last is None:
            return finding
        if finding.reason is _NOT_YET[finding.type] and last[1] == generation and not is_over:
            return last[0]
        del self._left[finding.type]
        return finding
