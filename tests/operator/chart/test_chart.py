"""What the chart makes of its values, as helm renders it."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

import statusnode
from statusfleet.worlds.kubernetes.networkpolicy import OPERATOR
from support.chart import CHART, helm, needs_helm, of_kind, rendered

CRD = Path(__file__).parents[3] / "crds/statusfleets.statusfleet.io.yaml"
EVERYTHING = {
    "namespaces": ["one", "two"],
    "replicas": 2,
    "podDisruptionBudget": {"enabled": True},
    "networkPolicy": {"enabled": True},
    "grafanaDashboard": {"enabled": True},
    "podMonitor": {"enabled": True},
    "prometheusRule": {"enabled": True},
    "serviceMonitor": {"enabled": True},
    "uninstall": {"fleets": "Delete"},
    "operator": {
        "dialLoadBalancersFrom": "MemberNode",
        "extraArgs": ["--verbose"],
        "publishUnreachable": True,
    },
    "extraObjects": [{"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "more"}}],
}


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
def test_how_long_an_unready_member_stays_is_a_value() -> None:
    for values, seconds in (({}, 60), ({"operator": {"unreadyGraceSeconds": 0}}, 0)):
        (deployment,) = of_kind(rendered(values), "Deployment")
        (container,) = deployment["spec"]["template"]["spec"]["containers"]
        assert f"--unready-grace={seconds}" in container["args"]


@needs_helm
def test_who_dials_load_balancers_is_a_value() -> None:
    option = "--dial-load-balancers-from=member-node"
    for place in ("Operator", "MemberNode"):
        bodies = rendered({"operator": {"dialLoadBalancersFrom": place}})
        (deployment,) = of_kind(bodies, "Deployment")
        (container,) = deployment["spec"]["template"]["spec"]["containers"]
        assert (option in container["args"]) == (place == "MemberNode")


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
def test_whoever_may_read_the_metrics_helm_s_test_may() -> None:
    monitors = {"namespaceSelector": {"matchLabels": {"purpose": "monitoring"}}}
    bodies = rendered({"networkPolicy": {"enabled": True, "from": [monitors]}})
    (policy,) = of_kind(bodies, "NetworkPolicy")
    own, given = policy["spec"]["ingress"][0]["from"]
    assert given == monitors
    (pod,) = [body for body in bodies if body["kind"] == "Pod"]
    assert pod["metadata"]["labels"].items() >= own["podSelector"]["matchLabels"].items()
    (policy,) = of_kind(rendered({"networkPolicy": {"enabled": True}}), "NetworkPolicy")
    assert "from" not in policy["spec"]["ingress"][0]


@needs_helm
def test_the_way_out_is_open_unless_it_is_said_what_may_be_reached() -> None:
    dns = {"ports": [{"port": 53, "protocol": "UDP"}]}
    for egress, types in (([], ["Ingress"]), ([dns], ["Egress", "Ingress"])):
        bodies = rendered({"networkPolicy": {"enabled": True, "egress": egress}})
        (policy,) = of_kind(bodies, "NetworkPolicy")
        assert policy["spec"]["policyTypes"] == types
        assert policy["spec"].get("egress", []) == egress


@needs_helm
def test_labels_of_all_objects_never_change_what_is_selected_by() -> None:
    own = {"app.kubernetes.io/name": "other", "app.kubernetes.io/component": "other"}
    bodies = rendered({"commonLabels": {**own, "team": "p2p"}})
    assert {body["metadata"]["labels"]["team"] for body in bodies} == {"p2p"}
    (deployment,) = of_kind(bodies, "Deployment")
    (service,) = of_kind(bodies, "Service")
    labels = deployment["spec"]["template"]["metadata"]["labels"]
    assert labels.items() >= deployment["spec"]["selector"]["matchLabels"].items()
    assert labels.items() >= service["spec"]["selector"].items()
    for body in bodies:
        if "helm.sh/hook" in body["metadata"].get("annotations", {}):
            assert "app.kubernetes.io/component" not in body["metadata"]["labels"]


@needs_helm
def test_names_that_look_like_numbers_are_names() -> None:
    values = {**EVERYTHING, "namespaces": ["7"], "fullnameOverride": "fleets"}
    found = helm("template", "1e3", str(CHART), "--namespace", "456", values=values)
    for body in yaml.safe_load_all(found.stdout):
        metadata = body["metadata"]
        assert metadata.get("namespace", "456") in {"456", "7"}, body["kind"]
        assert metadata.get("labels", {}).get("app.kubernetes.io/instance", "1e3") == "1e3"


@needs_helm
def test_without_its_roles_the_chart_binds_nothing() -> None:
    for values in ({}, EVERYTHING):
        kinds = {body["kind"] for body in rendered({**values, "rbac": {"create": False}})}
        assert not kinds & {"ClusterRole", "ClusterRoleBinding", "Role", "RoleBinding"}


@needs_helm
def test_with_a_list_of_namespaces_only_nodes_are_read_in_the_whole_cluster() -> None:
    bodies = rendered({"namespaces": ["one", "two"], "rbac": {"aggregate": False}})
    (role,) = of_kind(bodies, "ClusterRole")
    assert role["rules"] == [
        {"apiGroups": [""], "resources": ["nodes"], "verbs": ["list", "watch"]}
    ]
    places = [body["metadata"]["namespace"] for body in of_kind(bodies, "Role")]
    assert sorted(places) == ["one", "system", "two"]
    (deployment,) = of_kind(bodies, "Deployment")
    arguments = deployment["spec"]["template"]["spec"]["containers"][0]["args"]
    assert {"--namespace=one", "--namespace=two", "--lease-namespace=system"} <= set(arguments)


@needs_helm
def test_a_server_that_does_not_know_the_rules_of_the_definition_is_refused() -> None:
    for version, taken in (("v1.28.15", False), ("v1.29.0-eks-1", True), ("v1.34.4", True)):
        found = helm("template", "x", str(CHART), "--kube-version", version)
        assert (found.returncode == 0) is taken, version


@needs_helm
def test_whatever_else_is_wanted_gets_into_the_operator_s_pod() -> None:
    one = {"name": "x"}
    values = {
        "commonLabels": {"team": "p2p"},
        "deploymentAnnotations": {"a": "deployment"},
        "extraContainers": [{**one, "image": "i"}],
        "extraEnv": [{**one, "value": "y"}],
        "extraEnvFrom": [{"configMapRef": one}],
        "extraInitContainers": [{**one, "image": "i"}],
        "extraObjects": ["kind: A{{ .Release.Namespace }}", {"kind": "B", "metadata": one}],
        "extraVolumeMounts": [{**one, "mountPath": "/x"}],
        "extraVolumes": [{**one, "emptyDir": {}}],
        "imagePullSecrets": [one],
        "nodeSelector": {"disk": "ssd"},
        "operator": {"extraArgs": ["--context=x"]},
        "podAnnotations": {"a": "pod"},
        "podLabels": {"l": "pod", "app.kubernetes.io/name": "another"},
        "priorityClassName": "system-cluster-critical",
        "resources": {"limits": {"cpu": "1"}},
        "tolerations": [{"operator": "Exists"}],
        "topologySpreadConstraints": [{"maxSkew": 1}],
    }
    text = helm("template", "statusfleet", str(CHART), "-n", "system", values=values).stdout
    bodies = [body for body in yaml.safe_load_all(text) if body]
    assert {"Asystem", "B"} <= {body["kind"] for body in bodies}
    (deployment,) = of_kind(bodies, "Deployment")
    assert deployment["metadata"]["annotations"] == {"a": "deployment"}
    assert deployment["metadata"]["labels"]["team"] == "p2p"
    metadata, pod = (deployment["spec"]["template"][key] for key in ("metadata", "spec"))
    assert metadata["annotations"] == {"a": "pod"}
    # Fleets let the operator in by its name, which nobody changes.
    assert (
        metadata["labels"].items() >= {"l": "pod", "app.kubernetes.io/name": "statusfleet"}.items()
    )
    operator, beside = pod["containers"]
    assert beside == values["extraContainers"][0]
    assert operator["args"][-1] == "--context=x"
    for key in ("nodeSelector", "priorityClassName", "tolerations", "topologySpreadConstraints"):
        assert pod[key] == values[key]
    assert pod["imagePullSecrets"] == [one]
    assert pod["initContainers"] == values["extraInitContainers"]
    assert pod["volumes"] == values["extraVolumes"]
    for key, value in (("env", "extraEnv"), ("envFrom", "extraEnvFrom")):
        assert operator[key] == values[value]
    assert operator["volumeMounts"] == values["extraVolumeMounts"]
    assert operator["resources"]["limits"]["cpu"] == "1"


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


# ── what is said of it ──


def _leaves(values: Any, path: str = "") -> dict[str, Any]:
    """Return the values that can be set one by one, by their path."""
    if not isinstance(values, dict) or not values:
        return {path: values}
    found: dict[str, Any] = {}
    for key, value in values.items():
        found |= _leaves(value, f"{path}.{key}" if path else key)
    return found


def _documented() -> dict[str, Any]:
    """Return what README.md says of values: their defaults, by path."""
    rows = re.findall(
        r"^\| `([\w.]+)` \| `(.*?)` \| \S.* \|$", (CHART / "README.md").read_text(), re.MULTILINE
    )
    return _leaves({key: json.loads(default) for key, default in rows})


def test_every_value_is_documented_with_its_default() -> None:
    values = yaml.safe_load((CHART / "values.yaml").read_text())
    assert _documented() == _leaves(values)


@needs_helm
def test_every_value_of_a_wrong_type_is_refused_by_name() -> None:
    def wrong(values: Any) -> Any:
        if isinstance(values, dict) and values:
            return {key: wrong(value) for key, value in values.items()}
        return [["neither a text nor a number nor an object"]]

    values = yaml.safe_load((CHART / "values.yaml").read_text())
    for free in ("podSecurityContext", "resources", "securityContext"):
        values[free] = {}  # whatever Kubernetes takes
    found = helm("template", "statusfleet", str(CHART), values=wrong(values))
    assert found.returncode != 0
    named = set(re.findall(r"'/([\w/]+)'", found.stderr))
    missing = {
        path
        for path in (key.replace(".", "/") for key in _leaves(values))
        if not any(one == path or one.startswith(f"{path}/") for one in named)
    }
    assert not missing, found.stderr


@needs_helm
def test_every_misspelt_value_is_refused_by_name() -> None:
    values = yaml.safe_load((CHART / "values.yaml").read_text())
    free = {"podSecurityContext", "resources", "securityContext"}
    groups = {key for key, value in values.items() if isinstance(value, dict) and value} - free
    given = {"enabeld": True, **{key: {"enabeld": True} for key in groups}}
    found = helm("template", "statusfleet", str(CHART), values=given)
    assert found.returncode != 0
    for path in ["", *(f"/{key}" for key in groups)]:
        assert re.search(rf"at '{path}': .*enabeld", found.stderr), found.stderr
