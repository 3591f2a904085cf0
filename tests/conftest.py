"""What every test stands on: one rule about skipping, one about leaks, and hypothesis profiles.

A test that needs a program which is not on this machine skips and says what it needs ("needs Go").
Where `REQUIRE_PROGRAMS` is set, as in CI, every such skip is a failure, but for `STATUSD`: the
reference node comes from no package.

A socket or process that a test leaves open is a warning once Python comes by to collect it, and so
a failure: at the end of the test's own module, not of whichever test happens to run then.
"""

from __future__ import annotations

import gc
import os
from collections.abc import Generator, Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

settings.register_profile(
    "default", deadline=None, suppress_health_check=[HealthCheck.too_slow], max_examples=50
)
settings.register_profile("thorough", settings.get_profile("default"), max_examples=2000)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "default"))

_OPTIONAL_EVEN_IN_CI = "STATUSD"


def _reason(report: pytest.TestReport | pytest.CollectReport) -> str:
    longrepr = report.longrepr
    text = longrepr[2] if isinstance(longrepr, tuple) else str(longrepr)
    return text.removeprefix("Skipped: ")


def _forbid_skipping(report: pytest.TestReport | pytest.CollectReport) -> None:
    """Turn a skip into a failure, so that it counts as one for whatever reads the results."""
    if report.skipped and not hasattr(report, "wasxfail"):
        reason = _reason(report)
        if os.environ.get("REQUIRE_PROGRAMS") and _OPTIONAL_EVEN_IN_CI not in reason:
            report.outcome = "failed"
            report.longrepr = f"MUST NOT SKIP: {reason}"


@pytest.fixture(scope="module", autouse=True)
def _leaks_are_told() -> Iterator[None]:
    yield
    gc.collect()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    _forbid_skipping(report)
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report() -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    report = yield
    _forbid_skipping(report)
    return report


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    """Tell a worker how tests are distributed, which xdist itself keeps from it."""
    node.workerinput["dist"] = node.config.getoption("dist")


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Have each of several workers begin with its share of the slow tests, so that none is last.

    The distribution "worksteal" gives each worker a run of neighbours to start with.
    """
    worker = getattr(config, "workerinput", {})
    workers = worker.get("workercount", 1)
    if worker.get("dist") == "worksteal" and workers > 1:
        slow = [item for item in items if item.get_closest_marker("slow")]
        slow.sort(key=_may_last, reverse=True)
        quick = [item for item in items if not item.get_closest_marker("slow")]
        share = -(-len(quick) // workers)
        items[:] = [
            item
            for worker in range(workers)
            for item in (*slow[worker::workers], *quick[worker * share :][:share])
        ]


def _may_last(item: pytest.Item) -> float:
    """Return the seconds after which a test is ended that says so itself, 0 of others."""
    own = item.get_closest_marker("timeout")
    return float(own.args[0]) if own else 0.0


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    skips = [one for one in terminalreporter.stats.get("skipped", []) if one.skipped]
    reasons: dict[str, int] = {}
    for report in skips:
        reasons[_reason(report)] = reasons.get(_reason(report), 0) + 1
    for reason, count in sorted(reasons.items()):
        terminalreporter.write_line(f"skipped {count}: {reason}")
    terminalreporter.write_line(f"{len(skips)} tests skipped for want of a program")
