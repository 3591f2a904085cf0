"""The operator's metrics page."""

from __future__ import annotations

from statusfleet.api.spec import Canary
from statusfleet.handlers.numbers import Numbers
from statusfleet.plan.types import CanaryVerdict
from statusnode.metrics.text import page


def test_the_page_tells_passes_and_fleets() -> None:
    numbers = Numbers()
    numbers.passed("done", 0.02)
    numbers.passed("retry", 20.0)
    numbers.statuses["status", "eth-dev"] = {
        "conditions": [{"type": "Ready", "status": "True", "reason": "AllReady"}],
        "roles": {"relayer": {"desired": 3, "ready": 2, "published": 1}},
        "tree": {"seq": 7},
    }
    lines = page(
        numbers.families(leads=True, silent_seconds=1.5, unseen={"gone": True, "status": False})
    ).splitlines()
    where = 'namespace="status",fleet="eth-dev"'
    for line in (
        "statusfleet_leader 1",
        "statusfleet_watch_silence_seconds 1.5",
        'statusfleet_namespace_unseen{namespace="gone"} 1',
        'statusfleet_namespace_unseen{namespace="status"} 0',
        'statusfleet_reconcile_total{outcome="done"} 1',
        'statusfleet_reconcile_total{outcome="crashed"} 0',
        'statusfleet_reconcile_seconds_bucket{le="0.025"} 1',
        'statusfleet_reconcile_seconds_bucket{le="+Inf"} 2',
        "statusfleet_fleets 1",
        f'statusfleet_fleet_condition{{{where},type="Ready",status="True",reason="AllReady"}} 1',
        f'statusfleet_fleet_members{{{where},role="relayer",state="ready"}} 2',
        f"statusfleet_tree_seq{{{where}}} 7",
    ):
        assert line in lines


def test_the_page_tells_when_a_canary_last_ran_for_as_long_as_it_should() -> None:
    numbers = Numbers()
    fleet, verdict = ("status", "eth-dev"), CanaryVerdict(True, 1_763_735_000.0, latency_ms=8.0)
    numbers.ran(fleet, Canary(), verdict)

    def lines() -> list[str]:
        return page(numbers.families(leads=True, silent_seconds=0, unseen={})).splitlines()

    where = 'namespace="status",fleet="eth-dev"'
    for line in (
        f"statusfleet_canary_interval_seconds{{{where}}} 60",
        f"statusfleet_canary_finished_timestamp_seconds{{{where}}} 1.763735e+09",
        f"statusfleet_canary_latency_seconds{{{where}}} 0.008",
    ):
        assert line in lines()
    numbers.ran(fleet, Canary(enabled=False), verdict)
    assert not any(line.startswith("statusfleet_canary") for line in lines())
    numbers.ran(fleet, Canary(), verdict)
    numbers.forget(fleet)
    assert not any("eth-dev" in line for line in lines())
