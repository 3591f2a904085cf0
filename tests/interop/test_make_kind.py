"""`make kind` with the real kind, which reads kind-config.yaml and takes our command lines.

Docker is a fake that writes down what it is told, and makes no container: kind goes no further than
to have told it what to make. That the rest leads to a fleet is shown on a cluster.
"""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

from support import kube_api
from support.documentation import ROOT
from support.go import go_binary

pytestmark = pytest.mark.timeout(900)  # the first run builds kind
IMAGE = "statusfleet.test/statusfleet:dev"
NODES = ("statusfleet-control-plane", "statusfleet-worker", "statusfleet-worker2")
# Docker as kind asks it. It starts nothing, and fails when it was told of all nodes: kind tells it
# of them at once, and gives up with the first that fails.
FAKE = """\
#!/bin/sh
echo "docker $*" >>'{said}'
case "$*" in
"info --format {{json .}}") echo '{"CgroupVersion": "2"}' ;;
"image inspect"*) echo sha256:1 ;;
"inspect "*role*) echo worker ;;
*"containerd config dump")
    echo 'version = 3'
    echo "[plugins.'io.containerd.cri.v1.images']"
    echo "snapshotter = 'native'" ;;
"save "*) : >"$3" ;;
"run "*)
    until [ "$(grep -c '^docker run' '{said}')" -ge 3 ]; do sleep 0.05; done
    exit 1 ;;
esac
"""
THERE = f"""\
case "$*" in
"ps "*.Label*) echo statusfleet ;;
"ps "*) printf '%s\\n' {" ".join(NODES)} ;;
esac
"""


@dataclass(frozen=True, slots=True)
class Run:
    """What came of it: what was printed, and the command lines that Docker got."""

    text: str
    docker: list[str]


def make_kind(folder: Path, fake: str) -> Run:
    """Run what `make kind` runs, with the real programs and that Docker, at which it fails."""
    kind = go_binary(Path(__file__).parent / "kind", "kind", "sigs.k8s.io/kind")
    programs = {name: kube_api.program(name) for name in ("helm", "kubectl")}
    (folder / "bin").mkdir()
    for name, path in {**programs, "kind": str(kind)}.items():
        if path is None:
            pytest.skip(f"needs {name}")
        (folder / "bin" / name).symlink_to(path)
    docker, said = folder / "bin/docker", folder / "said"
    docker.write_text(fake.replace("{said}", str(said)))
    docker.chmod(0o755)
    environment = {
        "HOME": str(folder),
        "IMAGE": IMAGE,
        "KUBECONFIG": str(folder / "config"),
        "PATH": f"{docker.parent}:/usr/bin:/bin",
    }
    command = [str(ROOT / "hack/kind")]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode != 0
    return Run(done.stdout + done.stderr, said.read_text().splitlines())


def test_kind_makes_three_nodes_and_maps_the_port_of_the_tree_s_dns(tmp_path: Path) -> None:
    run = make_kind(tmp_path, FAKE)
    assert 'failed to create cluster: command "docker run' in run.text
    made = {line.split()[3]: line for line in run.docker if line.startswith("docker run --name ")}
    assert sorted(made) == sorted(NODES)
    published = [one for one in made[NODES[0]].split() if one.startswith("--publish=")]
    assert {f"--publish=127.0.0.1:30053:30053/{kind}" for kind in ("TCP", "UDP")} < set(published)


def test_kind_loads_the_image_on_every_node_of_a_cluster_that_is_there(tmp_path: Path) -> None:
    run = make_kind(tmp_path, FAKE + THERE)
    assert not any(line.startswith("docker run") for line in run.docker)
    assert f"docker build --tag {IMAGE} ." in run.docker
    loads = " ".join(line for line in run.docker if " ctr " in line and " import " in line)
    assert all(f" {node} ctr " in loads for node in NODES)
    # Here it ends, since nobody has made the context of that cluster.
    assert "kind-statusfleet" in run.text
