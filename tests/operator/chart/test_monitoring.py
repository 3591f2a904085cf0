"""The alerts and the dashboard that come with the chart: do they speak of what is really told?"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from statusfleet.api.spec import Canary
from statusfleet.api.status import ConditionType
from statusfleet.handlers.numbers import Numbers
from statusfleet.kube.names import FLEET_LABEL, ORDINAL_LABEL, ROLE_LABEL
from statusfleet.plan.types import CanaryVerdict
from statusfleet.reconcile.reasons import Reason
from statusnode.devp2p.counters import Counters
from statusnode.mailserver.counters import MailCounters
from statusnode.metrics.mail import mail_families
from statusnode.metrics.peers import peer_families, traffic_families
from statusnode.metrics.process import process_families
from statusnode.metrics.relay import pool_families, relay_families
from statusnode.relay.counters import RelayCounters
from support.chart import CHART, needs_helm, of_kind, rendered

PROMTOOL = shutil.which("promtool")
needs_promtool = pytest.mark.skipif(PROMTOOL is None, reason="needs promtool")
ALERTS = {
    rule["alert"]: rule
    for group in yaml.safe_load((CHART / "files/alerts.yaml").read_text())["groups"]
    for rule in group["rules"]
}
OWN = re.compile(r"\b(?:statusfleet|statusd|mailserver|waku|p2p|process|system)_\w+")
FLEET = {"namespace": "status", "fleet": "eth-dev"}


def promtool(*arguments: str, cwd: Path) -> None:
    done = subprocess.run(
        [str(PROMTOOL), *arguments], cwd=cwd, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def rules(**values: Any) -> dict[str, Any]:
    given = {"prometheusRule": {"enabled": True, **values}}
    (body,) = of_kind(rendered(given), "PrometheusRule")
    return dict(body["spec"])


def alerts(groups: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {rule["alert"]: rule for group in groups["groups"] for rule in group["rules"]}


def dashboard() -> dict[str, Any]:
    return dict(json.loads((CHART / "files/dashboard.json").read_text()))


def queries() -> list[str]:
    """Return every query of the dashboard, with values for its variables."""
    found = [
        target["expr"] for panel in dashboard()["panels"] for target in panel.get("targets", ())
    ]
    return [re.sub(r"\$\w+", "x", query.replace("$__rate_interval", "5m")) for query in found]


def exported() -> set[str]:
    """Return the names of all samples that an operator and a mailserver tell."""
    numbers = Numbers()
    numbers.ran(("n", "f"), Canary(), CanaryVerdict(True, 1.0, latency_ms=1.0))
    numbers.statuses["n", "f"] = {
        "conditions": [{"type": "Ready", "status": "True", "reason": "AllReady"}],
        "roles": {"relayer": {"desired": 1}},
        "tree": {"seq": 1},
    }
    families = [
        *numbers.families(leads=True, silent_seconds=0.0, unseen={"": False}),
        *mail_families(MailCounters(), "archive"),
        *peer_families([], 1),
        *pool_families(0, 0),
        *process_families(),
        *relay_families(RelayCounters()),
        *traffic_families(Counters()),
    ]
    return {family.name + sample.suffix for family in families for sample in family.samples}


# ── what is spoken of ──


def test_every_metric_that_is_asked_for_is_told_by_somebody() -> None:
    texts = [rule["expr"] for rule in ALERTS.values()] + queries()
    variables = [str(one.get("definition", "")) for one in dashboard()["templating"]["list"]]
    asked = set(OWN.findall(" ".join([*texts, *variables])))
    assert "statusfleet_leader" in asked
    assert asked <= exported()


def test_every_metric_of_the_operator_is_documented() -> None:
    told = {name for name in exported() if name.startswith("statusfleet_")}
    families = {re.sub("_(bucket|count|sum)$", "", name) for name in told}
    documented = set(re.findall(r"^\| `(\w+)` \|", (CHART / "README.md").read_text(), re.MULTILINE))
    assert families == {name for name in documented if name.startswith("statusfleet_")}


def test_every_condition_and_reason_that_is_asked_for_exists() -> None:
    text = " ".join([*(rule["expr"] for rule in ALERTS.values()), *queries()])
    for label, words in (("type", set(ConditionType)), ("reason", set(Reason))):
        found = re.findall(rf'{label}!?=~?"([\w|]+)"', text)
        assert found
        assert {one for value in found for one in value.split("|")} <= {str(w) for w in words}


def test_every_alert_says_what_it_is_and_where_to_read_what_to_do() -> None:
    headings = re.findall(r"^### (\w+)$", (CHART / "README.md").read_text(), re.MULTILINE)
    assert sorted(headings) == sorted(ALERTS)
    for name, rule in ALERTS.items():
        assert rule["labels"]["severity"] in {"critical", "warning"}, name
        assert set(rule["annotations"]) == {"summary", "description"}, name


@needs_helm
def test_alerts_are_of_the_release_s_namespace_and_link_to_their_part_of_the_page() -> None:
    found = alerts(rules(runbookUrl="https://wiki.example/fleets", alertLabels={"team": "p2p"}))
    assert found.keys() == ALERTS.keys()
    down = found["StatusFleetOperatorDown"]
    assert down["expr"] == 'absent(statusfleet_leader{namespace="system"})'
    assert down["labels"] == {"severity": "critical", "team": "p2p"}
    link = "https://wiki.example/fleets#statusfleetoperatordown"
    assert down["annotations"]["runbook_url"] == link
    assert "RELEASE_NAMESPACE" not in json.dumps(found)


@needs_helm
def test_alerts_link_nowhere_unless_it_is_said_where_the_page_is() -> None:
    assert all("runbook_url" not in rule["annotations"] for rule in alerts(rules()).values())


@needs_helm
def test_monitors_bear_the_labels_that_prometheus_selects_by_whatever_they_are() -> None:
    wanted = {"app.kubernetes.io/instance": "prometheus", "team": "p2p"}
    asked = {"enabled": True, "labels": wanted}
    names = ("podMonitor", "prometheusRule", "serviceMonitor")
    bodies = rendered(dict.fromkeys(names, asked))
    for name in names:
        (body,) = of_kind(bodies, name[0].upper() + name[1:])
        assert body["metadata"]["labels"].items() >= wanted.items()


@needs_helm
def test_alerts_can_be_left_out() -> None:
    found = alerts(rules(disabled=["StatusFleetMailNotArchived", "StatusFleetNotReady"]))
    assert ALERTS.keys() - found.keys() == {"StatusFleetMailNotArchived", "StatusFleetNotReady"}


# ── what Prometheus makes of it ──


@needs_helm
@needs_promtool
def test_promtool_finds_nothing_to_say_of_the_alerts(tmp_path: Path) -> None:
    (tmp_path / "rules.yaml").write_text(yaml.safe_dump(rules()))
    promtool("check", "rules", "--lint=all", "--lint-fatal", "rules.yaml", cwd=tmp_path)


@needs_promtool
def test_every_query_of_the_dashboard_is_one(tmp_path: Path) -> None:
    records = [{"record": f"panel:{n}", "expr": query} for n, query in enumerate(queries())]
    group = {"groups": [{"name": "dashboard", "rules": records}]}
    (tmp_path / "rules.yaml").write_text(yaml.safe_dump(group))
    promtool("check", "rules", "rules.yaml", cwd=tmp_path)


@dataclass(frozen=True, slots=True)
class Case:
    """Series by the minute, and when the alert about them fires."""

    alert: str
    series: dict[str, str]
    minute: int
    labels: dict[str, str] | None
    """None: it is quiet then."""


def of_fleet(metric: str, *labels: str) -> str:
    named = [f'{key}="{value}"' for key, value in FLEET.items()]
    return f"{metric}{{{','.join([*named, *labels])}}}"


def condition(kind: str, status: str, reason: str) -> str:
    labels = (f'type="{kind}"', f'status="{status}"', f'reason="{reason}"')
    return of_fleet("statusfleet_fleet_condition", *labels)


def lasting(alert: str, kind: str, status: str, reason: str, minutes: int) -> list[Case]:
    """A condition that stands: quiet a minute before its time, firing at it."""
    series = {condition(kind, status, reason): "1x200"}
    return [Case(alert, series, minutes - 1, None), Case(alert, series, minutes, FLEET)]


LEADS = 'statusfleet_leader{namespace="system",pod="%s"}'
PASSES = 'statusfleet_reconcile_total{namespace="system",outcome="%s"}'
UNSEEN = 'statusfleet_namespace_unseen{namespace="%s"}'
SYSTEM = {"namespace": "system"}
READY = of_fleet("statusfleet_fleet_members", 'role="relayer"', 'state="ready"')
DESIRED = of_fleet("statusfleet_fleet_members", 'role="relayer"', 'state="desired"')
UNREADY = condition("Ready", "False", "MembersNotReady")
PAUSED = condition("Paused", "True", "PausedBySpec")
FINISHED = of_fleet("statusfleet_canary_finished_timestamp_seconds")
INTERVAL = of_fleet("statusfleet_canary_interval_seconds")
MAIL = of_fleet("mailserver_archived_envelopes_falures_total", 'member="mailserver-0"', 'db="a"')
SECONDS = 'statusfleet_reconcile_seconds_bucket{namespace="system",le="%s"}'
CASES = [
    Case("StatusFleetOperatorDown", {}, 4, None),
    Case("StatusFleetOperatorDown", {}, 5, SYSTEM),
    # Somebody else's operator is no comfort.
    Case("StatusFleetOperatorDown", {'statusfleet_leader{namespace="b"}': "1x20"}, 5, SYSTEM),
    Case("StatusFleetOperatorDown", {LEADS % "a": "0x20"}, 10, None),
    Case("StatusFleetOperatorNotLeading", {LEADS % "a": "0x9", LEADS % "b": "0x9"}, 2, SYSTEM),
    Case("StatusFleetOperatorNotLeading", {LEADS % "a": "0x9", LEADS % "b": "1x9"}, 9, None),
    Case(
        "StatusFleetWatchesStuck",
        {'statusfleet_watch_silence_seconds{namespace="system",pod="a",instance="i"}': "2 62 122"},
        2,
        {**SYSTEM, "pod": "a", "instance": "i"},
    ),
    Case("StatusFleetNamespaceUnseen", {UNSEEN % "status": "1x9", UNSEEN % "b": "0x9"}, 5,
         {"namespace": "status"}),
    Case("StatusFleetNamespaceUnseen", {UNSEEN % "status": "1 1 0 1 1 1 1"}, 6, None),
    Case("StatusFleetOperatorFault", {PASSES % "crashed": "0 0 0 1 1 1"}, 5, SYSTEM),
    Case("StatusFleetOperatorFault", {PASSES % "crashed": "3x30"}, 20, None),
    Case("StatusFleetReconcileErrors", {PASSES % "retry": "0+3x60", PASSES % "done": "0+1x60"},
         40, SYSTEM),
    Case("StatusFleetReconcileErrors", {PASSES % "retry": "0+1x60", PASSES % "done": "0+3x60"},
         40, None),
    Case("StatusFleetReconcileErrors", {PASSES % "retry": "5x60", PASSES % "done": "7x60"},
         40, None),
    Case("StatusFleetReconcileSlow", {SECONDS % "5": "0+1x90", SECONDS % "10": "0+9x90",
         SECONDS % "+Inf": "0+9x90"}, 60, SYSTEM),
    Case("StatusFleetReconcileSlow", {SECONDS % "5": "0+9x90", SECONDS % "10": "0+9x90",
         SECONDS % "+Inf": "0+9x90"}, 60, None),
    Case("StatusFleetNoMemberReady", {READY: "0x9", DESIRED: "2x9"}, 5, FLEET),
    Case("StatusFleetNoMemberReady", {READY: "1x9", DESIRED: "2x9"}, 9, None),
    Case("StatusFleetNoMemberReady", {READY: "0x9", DESIRED: "0x9"}, 9, None),
    Case("StatusFleetNoMemberReady", {READY: "0x9", DESIRED: "2x9", PAUSED: "1x9"}, 9, None),
    *lasting("StatusFleetNotReady", "Ready", "False", "MembersNotReady", 15),
    # Another reason is the same trouble, and it counts from its beginning.
    Case("StatusFleetNotReady", {condition("Ready", "False", "NotApplied"): "1x9 stale",
         UNREADY: "_x9 1x9"}, 16, FLEET),
    Case("StatusFleetNotReady", {UNREADY: "1x30", PAUSED: "1x30"}, 30, None),
    Case("StatusFleetNotReady", {condition("Ready", "False", "Deleting"): "1x30"}, 30, None),
    Case("StatusFleetNotReady", {condition("Ready", "False", "RollingOut"): "1x30"}, 30, None),
    # The next leader takes a minute; what fires goes on meanwhile.
    Case("StatusFleetNotReady", {UNREADY: "1x20 stale _ 1x20"}, 22, FLEET),
    *lasting("StatusFleetAddressMissing", "AddressesReady", "False", "AddressMissing", 15),
    *lasting("StatusFleetNotReachable", "Reachable", "False", "NotReached", 15),
    *lasting("StatusFleetTreeNotPublished", "TreePublished", "False", "SinkFailed", 15),
    Case("StatusFleetTreeNotPublished", {condition("TreePublished", "Unknown", "NotApplicable"):
         "1x30"}, 30, None),
    Case("StatusFleetTreeNotPublished", {condition("TreePublished", "False", "Deleting"):
         "1x30"}, 30, None),
    *lasting("StatusFleetTreeNotPropagated", "TreePropagated", "False", "WalkFailed", 30),
    Case("StatusFleetTreeNotPropagated", {condition("TreePropagated", "False", "Deleting"):
         "1x60"}, 60, None),
    *lasting("StatusFleetCanaryFailing", "CanaryPassing", "False", "Failed", 10),
    *lasting("StatusFleetCanarySilent", "CanaryPassing", "Unknown", "NoVerdictYet", 15),
    Case("StatusFleetCanarySilent", {condition("CanaryPassing", "Unknown", "Disabled"): "1x60"},
         60, None),
    # Its last word was passed, at minute 0, and it should speak every minute: 17 + 15 minutes.
    Case("StatusFleetCanarySilent", {FINISHED: "0x60", INTERVAL: "60x60"}, 31, None),
    Case("StatusFleetCanarySilent", {FINISHED: "0x60", INTERVAL: "60x60"}, 33, FLEET),
    Case("StatusFleetCanarySilent", {FINISHED: "0+60x60", INTERVAL: "60x60"}, 60, None),
    *lasting("StatusFleetRolloutStopped", "Progressing", "False", "RolloutStopped", 5),
    *lasting("StatusFleetDeletionStuck", "Progressing", "True", "Deleting", 120),
    Case("StatusFleetMailNotArchived", {MAIL: "0 0 1"}, 2, {**FLEET, "member": "mailserver-0"}),
    Case("StatusFleetMailNotArchived", {MAIL: "4x30"}, 20, None),
]  # fmt: skip


def test_every_alert_has_a_case_that_fires_and_labels_for_what_it_says() -> None:
    fires = {case.alert: case.labels for case in CASES if case.labels is not None}
    assert fires.keys() == ALERTS.keys()
    for name, rule in ALERTS.items():
        said = set(re.findall(r"\$labels\.(\w+)", json.dumps(rule["annotations"])))
        assert said <= (fires[name] or {}).keys(), name


@needs_helm
@needs_promtool
def test_alerts_fire_when_they_should_and_not_before(tmp_path: Path) -> None:
    group = rules()
    for rule in alerts(group).values():
        del rule["annotations"]  # promtool would compare their text
    (tmp_path / "rules.yaml").write_text(yaml.safe_dump(group))
    found = alerts(group)
    tests = [
        {
            "interval": "1m",
            "input_series": [{"series": s, "values": v} for s, v in case.series.items()],
            "alert_rule_test": [
                {
                    "alertname": case.alert,
                    "eval_time": f"{case.minute}m",
                    "exp_alerts": []
                    if case.labels is None
                    else [{"exp_labels": {**found[case.alert]["labels"], **case.labels}}],
                }
            ],
        }
        for case in CASES
    ]
    document = {"rule_files": ["rules.yaml"], "evaluation_interval": "1m", "tests": tests}
    (tmp_path / "tests.yaml").write_text(yaml.safe_dump(document, sort_keys=False))
    promtool("test", "rules", "tests.yaml", cwd=tmp_path)


# ── how Prometheus and Grafana find it ──


@needs_helm
def test_prometheus_finds_the_operators_and_keeps_the_fleets_own_namespaces() -> None:
    bodies = rendered({"serviceMonitor": {"enabled": True, "labels": {"release": "p"}}})
    (monitor,) = of_kind(bodies, "ServiceMonitor")
    (service,) = of_kind(bodies, "Service")
    wanted = monitor["spec"]["selector"]["matchLabels"]
    assert service["metadata"]["labels"].items() >= wanted.items()
    (endpoint,) = monitor["spec"]["endpoints"]
    assert endpoint["port"] in {port["name"] for port in service["spec"]["ports"]}
    # Else the label `namespace` of a fleet's metrics would be the operator's.
    assert endpoint["honorLabels"] is True
    assert monitor["metadata"]["labels"]["release"] == "p"


@needs_helm
def test_prometheus_finds_the_members_of_all_fleets_and_names_them() -> None:
    enabled = {"podMonitor": {"enabled": True}}
    (monitor,) = of_kind(rendered(enabled), "PodMonitor")
    assert monitor["spec"]["namespaceSelector"] == {"any": True}
    wanted = monitor["spec"]["selector"]["matchExpressions"]
    assert {one["key"] for one in wanted} == {FLEET_LABEL, ROLE_LABEL}
    (endpoint,) = monitor["spec"]["podMetricsEndpoints"]
    sources = {one["targetLabel"]: one["sourceLabels"] for one in endpoint["relabelings"]}
    prefix = "__meta_kubernetes_pod_label_"
    labels = [re.sub(r"\W", "_", label) for label in (FLEET_LABEL, ROLE_LABEL, ORDINAL_LABEL)]
    fleet, role, ordinal = (prefix + label for label in labels)
    assert sources == {"fleet": [fleet], "role": [role], "member": [role, ordinal]}
    (monitor,) = of_kind(rendered({**enabled, "namespaces": ["a", "b"]}), "PodMonitor")
    assert monitor["spec"]["namespaceSelector"] == {"matchNames": ["a", "b"]}


@needs_helm
def test_grafana_s_sidecar_finds_the_dashboard_as_it_is_in_the_chart() -> None:
    values = {"grafanaDashboard": {"enabled": True, "annotations": {"folder": "P2P"}}}
    (body,) = of_kind(rendered(values), "ConfigMap")
    assert body["metadata"]["labels"]["grafana_dashboard"] == "1"
    assert body["metadata"]["annotations"] == {"folder": "P2P"}
    assert json.loads(body["data"]["statusfleet.json"]) == dashboard()


def test_panels_of_the_dashboard_lie_beside_each_other() -> None:
    panels = dashboard()["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    taken = set()
    for panel in panels:
        at = panel["gridPos"]
        assert at["x"] + at["w"] <= 24
        for x in range(at["x"], at["x"] + at["w"]):
            for y in range(at["y"], at["y"] + at["h"]):
                assert (x, y) not in taken, panel["title"]
                taken.add((x, y))
