"""The ways to install, on a cluster that has never seen a fleet, from the first command on.

Each test takes the definition away first, and gives it back to the others afterwards: they need a
local cluster for themselves.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from support.chart import CHART
from support.cluster import ROOT, Cluster, eventually
from support.definition import define

DEFINITION = "statusfleets.statusfleet.io"
SYSTEM = "statusfleet-system"
WAIT = ("--wait", "--timeout", "3m")


@dataclass(frozen=True, slots=True)
class Shell:
    """A shell as the README's reader has it: kubectl and helm on PATH, and a cluster."""

    cluster: Cluster
    helm: str
    image: str

    def run(self, *command: str, cwd: Path = ROOT, **environment: str) -> str:
        programs = {str(Path(one).parent) for one in (self.helm, self.cluster.kubectl_program)}
        path = os.pathsep.join([*programs, os.environ["PATH"]])
        given = {**os.environ, "PATH": path, "KUBECONFIG": self.cluster.kubeconfig, **environment}
        done = subprocess.run(
            command, cwd=cwd, env=given, capture_output=True, text=True, check=False, timeout=900
        )
        assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
        return done.stdout

    def install(self, chart: Path | str = CHART, *more: str) -> str:
        """Install the chart as its README says; return the notes."""
        repository, _, tag = self.image.rpartition(":")
        values = ("--set", f"image.repository={repository}", "--set", f"image.tag={tag}")
        where = ("-n", SYSTEM, "--create-namespace")
        return self.run("helm", "install", "statusfleet", str(chart), *where, *values, *more)

    def fleet(self, name: str) -> dict[str, Any]:
        return self.cluster.get("statusfleet", name, "--namespace=default")

    def ready(self, name: str) -> None:
        self.cluster.wait("condition=Ready", f"statusfleet/{name}")

    def pods(self, fleet: str) -> dict[str, str]:
        """Return the members' pods by name, each with what makes it that one and no other."""
        label = f"--selector=statusfleet.io/fleet={fleet},statusfleet.io/role"
        pods = self.cluster.get("pods", "--namespace=default", label)["items"]
        return {
            pod["metadata"]["name"]: pod["metadata"]["uid"]
            + str([one["restartCount"] for one in pod["status"].get("containerStatuses", ())])
            for pod in pods
        }

    def keys(self, fleet: str) -> dict[str, Any]:
        """Return who the fleet's members are: what the Secrets hold that are made once, by name."""
        label = f"--selector=statusfleet.io/fleet={fleet},statusfleet.io/part=identity"
        secrets = self.cluster.get("secrets", "--namespace=default", label)["items"]
        return {secret["metadata"]["name"]: secret["data"] for secret in secrets}

    def has_seen_all(self, name: str) -> bool:
        """Whether the status of a fleet is of its present spec."""
        found = self.fleet(name)
        return bool(found["status"]["observedGeneration"] == found["metadata"]["generation"])

    def has_definition(self) -> bool:
        return self.cluster.ask("get", "crd", DEFINITION).code == 0


@pytest.fixture
def shell(alone: None, cluster: Cluster, helm: str, image: str) -> Iterator[Shell]:
    """A cluster without anything of ours, for this test alone."""
    shell = Shell(cluster, helm, image)
    if cluster.ask("get", "namespace", SYSTEM).code == 0:
        pytest.skip("needs a cluster where nobody has installed the chart")
    if shell.has_definition():
        if any(not _goes(cluster, fleet) for fleet in _fleets(cluster)):
            pytest.skip("needs a cluster without fleets")
        # What other tests have left is on its way, but for what waits for an operator.
        _let_go(cluster)
        eventually(lambda: not _fleets(cluster))
        cluster.kubectl("delete", "crd", DEFINITION)
    try:
        yield shell
    finally:
        _sweep(cluster)
        define(cluster.kubectl_program, cluster.kubeconfig)


def _fleets(cluster: Cluster) -> list[dict[str, Any]]:
    return list(cluster.get("statusfleets", "--all-namespaces")["items"])


def _goes(cluster: Cluster, fleet: dict[str, Any]) -> bool:
    """Whether a fleet is being deleted, or its namespace is."""
    place = cluster.get("namespace", fleet["metadata"]["namespace"])
    return any("deletionTimestamp" in one["metadata"] for one in (fleet, place))


