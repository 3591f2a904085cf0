"""What the chart makes of its values, as helm renders it."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

import statusnode
from statusfleet.worlds.kubernetes.networkpolicy import OPERATOR
from support import kube_api

ROOT = Path(__file__).parents[3]
CHART = ROOT / "charts/statusfleet"
CRD = ROOT / "crds/statusfleets.statusfleet.io.yaml"
HELM = kube_api.program("helm") or shutil.which("helm")
needs_helm = pytest.mark.skipif(HELM is None, reason="needs helm")
EVERYTHING = {
    "namespaces": ["one", "two"],
    "replicas": 2,
    "podDisruptionBudget": {"enabled": True},
    "networkPolicy": {"enabled": True},
    "serviceMonitor": {"enabled": True},
    "uninstall": {"fleets": "Delete"},
    "operator": {"extraArgs": ["--verbose"], "publishUnreachable": True},
    "extraObjects": [{"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "more"}}],
}


def helm(*arguments: str, values: dict[str, Any] | None = None) -> subprocess.CompletedProcess[str]:
    command = [str(HELM), *arguments, "--values", "-"]
    return subprocess.run(
        command, input=json.dumps(values or {}), capture_output=True, text=True, check=False
    )


def rendered(values: dict[str, Any] | None = None) -> list[dict[str, Any]]:
    found = helm("template", "statusfleet", str(CHART), "--namespace", "system", values=values)
    assert found.returncode == 0, found.stderr
    return [body for body in yaml.safe_load_all(found.stdout) if body]


def of_kind(bodies: list[dict[str, Any]], kind: str) -> list[dict[str, Any]]:
    """Return the objects of a kind that are no hooks."""
    return [
        body
        for body in bodies
        if body["kind"] == kind and "helm.sh/hook" not in body["metadata"].get("annotations", {})
    ]


def test_the_chart_carries_the_definition_and_the_version_of_this_tree() -> None:
    assert (CHART / "files" / CRD.name).read_text() == CRD.read_text()
    chart = yaml.safe_load((CHART / "Chart.yaml").read_text())
    assert (chart["version"], chart["appVersion"]) == (statusnode.__version__,) * 2


@needs_helm
@pytest.mark.parametrize("values", [{}, EVERYTHING], ids=["defaults", "everything"])
def test_helm_finds_nothing_to_say(values: dict[str, Any]) -> None:
    found = helm("lint", "--strict", str(CHART), values=values)
    assert found.returncode == 0, found.stdout


@needs_helm
def test_the_definition_is_as_generated_but_for_what_helm_needs() -> None:
    (definition,) = of_kind(rendered(), "CustomResourceDefinition")
    assert definition["spec"] == yaml.safe_load(CRD.read_text())["spec"]
    assert definition["metadata"]["annotations"] == {"helm.sh/resource-policy": "keep"}
    (definition,) = of_kind(rendered({"crds": {"keep": False}}), "CustomResourceDefinition")
    assert "annotations" not in definition["metadata"]
    assert not of_kind(rendered({"crds": {"enabled": False}}), "CustomResourceDefinition")


@needs_helm
def test_the_operator_is_called_statusfleet_and_fleets_let_its_pods_in() -> None:
    (deployment,) = of_kind(rendered({"image": {"repository": "r/i", "tag": "t"}}), "Deployment")
    assert deployment["metadata"]["name"] == "statusfleet"
    template = deployment["spec"]["template"]
    assert template["metadata"]["labels"].items() >= OPERATOR.items()
    (container,) = template["spec"]["containers"]
    assert container["image"] == "r/i:t"
    assert "--image=r/i:t" in container["args"]


@needs_helm
@pytest.mark.parametrize("values", [{}, EVERYTHING], ids=["defaults", "everything"])
def test_rights_are_in_order_and_never_everything(values: dict[str, Any]) -> None:
    for body in rendered(values):
        if body["kind"] not in {"ClusterRole", "Role"}:
            continue
        for rule in body["rules"]:
            assert "*" not in rule["verbs"] + rule["resources"] + rule["apiGroups"]
            assert rule["verbs"] == sorted(rule["verbs"])
            assert rule["resources"] == sorted(rule["resources"])


@needs_helm
def test_with_a_list_of_namespaces_only_nodes_are_read_in_the_whole_cluster() -> None:
    bodies = rendered({"namespaces": ["one", "two"], "rbac": {"aggregate": False}})
    (role,) = of_kind(bodies, "ClusterRole")
    assert role["rules"] == [
        {"apiGroups": [""], "resources": ["nodes"], "verbs": ["list", "watch"]}
    ]
    places = [body["metadata"]["namespace"] for body in of_kind(bodies, "Role")]
    assert sorted(places) == ["one", "one", "two"]
    (deployment,) = of_kind(bodies, "Deployment")
    arguments = deployment["spec"]["template"]["spec"]["containers"][0]["args"]
    assert {"--namespace=one", "--namespace=two", "--lease-namespace=one"} <= set(arguments)


@needs_helm
@pytest.mark.parametrize(
    ("values", "hook", "option"),
    [
        ({}, "post-delete", "--keep"),
        ({"uninstall": {"fleets": "Delete"}}, "pre-delete", "--delete"),
        ({"crds": {"keep": False}}, "pre-delete", "--delete"),
    ],
)
def test_fleets_go_before_the_operator_or_are_let_go_after_it(
    values: dict[str, Any], hook: str, option: str
) -> None:
    (job,) = [body for body in rendered(values) if body["kind"] == "Job"]
    assert job["metadata"]["annotations"]["helm.sh/hook"] == hook
    assert option in job["spec"]["template"]["spec"]["containers"][0]["args"]


@needs_helm
@pytest.mark.parametrize(
    "values",
    [
        {"replica": 2},
        {"image": {"digest": "latest"}},
        {"namespaces": ["Not a name"]},
        {"operator": {"parallel": 0}},
        {"uninstall": {"fleets": "Perhaps"}},
    ],
    ids=lambda values: next(iter(values)),
)
def test_wrong_values_are_refused_by_name(values: dict[str, Any]) -> None:
    found = helm("template", "statusfleet", str(CHART), values=values)
    assert found.returncode != 0
    assert next(iter(values)) in found.stderr
