"""What every test stands on: one rule about skipping, and hypothesis profiles.

A test that needs a program which is not on this machine skips and says what it needs ("needs Go").
Where `REQUIRE_PROGRAMS` is set, as in CI, every such skip is a failure, but for `STATUSD`: the
reference node comes from no package.
"""

from __future__ import annotations

import os

import pytest
from hypothesis import HealthCheck, settings

settings.register_profile(
    "default", deadline=None, suppress_health_check=[HealthCheck.too_slow], max_examples=50
)
settings.register_profile("thorough", settings.get_profile("default"), max_examples=2000)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "default"))

_OPTIONAL_EVEN_IN_CI = "STATUSD"
_SKIPPED_WHAT_IT_MUST_NOT = 6  # none of pytest's own codes: running tests again does not mend it


def _reason(report: pytest.TestReport) -> str:
    longrepr = report.longrepr
    text = longrepr[2] if isinstance(longrepr, tuple) else str(longrepr)
    return text.removeprefix("Skipped: ")


def _skips(reporter: pytest.TerminalReporter) -> list[pytest.TestReport]:
    return [report for report in reporter.stats.get("skipped", []) if report.skipped]


def _forbidden(reports: list[pytest.TestReport]) -> list[pytest.TestReport]:
    if not os.environ.get("REQUIRE_PROGRAMS"):
        return []
    return [report for report in reports if _OPTIONAL_EVEN_IN_CI not in _reason(report)]


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if reporter is not None and exitstatus in (0, 1) and _forbidden(_skips(reporter)):
        session.exitstatus = _SKIPPED_WHAT_IT_MUST_NOT


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    skips = _skips(terminalreporter)
    for report in _forbidden(skips):
        terminalreporter.write_line(f"MUST NOT SKIP {report.nodeid}: {_reason(report)}", red=True)
    reasons: dict[str, int] = {}
    for report in skips:
        reasons[_reason(report)] = reasons.get(_reason(report), 0) + 1
    for reason, count in sorted(reasons.items()):
        terminalreporter.write_line(f"skipped {count}: {reason}")
    terminalreporter.write_line(f"{len(skips)} tests skipped for want of a program")