def _let_go(cluster: Cluster) -> None:
    """Delete every fleet, without an operator."""
    for fleet in _fleets(cluster):
        where = (f"--namespace={fleet['metadata']['namespace']}", fleet["metadata"]["name"])
        loose = '--patch={"metadata":{"finalizers":null}}'
        cluster.ask("delete", "statusfleet", *where, "--wait=false")
        cluster.ask("patch", "statusfleet", *where, "--type=merge", loose)


def _sweep(cluster: Cluster) -> None:
    """Take away what a test has left; the order lets nothing hang."""
    if cluster.ask("get", "crd", DEFINITION).code == 0:
        _let_go(cluster)
    everything = "serviceaccounts,clusterroles,clusterrolebindings,roles,rolebindings"
    label = "--selector=app.kubernetes.io/name=statusfleet,app.kubernetes.io/instance"
    cluster.ask("delete", everything, "--all-namespaces", label)
    cluster.ask("delete", "namespace", SYSTEM)
    of_fleets = "statefulsets,deployments,services,secrets,configmaps,persistentvolumeclaims,pods"
    cluster.ask("delete", of_fleets, "--namespace=default", "--selector=statusfleet.io/fleet")


def _commands(notes: str) -> str:
    """Return what notes tell to type: every indented line."""
    return "\n".join(re.findall(r"^  .*$", notes, re.MULTILINE))


def test_the_first_command_and_those_of_the_notes_lead_to_a_fleet_and_to_its_end(
    shell: Shell,
) -> None:
    said = shell.run("sh", "-ec", _commands(shell.install()))
    assert 'deployment "statusfleet" successfully rolled out' in said
    assert "Phase:          Succeeded" in said
    assert "AllReady" in said
    members, pods = shell.fleet("first")["status"]["members"], shell.pods("first")
    keys = shell.keys("first")
    assert len(members) == len(pods) == 2

    # Without the operator they go on, and the next one takes them up as they are.
    shell.run("helm", "uninstall", "statusfleet", "-n", SYSTEM, *WAIT)
    assert shell.fleet("first")
    assert shell.pods("first") == pods
    shell.install(CHART, *WAIT)
    # What stands in the status is the last operator's word until the next one has seen an edit.
    edit = ("--type=merge", '--patch={"spec":{"datacenter":"do-ams3"}}')
    shell.cluster.kubectl("patch", "statusfleet", "first", "--namespace=default", *edit)
    eventually(lambda: shell.has_seen_all("first"))
    assert shell.fleet("first")["status"]["members"] == members
    assert shell.keys("first") == keys
    assert shell.pods("first") == pods

    # With the definition, fleets go too, while there is somebody to see them off.
    upgrade = ("helm", "upgrade", "statusfleet", str(CHART), "-n", SYSTEM, "--reuse-values")
    shell.run(*upgrade, "--set", "crds.keep=false", *WAIT)
    shell.run("helm", "uninstall", "statusfleet", "-n", SYSTEM, *WAIT)
    assert not shell.has_definition()
    eventually(lambda: not shell.pods("first"))


def _older(folder: Path) -> Path:
    """A pretended predecessor of the chart: another version, and a definition with a field less."""
    chart = folder / "statusfleet"
    shutil.copytree(CHART, chart)
    about = yaml.safe_load((chart / "Chart.yaml").read_text())
    about |= {"version": "0.0.9", "appVersion": "0.0.9"}
    (chart / "Chart.yaml").write_text(yaml.safe_dump(about))
    path = chart / f"files/{DEFINITION}.yaml"
    definition = yaml.safe_load(path.read_text())
    (version,) = definition["spec"]["versions"]
    version["additionalPrinterColumns"] = version["additionalPrinterColumns"][:1]
    del version["schema"]["openAPIV3Schema"]["properties"]["spec"]["properties"]["datacenter"]
    head = {key: definition.pop(key) for key in ("apiVersion", "kind")}
    name = {"metadata": {"name": definition.pop("metadata")["name"]}}
    parts = [yaml.safe_dump(part, sort_keys=False) for part in (head, name, definition)]
    path.write_text("".join(parts))
    return chart


