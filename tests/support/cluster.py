"""The Kubernetes cluster that tests run on, as `CLUSTER` names it, and kubectl for it.

    local    the one of hack/cluster (which CLUSTER_NUMBER names, of several); started, and stopped
             at the end, unless it runs already
    kind     the one that `make kind` made
    current  the current context of your kubectl; only here is no mark asked for

A cluster made for tests carries a mark. Without it nothing is done to a cluster: a kubeconfig may
lead anywhere.
"""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO

import pytest

ROOT = Path(__file__).parents[2]
LOCAL = ROOT / "hack/cluster/cluster"
_STARTED_BY_TESTS = "started-by-tests"
KIND_NAME = "statusfleet"
MARK = "statusfleet-test-cluster"
PATIENCE_SECONDS = 180

Json = dict[str, Any]


class ForeignClusterError(Exception):
    """A cluster without the mark of one that was made for tests."""


class KubectlError(Exception):
    """kubectl failed; the message holds what it said."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What kubectl said."""

    code: int
    out: str
    err: str


@dataclass(frozen=True, slots=True)
class Cluster:
    """A cluster, and how to ask it."""

    kind: str
    kubectl_program: str
    kubeconfig: str
    users: TextIO | None = None

    @property
    def audit_log(self) -> Path:
        """Where a local cluster tells of every write."""
        return Path(self.kubeconfig).parent / "log/audit.log"

    def ask(self, *arguments: str, text: str | None = None) -> Answer:
        """Run kubectl with `text` on its standard input, and return whatever it says."""
        done = subprocess.run(
            [self.kubectl_program, f"--kubeconfig={self.kubeconfig}", *arguments],
            input=text,
            stdin=subprocess.DEVNULL if text is None else None,
            capture_output=True,
            text=True,
            check=False,
            timeout=PATIENCE_SECONDS + 30,
        )
        return Answer(done.returncode, done.stdout, done.stderr)

    def kubectl(self, *arguments: str, text: str | None = None) -> str:
        """Run kubectl and return its output.

        Raises:
            KubectlError: it failed.
        """
        answer = self.ask(*arguments, text=text)
        if answer.code:
            raise KubectlError(f"kubectl {' '.join(arguments)}\n{answer.err}")
        return answer.out

    def get(self, *arguments: str) -> Json:
        """Return what `kubectl get` finds, as JSON."""
        found: Json = json.loads(self.kubectl("get", *arguments, "--output=json"))
        return found

    def apply(self, documents: Sequence[Mapping[str, Any]], *flags: str) -> Answer:
        """Apply documents as a user does, and return whatever kubectl says."""
        listed = {"apiVersion": "v1", "kind": "List", "items": list(documents)}
        text = json.dumps(documents[0] if len(documents) == 1 else listed)
        return self.ask("apply", "--filename=-", *flags, text=text)

    def create(self, *documents: Mapping[str, Any], namespace: str) -> None:
        """Apply documents that must be taken."""
        answer = self.apply(documents, f"--namespace={namespace}")
        assert answer.code == 0, answer.err

    def wait(self, condition: str, *objects: str, namespace: str = "default") -> None:
        """Wait until a condition of objects holds."""
        what = (f"--for={condition}", f"--timeout={PATIENCE_SECONDS}s", *objects)
        self.kubectl("wait", f"--namespace={namespace}", *what)

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Have the local cluster for oneself, to break it; skip where that cannot be."""
        if self.users is None:
            pytest.skip("needs CLUSTER=local, whose machines a test can stop")
        if not _is_alone(self.users):
            pytest.skip("needs a cluster that nobody else uses at the same time")
        try:
            yield
        finally:
            fcntl.flock(self.users, fcntl.LOCK_SH)

    def machine(self, *arguments: str) -> None:
        """Do something to the machines that a local cluster pretends, such as `stop-node 2`."""
        _run(str(LOCAL), *arguments)

    @contextmanager
    def namespace(self, prefix: str) -> Iterator[str]:
        """Make a namespace for restricted pods only; it is gone, with all it holds, afterwards."""
        labels = {"pod-security.kubernetes.io/enforce": "restricted"}
        metadata = {"generateName": f"{prefix}-", "labels": labels}
        text = json.dumps({"apiVersion": "v1", "kind": "Namespace", "metadata": metadata})
        name = self.kubectl("create", "--filename=-", "--output=name", text=text)
        name = name.strip().removeprefix("namespace/")
        try:
            yield name
        finally:
            # Nobody waits for it: the namespace ends on its own, and its name is never used again.
            self.kubectl("delete", "namespace", name, "--wait=false")


@contextmanager
def open_cluster(kind: str) -> Iterator[Cluster]:
    """Find or start the cluster of this kind.

    Raises:
        ForeignClusterError: it was not made for tests.
    """
    match kind:
        case "local":
            with _local() as cluster:
                yield cluster
        case "kind":
            with _kind() as cluster:
                yield cluster
        case "current":
            with _current() as cluster:
                yield cluster
        case _:
            pytest.exit(f"CLUSTER must be local, kind or current, not {kind!r}", returncode=2)


def eventually(holds: Callable[[], bool]) -> None:
    """Wait until `holds` does; it is asked again and again."""
    end = time.monotonic() + PATIENCE_SECONDS
    while not holds():
        assert time.monotonic() < end, "it never came true"
        time.sleep(0.2)


def refuse_foreign(cluster: Cluster, mark: str = MARK) -> None:
    """Make sure that a cluster was made for tests.

    Raises:
        ForeignClusterError: it does not carry the mark.
    """
    answer = cluster.ask("get", "configmap", mark, "--namespace=kube-public")
    if answer.code:
        raise ForeignClusterError(
            f"this cluster was not made for tests ({answer.err.strip()}); "
            "to use your own context all the same, say CLUSTER=current"
        )


def build_image(cluster: Cluster) -> str:
    """Build the project's image, load it on every node and return its name.

    `IMAGE` names one that the cluster can pull instead; on `current` it must.
    """
    if given := os.environ.get("IMAGE"):
        return given
    name = "statusfleet.test/statusfleet:test"
    match cluster.kind:
        case "local":
            _run(str(LOCAL), "image", str(ROOT), name)
        case "kind":
            _run("docker", "build", "--quiet", "--tag", name, str(ROOT))
            _run("kind", "load", "docker-image", name, "--name", KIND_NAME)
        case _:
            pytest.skip("needs IMAGE, an image that the current cluster can pull")
    return name


@contextmanager
def _local() -> Iterator[Cluster]:
    """Use a cluster of this machine, which other test runs may use at the same time.

    Whoever leaves last takes down what a test run started.
    """
    if os.geteuid():
        pytest.exit("CLUSTER=local needs root, for network namespaces and containers", returncode=2)
    script = f'eval "$({LOCAL} env)" && echo "$KUBECONFIG" && echo "$PATH"'
    config, path = subprocess.check_output(["bash", "-c", script], text=True).splitlines()
    state = Path(config).parent
    with Path(f"/run/{state.name}.users").open("w") as users:
        fcntl.flock(users, fcntl.LOCK_SH)
        _start(Path(config))
        kubectl = str(shutil.which("kubectl", path=path))
        cluster = Cluster("local", kubectl, config, users)
        try:
            refuse_foreign(cluster)
            yield cluster
        finally:
            if (state / _STARTED_BY_TESTS).exists() and _is_alone(users):
                _run(str(LOCAL), "down")


def _start(config: Path) -> None:
    """Start the local cluster unless it runs."""
    with Path(f"/run/{config.parent.name}.start").open("w") as start:
        fcntl.flock(start, fcntl.LOCK_EX)
        if not config.exists():
            _run(str(LOCAL), "up")
            (config.parent / _STARTED_BY_TESTS).touch()


def _is_alone(users: TextIO) -> bool:
    try:
        fcntl.flock(users, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        fcntl.flock(users, fcntl.LOCK_SH)  # the attempt gave up what was held
        return False
    return True


@contextmanager
def _kind() -> Iterator[Cluster]:
    kind, kubectl = _needed("kind"), _needed("kubectl")
    with tempfile.NamedTemporaryFile() as config:
        # Its own kubeconfig, so that no context of yours is read or changed.
        _run(kind, "export", "kubeconfig", "--name", KIND_NAME, "--kubeconfig", config.name)
        cluster = Cluster("kind", kubectl, config.name)
        refuse_foreign(cluster)
        yield cluster


@contextmanager
def _current() -> Iterator[Cluster]:
    kubectl = _needed("kubectl")
    with tempfile.NamedTemporaryFile() as config:
        # The context is settled once: it may be changed while tests run.
        flat = ("config", "view", "--minify", "--flatten", "--raw")
        subprocess.run([kubectl, *flat], stdout=config, check=True)
        yield Cluster("current", kubectl, config.name)


def _needed(program: str) -> str:
    found = shutil.which(program)
    if found is None:
        pytest.exit(f"needs {program}", returncode=2)
    return found


def _run(*command: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{' '.join(command)}\n{done.stdout}{done.stderr}"
