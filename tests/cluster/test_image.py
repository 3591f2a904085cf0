"""The image itself: both commands, and nothing that a node or an operator has no use for."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from support.cluster import Answer, Cluster
from support.cluster_nodes import RESTRICTED_CONTAINER, RESTRICTED_POD

MAX_BYTES = 60_000_000  # compressed, over the base
# What the last stage adds: the virtual environment, and the standard library's bytecode.
ADDED = """
library=$(python -c 'import os; print(os.path.dirname(os.__file__))')
bytecode=$(find "$library" -name __pycache__ -not -path '*-packages/*')
tar -cz /opt/statusfleet $bytecode | wc -c
"""
MANIFEST = """
apiVersion: statusfleet.io/v1alpha1
kind: StatusFleet
metadata: {name: small}
spec: {roles: {relayer: {}}}
"""
BYTECODE = """
import importlib.util, json, pathlib
import cryptography, statusfleet, statusnode
for module in (cryptography, json, statusfleet, statusnode):
    compiled = pathlib.Path(importlib.util.cache_from_source(module.__file__))
    # Bytes 4 to 8 are the flags of PEP 552: 1 means by hash, and not to be checked.
    assert compiled.read_bytes()[4] == 1 or module is json, module
"""


class Shell:
    """A pod of the image that waits for commands."""

    def __init__(self, cluster: Cluster, namespace: str) -> None:
        self._cluster = cluster
        self._into = f"--namespace={namespace}"

    def __call__(self, *command: str, text: str = "") -> Answer:
        return self._cluster.ask("exec", "-i", "look", self._into, "--", *command, text=text)


@pytest.fixture(scope="module")
def shell(cluster: Cluster, namespace: str, image: str) -> Iterator[Shell]:
    container = {
        "name": "look",
        "image": image,
        "command": ["sleep", "3600"],
        "securityContext": RESTRICTED_CONTAINER,
    }
    spec = {
        "automountServiceAccountToken": False,
        "securityContext": RESTRICTED_POD,
        "terminationGracePeriodSeconds": 0,
        "containers": [container],
    }
    document = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "look"}, "spec": spec}
    cluster.create(document, namespace=namespace)
    cluster.wait("condition=Ready", "pod/look", namespace=namespace)
    yield Shell(cluster, namespace)
    cluster.kubectl("delete", "pod/look", f"--namespace={namespace}", "--wait=false")


@pytest.mark.parametrize(
    ("command", "text"),
    [
        (("statusd", "-version"), ""),
        (("statusfleet", "--version"), ""),
        (("statusfleet", "validate", "/dev/stdin"), MANIFEST),
    ],
    ids=lambda value: " ".join(value[:2]) if isinstance(value, tuple) else "",
)
def test_a_command_runs(shell: Shell, command: tuple[str, ...], text: str) -> None:
    answer = shell(*command, text=text)
    assert answer.code == 0, answer.err


@pytest.mark.parametrize("program", ["pip", "pip3", "cc", "gcc", "g++", "make"])
def test_a_tool_of_builders_is_not_there(shell: Shell, program: str) -> None:
    assert shell("sh", "-c", f"command -v {program}").code != 0


@pytest.mark.parametrize("python", ["/opt/statusfleet/bin/python", "/usr/local/bin/python"])
def test_no_python_has_pip(shell: Shell, python: str) -> None:
    answer = shell(python, "-m", "pip", "--version")
    assert answer.code == 1
    assert "No module named pip" in answer.err


def test_bytecode_is_there_since_nothing_can_be_written(shell: Shell) -> None:
    answer = shell("python", "-c", BYTECODE)
    assert answer.code == 0, answer.err


def test_what_we_add_to_the_base_stays_small(shell: Shell) -> None:
    assert int(shell("sh", "-c", ADDED).out) < MAX_BYTES


def test_it_runs_as_an_ordinary_user_from_its_own_environment_and_writes_nowhere(
    shell: Shell,
) -> None:
    assert shell("id", "-u").out.strip() == "65532"
    assert shell("python", "-c", "import sys; print(sys.prefix)").out.strip() == "/opt/statusfleet"
    assert "Read-only" in shell("touch", "/opt/statusfleet/x", "/x").err