def test_an_upgrade_brings_the_new_definition_and_restarts_no_member(
    shell: Shell, tmp_path: Path
) -> None:
    shell.install(_older(tmp_path), *WAIT)
    spec = {"roles": {"relayer": {"replicas": 2}}}
    fleet = {
        "apiVersion": "statusfleet.io/v1alpha1",
        "kind": "StatusFleet",
        "metadata": {"name": "old"},
        "spec": spec,
    }
    shell.cluster.create(fleet, namespace="default")
    shell.ready("old")
    pods, keys, before = shell.pods("old"), shell.keys("old"), shell.fleet("old")
    later = {**fleet, "spec": {**spec, "datacenter": "do-ams3"}}
    strict = ("--namespace=default", "--validate=strict")
    assert 'unknown field "spec.datacenter"' in shell.cluster.apply([later], *strict).err

    # The same program under another name is another image to everybody.
    repository = "statusfleet.test/upgraded"
    shell.cluster.machine("image", str(ROOT), f"{repository}:next")
    image = ("--set", f"image.repository={repository},image.tag=next")
    upgrade = ("helm", "upgrade", "statusfleet", str(CHART), "-n", SYSTEM, "--reuse-values")
    shell.run(*upgrade, *image, *WAIT)
    operator = shell.cluster.get("pods", f"--namespace={SYSTEM}")["items"]
    images = [pod["spec"]["containers"][0]["image"] for pod in operator]
    assert f"{repository}:next" in images
    pending = "condition=UpdatePending"
    shell.cluster.wait(pending, "statusfleet/old")
    after = shell.fleet("old")
    assert shell.pods("old") == pods
    assert after["status"]["image"] == before["status"]["image"] == shell.image
    assert shell.keys("old") == keys
    assert shell.cluster.apply([later], *strict).code == 0


def test_one_plain_file_leads_to_a_fleet_and_goes_as_its_readme_says(shell: Shell) -> None:
    shell.run("make", "manifests", f"IMAGE={shell.image}")
    shell.run("kubectl", "apply", "-f", "dist/statusfleet.yaml")
    shell.run("kubectl", "apply", "-n", "default", "-f", "examples/kind.yaml")
    for condition in ("Ready", "TreePropagated", "CanaryPassing"):
        shell.cluster.wait(f"condition={condition}", "statusfleet/demo")
    assert shell.run("kubectl", "diff", "-f", "dist/statusfleet.yaml") == ""
    shell.run("kubectl", "delete", "statusfleets", "--all", "--all-namespaces")
    shell.run("kubectl", "delete", "-f", "dist/statusfleet.yaml")
    assert not shell.has_definition()


def test_make_kind_leads_to_a_fleet_and_may_be_said_again(shell: Shell, tmp_path: Path) -> None:
    """Docker and kind are fakes that write down what they are told; the cluster is a real one."""
    said = tmp_path / "said"
    for program in ("docker", "kind"):
        fake = tmp_path / "bin" / program
        fake.parent.mkdir(exist_ok=True)
        fake.write_text(f'#!/bin/sh\necho "{program} $*" >> {said}\n')
        fake.chmod(0o755)
    # The context that kind would have made.
    config = yaml.safe_load(Path(shell.cluster.kubeconfig).read_text())
    config["contexts"][0]["name"] = "kind-statusfleet"
    config["current-context"] = "kind-statusfleet"
    (tmp_path / "config").write_text(yaml.safe_dump(config))
    mark = ("configmap", "statusfleet-test-cluster", "--namespace=kube-public")
    shell.cluster.kubectl("delete", *mark)  # kind makes a new cluster, without it
    path = (
        f"{tmp_path / 'bin'}{os.pathsep}{Path(shell.helm).parent}{os.pathsep}{os.environ['PATH']}"
    )
    environment = {"PATH": path, "KUBECONFIG": str(tmp_path / "config"), "IMAGE": shell.image}
    try:
        printed = shell.run("make", "kind", **environment)
    finally:
        shell.cluster.ask("create", *mark)
    assert "statusfleet.statusfleet.io/demo condition met" in printed
    create = "kind create cluster --config kind-config.yaml --wait 3m"
    load = [f"docker build --tag {shell.image} .", "docker info"]
    wanted = ["docker info", "kind get clusters", create, load[0]]
    wanted += [f"kind load docker-image {shell.image} --name statusfleet"]
    assert said.read_text().splitlines() == wanted
    # The tree answers at the port that kind-config.yaml maps.
    node = shell.cluster.get("nodes")["items"][0]["status"]["addresses"][0]["address"]
    asked = ("dig", "+short", f"@{node}", "-p", "30053", "TXT", "nodes.demo.test")
    assert "enrtree-root:v1" in shell.run(*asked)

    pods = shell.pods("demo")
    fake = tmp_path / "bin/kind"
    fake.write_text(f'#!/bin/sh\necho "kind $*" >> {said}\necho statusfleet\n')
    shell.run("make", "kind", **environment)
    assert said.read_text().splitlines().count(create) == 1
    assert shell.pods("demo") == pods
