"""The tutorial on kind is true: its commands are typed one by one, and print what it shows.

What `make kind` does before the first of them is done here for a namespace of the test's own: an
operator, the example, the way to its DNS servers from outside.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import yaml

from statusfleet.kube import KubeClient
from statusfleet.kube.kinds import SERVICE
from support.cluster import ROOT, Cluster
from support.documentation import Document, matches
from support.operator_process import operator
from support.ports import free_port
from support.terminal import Shell, environment, shell

TUTORIAL = Document(ROOT / "docs/tutorial-kind.md")
IMAGE = "statusfleet.test/statusfleet:dev"
OUTSIDE = """
apiVersion: v1
kind: Service
metadata: {name: demo-dns-outside}
spec:
  type: NodePort
  selector: {statusfleet.io/fleet: demo, statusfleet.io/part: dns}
  ports:
  - {name: dns-udp, protocol: UDP, port: 53, targetPort: 5353}
  - {name: dns-tcp, protocol: TCP, port: 53, targetPort: 5353}
"""
# What differs from cluster to cluster and from run to run, besides what every document's does.
_CHANGING = (
    (re.compile(r"[\d.]+(?= ms)"), "0"),
    (re.compile(r"(?<=seq)[ =]\d+"), " N"),  # a slow start costs versions of the tree
    (re.compile(r"(?<=-)[0-9a-f]{8,10}-[a-z0-9]{5}\b"), "POD"),
    (re.compile(r"pvc-[0-9a-f-]{36}"), "VOLUME"),
    (re.compile(r"\b(?:\d+[dhms])+\b"), "AGE"),  # after those that may hold what looks like one
    (re.compile(r"(?m) +$"), ""),
)


def same(text: str) -> str:
    for changing, standing in _CHANGING:
        text = changing.sub(standing, text)
    return text


def _kubeconfig(cluster: Cluster, namespace: str, folder: Path) -> str:
    """Write a kubeconfig whose context is in that namespace; return its path."""
    config = yaml.safe_load(Path(cluster.kubeconfig).read_text())
    for context in config["contexts"]:
        context["context"]["namespace"] = namespace
    (folder / "kubeconfig").write_text(yaml.safe_dump(config))
    return str(folder / "kubeconfig")


@pytest.fixture
async def place(
    cluster: Cluster,
    definition: str,
    client: KubeClient,
    namespace: str,
    image: str,
    tmp_path: Path,
) -> AsyncIterator[tuple[Shell, dict[str, str]]]:
    """A shell before a cluster as `make kind` leaves it; what is called otherwise there."""
    for program in ("curl", "jq", "dig"):
        if shutil.which(program) is None:
            pytest.skip(f"needs {program}")
    shutil.copytree(ROOT / "examples", tmp_path / "examples")
    env = environment(tmp_path) | {"KUBECONFIG": _kubeconfig(cluster, namespace, tmp_path)}
    env["PATH"] = f"{Path(cluster.kubectl_program).parent}:{env['PATH']}"
    manifest = (tmp_path / "examples/kind.yaml").read_text()
    cluster.kubectl("apply", f"--namespace={namespace}", "--filename=-", text=manifest)
    cluster.kubectl("apply", f"--namespace={namespace}", "--filename=-", text=OUTSIDE)
    outside = await client.get(SERVICE, namespace, "demo-dns-outside")
    node = cluster.get("nodes")["items"][0]["status"]["addresses"]
    address = next(one["address"] for one in node if one["type"] == "InternalIP")
    port, first, second = outside["spec"]["ports"][0]["nodePort"], free_port(), free_port()
    otherwise = {
        "127.0.0.1:30053": f"{address}:{port}",
        "@127.0.0.1 -p 30053": f"@{address} -p {port}",
        " 8545:8545": f" {first}:8545",
        " 8546:8545": f" {second}:8545",
        "R0=http://127.0.0.1:8545": f"R0=http://127.0.0.1:{first}",
        "R1=http://127.0.0.1:8546": f"R1=http://127.0.0.1:{second}",
        "default/": f"{namespace}/",
        "default namespace": f"{namespace} namespace",
        IMAGE: image,
    }
    async with (
        operator(tmp_path, cluster.kubeconfig, namespace, image),
        shell(tmp_path, env) as opened,
    ):
        cluster.wait("condition=CanaryPassing", "statusfleet/demo", namespace=namespace)
        try:
            yield opened, otherwise
        finally:
            # Whatever still writes to the shell's output would keep it from ending.
            await opened.run("kill $(jobs -p); kubectl delete statusfleet demo")


async def test_the_tutorial_on_kind_works_command_by_command(
    place: tuple[Shell, dict[str, str]],
) -> None:
    opened, otherwise = place

    def here(text: str) -> str:
        for documented, called in otherwise.items():
            text = text.replace(documented, called)
        return text

    for step in TUTORIAL.steps:
        await prints(opened, here(step.command), same(here(step.output)))


async def prints(opened: Shell, command: str, documented: str) -> None:
    """Run a command, again and again where its output is not yet what the tutorial says."""
    output = await opened.until(command, lambda text: matches(documented, same(text)))
    assert matches(documented, same(output)), f"$ {command}\n{output}"
