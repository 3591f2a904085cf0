"""What the chart makes, put to a real API server: is it taken, and are its rights enough?"""

from __future__ import annotations

import asyncio
import itertools
import json
import re
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import yaml

from statusfleet.kube import KubeClient
from statusfleet.kube.kinds import ROLE
from support import kube_api
from support.api_schemas import LOCATION, write_schemas
from support.chart import needs_helm, rendered
from support.cluster import eventually as soon
from support.definition import define
from support.kube_api import ApiServer
from support.operator_process import FleetUser, eventually

RIGHTS = {"ClusterRole", "ClusterRoleBinding", "CustomResourceDefinition", "Role", "RoleBinding"}


def _program(name: str) -> str:
    found = kube_api.program(name)
    if found is None:
        pytest.skip(f"needs {name}")
    return found


def _kubectl(server: ApiServer, bodies: list[dict[str, Any]], *arguments: str) -> str:
    given = ("-f", "-") if bodies else ()
    command = [_program("kubectl"), "--kubeconfig", server.kubeconfig(), *arguments, *given]
    done = subprocess.run(
        command, input=yaml.safe_dump_all(bodies), capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


ENABLED = {"enabled": True}
MONITORING = Path(__file__).parent / "definitions/monitoring.coreos.com.yaml"
EVERYTHING = {
    "grafanaDashboard": ENABLED,
    "networkPolicy": {**ENABLED, "from": [{"namespaceSelector": {}}], "egress": [{}]},
    "dnsConfig": {"options": [{"name": "ndots", "value": "1"}]},
    "podDisruptionBudget": {**ENABLED, "maxUnavailable": "50%"},
    "podMonitor": ENABLED,
    "prometheusRule": ENABLED,
    "serviceMonitor": ENABLED,
    "replicas": 2,
    "priorityClassName": "system-cluster-critical",
    "imagePullSecrets": [{"name": "x"}],
    "tolerations": [{"operator": "Exists"}],
    "commonLabels": {"team": "p2p"},
}


@pytest.fixture(scope="module")
def monitored(api_server: ApiServer) -> None:
    """The Prometheus operator's definitions, as it publishes them."""
    define(_program("kubectl"), api_server.kubeconfig(), MONITORING)


@pytest.fixture(scope="module")
def schemas(
    api_server: ApiServer,
    monitored: None,
    definition: None,
    tmp_path_factory: pytest.TempPathFactory,
) -> Path:
    """The schemas of everything that the server knows, for kubeconform."""
    folder = tmp_path_factory.mktemp("schemas")

    def published() -> bool:
        # Definitions get into the document a moment after they are established.
        text = _kubectl(api_server, [], "get", "--raw", "/openapi/v2")
        return {"PrometheusRule", "StatusFleet"} <= set(write_schemas(json.loads(text), folder))

    soon(published)
    return folder


@needs_helm
@pytest.mark.usefixtures("monitored")
@pytest.mark.parametrize("listed", [False, True], ids=["cluster-wide", "namespaces"])
@pytest.mark.parametrize("values", [{}, EVERYTHING], ids=["defaults", "everything"])
async def test_every_object_is_taken_as_it_is(
    api_server: ApiServer, namespace: str, values: dict[str, Any], listed: bool
) -> None:
    chosen = {**values, "namespaces": [namespace] if listed else []}
    bodies = rendered(chosen, namespace=namespace)
    strictly = ("apply", "--server-side", "--dry-run=server", "--validate=strict")
    _kubectl(api_server, bodies, *strictly)


_CHOICES: dict[str, list[Any]] = {
    "crds": [{"keep": True}, {"enabled": False}],
    "namespaces": [[], ["one", "two"]],
    "rbac": [{"aggregate": True}, {"aggregate": False}, {"create": False}],
    "serviceAccount": [{"create": True}, {"create": False}],
    "uninstall": [{"fleets": "Keep"}, {"fleets": "Delete"}],
}


@needs_helm
def test_kubeconform_finds_nothing_to_say_whatever_is_chosen(schemas: Path, tmp_path: Path) -> None:
    chosen = [
        dict(zip(_CHOICES, values, strict=True)) for values in itertools.product(*_CHOICES.values())
    ]
    for number, values in enumerate(chosen):
        extra = EVERYTHING if number % 2 else {}
        bodies = rendered({**extra, **values})
        (tmp_path / f"{number}.yaml").write_text(yaml.safe_dump_all(bodies))
    command = [_program("kubeconform"), "-strict", "-summary", "-schema-location"]
    done = subprocess.run(
        [*command, f"{schemas}/{LOCATION}", str(tmp_path)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    assert "Invalid: 0, Errors: 0, Skipped: 0" in done.stdout


@needs_helm
def test_kubeconform_would_tell_an_unknown_field(schemas: Path, tmp_path: Path) -> None:
    (body,) = [one for one in rendered() if one["kind"] == "Deployment"]
    body["spec"]["template"]["spec"]["containers"][0]["imagePullPolice"] = "Always"
    (tmp_path / "wrong.yaml").write_text(yaml.safe_dump(body))
    command = [_program("kubeconform"), "-schema-location", f"{schemas}/{LOCATION}"]
    done = subprocess.run([*command, str(tmp_path)], capture_output=True, text=True, check=False)
    assert done.returncode != 0
    assert "imagePullPolice" in done.stdout


@needs_helm
@pytest.mark.parametrize(("who", "listed"), [("leader", False), ("tenant", True)])
async def test_the_rights_are_enough_to_look_after_fleets(
    api_server: ApiServer,
    definition: None,
    client: KubeClient,
    namespace: str,
    tmp_path: Path,
    who: str,
    listed: bool,
) -> None:
    """With a list of namespaces, that of the release, where the Lease stands, is none of them."""
    place = f"{namespace}-fleets" if listed else namespace
    if listed:
        await client.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": place}})
    values = {"namespaces": [place] if listed else []}
    bodies = [b for b in rendered(values, namespace=namespace) if b["kind"] in RIGHTS]
    for body in bodies:
        # The server knows users by their tokens, and no service accounts.
        for subject in body.get("subjects", ()):
            subject.clear()
            subject |= {"kind": "User", "name": who, "apiGroup": body["apiVersion"][:-3]}
    granted = [b for b in bodies if "helm.sh/hook" not in b["metadata"].get("annotations", {})]
    _kubectl(api_server, granted, "apply", "--server-side", "--force-conflicts")
    log = tmp_path / "operator.log"
    command = [sys.executable, "-m", "statusfleet.cli.main", "operator", "--image", "r/i:t"]
    where = ["--kubeconfig", api_server.kubeconfig(who), "--lease-namespace", namespace]
    where += ["--namespace", place] if listed else []
    with log.open("wb") as file:
        process = await asyncio.create_subprocess_exec(
            *command, *where, "--port", "0", "--verbose", stdout=file, stderr=file
        )
    try:
        user = FleetUser(client, place)
        await user.apply(
            roles={"relayer": {"replicas": 1, "expose": {"type": "NodePort"}}},
            tree={"domain": "nodes.test.example", "publish": [{"embedded": {}}]},
        )
        await user.until(lambda status: bool(status.get("conditions")), "seen")

        async def made() -> bool:
            # The role is granted with it, so the operator must hold what that says.
            return await client.find(ROLE, place, f"{user.name}-dns") is not None

        await eventually(made)
        await user.delete()
        await user.until_gone()
        await _until_renewals_are_seen(log.read_text())
        assert "forbidden" not in log.read_text().lower()
    finally:
        process.send_signal(signal.SIGTERM)
        await process.wait()


async def _until_renewals_are_seen(log: str) -> None:
    """Wait until the silence of the watches, which grows by itself, is less than it was."""
    (port,) = re.findall(r"health and metrics are served on port (\d+)", log)
    before = 0.0

    async def page() -> str:
        # Port 0 is another one for each family of addresses, and the log names the first.
        for host in ("127.0.0.1", "[::1]"):
            with suppress(aiohttp.ClientConnectionError):
                async with (
                    aiohttp.ClientSession() as session,
                    session.get(f"http://{host}:{port}/metrics") as response,
                ):
                    return await response.text()
        raise AssertionError("nobody listens there")

    async def shrunk() -> bool:
        nonlocal before
        text = await page()
        (value,) = re.findall(r"^statusfleet_watch_silence_seconds (\S+)$", text, re.MULTILINE)
        after, before = before, float(value)
        return before < after

    await eventually(shrunk)
