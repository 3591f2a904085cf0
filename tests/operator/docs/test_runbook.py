"""The runbook has a place for every condition and every reason that a fleet can show."""

from __future__ import annotations

import re

from statusfleet.api.status import ConditionType
from statusfleet.handlers.notices import left, mended, orphaned, restarts
from statusfleet.reconcile.reasons import Reason
from support.documentation import ROOT, Document

RUNBOOK = Document(ROOT / "docs/runbook.md")
WORD = re.compile(r"[A-Z][A-Za-z]+")


def headings(level: int) -> list[str]:
    """The headings of one level that are a single word."""
    found = re.findall(rf"(?m)^{'#' * level} +(.*)$", RUNBOOK.prose)
    return [heading for heading in found if WORD.fullmatch(heading)]


def test_every_reason_has_its_heading_once() -> None:
    repeated = (*restarts(["relayer-0"]), *left(["embedded"]))
    of_events = {n.reason for n in (*repeated, mended("", complete=True), orphaned())}
    assert sorted(headings(3)) == sorted({*map(str, Reason), *of_events})


def test_conditions_stand_in_the_order_of_the_status() -> None:
    named = [heading for heading in headings(2) if heading in set(map(str, ConditionType))]
    assert named == [str(kind) for kind in ConditionType]


def test_every_reason_says_something() -> None:
    for reason in headings(3):
        text = RUNBOOK.text.split(f"\n### {reason}\n", 1)[1].split("\n#", 1)[0]
        assert text.strip(), reason
