"""`kubectl statusfleet` as its users run it: by kubectl, on a cluster where an operator works."""

from __future__ import annotations

import asyncio
import base64
import json
import os
import signal
import subprocess
import sys
import zipfile
from asyncio.subprocess import PIPE
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from statusfleet.kube.kinds import JOB, POD, SECRET, Kind
from statusfleet.worlds.kubernetes.networkpolicy import OPERATOR
from statusfleet.worlds.kubernetes.pod import RESTRICTED_CONTAINER, RESTRICTED_POD
from statusnode.crypto.keys import PrivateKey
from support.cluster import Answer, Cluster
from support.leaks import bytes_of, leaks
from support.manifest_tables import manifest
from support.operator_process import PATIENCE_SECONDS, FleetUser, eventually, is_true
from support.terminal import terminal

EXPOSE = {"type": "NodePort", "addressScope": "Private"}
RELAYERS = {"relayer": {"replicas": 2, "expose": EXPOSE}}
MAILSERVER = {"expose": EXPOSE, "storage": {"size": "64Mi"}}
QUIET: dict[str, Any] = {"canary": {"enabled": False}, "rollout": {"soak": "1s"}}
CANARY = {"statusfleet.io/part": "canary-run"}
PASSWORD = b"correct horse battery"
LEAK = """
import base64, pathlib, time
for path in sorted(pathlib.Path("/secrets").glob("*/[a-z]*")):
    value = path.read_bytes()
    print("raw", value.decode(), "hex", value.hex(), "base64", base64.b64encode(value).decode())
    print("within", base64.b64encode(b'{"key": "' + value + b'"}').decode(), flush=True)
time.sleep(3600)
"""


@dataclass(frozen=True)
class Plugin:
    """kubectl with the plugin on its path, for one fleet and its file."""

    cluster: Cluster
    user: FleetUser
    folder: Path

    @property
    def environment(self) -> dict[str, str]:
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        return {**os.environ, "PATH": path, "KUBECONFIG": self.cluster.kubeconfig}

    def command(self, *arguments: str) -> list[str]:
        kubectl = self.cluster.kubectl_program
        return [kubectl, "statusfleet", *arguments, "-n", self.user.namespace]

    async def run(self, *arguments: str, **environment: str) -> Answer:
        done = await asyncio.to_thread(
            subprocess.run,
            self.command(*arguments),
            env=self.environment | environment,
            cwd=self.folder,
            capture_output=True,
            text=True,
            check=False,
            timeout=PATIENCE_SECONDS * 3,
        )
        return Answer(done.returncode, done.stdout, done.stderr)

    @property
    def file(self) -> Path:
        return self.folder / "fleet.yaml"

    def write(self, **spec: Any) -> None:
        body = manifest(spec, self.user.name)
        body["metadata"]["namespace"] = self.user.namespace
        self.file.write_text(yaml.safe_dump(body))

    async def apply(self, **spec: Any) -> None:
        self.write(**spec)
        await asyncio.to_thread(self.cluster.kubectl, "apply", f"--filename={self.file}")

    async def pods(self) -> dict[str, str]:
        """Return the members' pods with their ids."""
        labels = f"statusfleet.io/fleet={self.user.name},statusfleet.io/ordinal"
        found = await self.user.client.list(POD, self.user.namespace, labels=labels)
        return {pod["metadata"]["name"]: pod["metadata"]["uid"] for pod in found}

    async def until_none(self, *kinds: Kind) -> None:
        """Wait until no canary of the plugin's is left."""

        async def none() -> bool:
            client, namespace = self.user.client, self.user.namespace
            return not [
                item for kind in kinds for item in await client.list(kind, namespace, labels=CANARY)
            ]

        await eventually(none)


@pytest.fixture
def plugin(cluster: Cluster, user: FleetUser, tmp_path: Path) -> Plugin:
    return Plugin(cluster, user, tmp_path)


async def test_what_diff_foretells_comes_true(plugin: Plugin) -> None:
    user = plugin.user
    await plugin.apply(roles=RELAYERS, **QUIET)
    await user.until(is_true("Ready"), "ready")
    before = await plugin.pods()
    same = await plugin.run("diff", "-f", "fleet.yaml")
    assert (same.code, same.out) == (0, f"{user.namespace}/{user.name}: nothing would change\n")

    template = {"annotations": {"example.org/changed": "yes"}}
    changed = {"relayer": {**RELAYERS["relayer"], "replicas": 3, "template": template}}
    plugin.write(roles=changed, **QUIET)
    told = await plugin.run("diff", "-f", "fleet.yaml")
    assert told.code == 1, told.err
    lines = [" ".join(line.split()) for line in told.out.splitlines()]
    assert "spec.roles.relayer.replicas: 2 -> 3" in lines
    assert "restart relayer-0, relayer-1 its pod is made otherwise" in lines
    assert "start relayer-2 it is new" in lines
    assert "one after the other: relayer-0, then relayer-1" in lines
    assert await plugin.pods() == before

    await plugin.apply(roles=changed, **QUIET)

    async def done() -> bool:
        after = await plugin.pods()
        return len(after) == 3 and not set(after.values()) & set(before.values())

    await eventually(done)
    await user.until(is_true("Ready"), "ready again")
    assert (await plugin.run("diff", "-f", "fleet.yaml")).code == 0


async def test_a_canary_runs_where_the_fleet_has_none_and_leaves_nothing(plugin: Plugin) -> None:
    user = plugin.user
    await plugin.apply(roles=RELAYERS | {"mailserver": MAILSERVER}, **QUIET)
    await user.until(is_true("Ready"), "ready")
    kubeconfig = await editor(plugin)
    found = await plugin.run("canary", user.name, KUBECONFIG=str(kubeconfig))
    assert found.code == 0, found
    lines = [line.replace(" ms", "").split() for line in found.out.splitlines()]
    assert lines[0] == ["MEMBER", "CONNECT", "POST", "RECEIVE", "FETCH"]
    # What is no number is a leg that the member has not.
    table = {line[0]: [cell != "-" for cell in line[1:]] for line in lines[1:-1]}
    assert table == {
        "mailserver-0": [True, False, False, True],
        "relayer-0": [True, True, True, False],
        "relayer-1": [True, True, True, False],
    }
    assert "failed" not in found.out
    assert found.out.splitlines()[-1].startswith("passed: 2 of 2 runs")
    await plugin.until_none(JOB, POD, SECRET)


async def editor(plugin: Plugin) -> Path:
    """Return a kubeconfig of somebody who has the role `edit` here, and may look at fleets."""
    cluster, namespace = plugin.cluster, plugin.user.namespace

    async def kubectl(*arguments: str) -> str:
        return await asyncio.to_thread(cluster.kubectl, *arguments, f"--namespace={namespace}")

    account = f"--serviceaccount={namespace}:editor"
    await kubectl("create", "serviceaccount", "editor")
    await kubectl("create", "rolebinding", "editor", "--clusterrole=edit", account)
    await kubectl(
        "create", "role", "fleets", "--verb=get", "--resource=statusfleets.statusfleet.io"
    )
    await kubectl("create", "rolebinding", "fleets", "--role=fleets", account)
    token = (await kubectl("create", "token", "editor")).strip()
    document = yaml.safe_load(await kubectl("config", "view", "--raw", "--minify"))
    document["users"] = [{"name": document["users"][0]["name"], "user": {"token": token}}]
    path = plugin.folder / "editor.conf"
    path.write_text(yaml.safe_dump(document))
    return path


async def test_a_canary_that_is_interrupted_leaves_nothing(plugin: Plugin) -> None:
    user = plugin.user
    await plugin.apply(roles=RELAYERS, **QUIET)
    await user.until(is_true("Ready"), "ready")
    process = await asyncio.create_subprocess_exec(
        *plugin.command("canary", user.name, "--runs", "1000"),
        env=plugin.environment,
        stdout=PIPE,
        stderr=PIPE,
        # As in a terminal: a program in the background would not hear of Ctrl-C.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )
    try:

        async def runs() -> bool:
            pods = await user.client.list(POD, user.namespace, labels=CANARY)
            return any((pod.get("status") or {}).get("phase") == "Running" for pod in pods)

        await eventually(runs)
        process.send_signal(signal.SIGINT)
        assert await asyncio.wait_for(process.wait(), PATIENCE_SECONDS) == 130
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()
    await plugin.until_none(JOB, POD, SECRET)


async def test_a_canary_tells_which_leg_fails_and_a_small_terminal_holds_the_status(
    plugin: Plugin,
) -> None:
    user = plugin.user
    nowhere = {"ordinal": 1, "address": {"ip": "127.0.0.1", "tcp": 1}}
    relayers = {"relayer": {**RELAYERS["relayer"], "members": [nowhere]}}
    quick = QUIET | {"canary": {"enabled": False, "timeout": "3s"}}
    await plugin.apply(roles=relayers, **quick)

    def both(status: dict[str, Any]) -> bool:
        return all(member["ready"] for member in status["members"]) and len(status["members"]) == 2

    await user.until(both, "up")
    found = await plugin.run("canary", user.name, "--runs", "1")
    assert found.code == 1, found
    lines = [line.split() for line in found.out.splitlines()]
    assert ["relayer-1", "failed"] in [line[:2] for line in lines]
    assert ["relayer-0", "failed"] not in [line[:2] for line in lines]
    assert found.out.splitlines()[-1].startswith("failed: 0 of 1 run")

    await user.until(lambda status: is_true("Reachable")(status) is False, "found out")
    size = {"LINES": "24", "COLUMNS": "80"}
    command = plugin.command("status", user.name)
    async with terminal(plugin.folder, plugin.environment | size, *command) as screen:
        await screen.until(lambda text: "conditions are as they should be" in text)
    shown = screen.text.splitlines()
    assert sum(max(1, -(-len(line) // 80)) for line in shown) <= 23, screen.text
    assert any(line.startswith("Reachable is False") for line in shown)


async def test_a_report_holds_logs_and_no_secret(plugin: Plugin, image: str) -> None:
    user, client = plugin.user, plugin.user.client
    adopted = PrivateKey.generate().data.hex().encode()
    for name, values in (("mail", {"password": PASSWORD}), ("old", {"nodekey": adopted})):
        data = {key: base64.b64encode(value).decode() for key, value in values.items()}
        metadata = {"namespace": user.namespace, "name": name}
        await client.create(
            {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "data": data}
        )
    password = {"secretKeyRef": {"name": "mail", "key": "password"}}
    own_key = {"ordinal": 0, "nodeKeySecret": {"name": "old", "key": "nodekey"}}
    relayers = {"relayer": {**RELAYERS["relayer"], "members": [own_key]}}
    await plugin.apply(
        roles=relayers | {"mailserver": MAILSERVER | {"password": password}},
        tree={"domain": "nodes.report.example", "ttl": {"root": "1s"}},
        **QUIET,
    )
    await user.until(is_true("Ready"), "ready")
    labels = {"statusfleet.io/fleet": user.name}
    identity = f"{user.name}-relayer-1"
    secrets = ("mail", "old", identity, f"{user.name}-tree")
    await leak(user, image, "leaky", labels, secrets)
    await leak(user, image, "leaky-operator", OPERATOR, secrets)

    where = ("-o", "report.zip", "--operator-namespace", user.namespace)
    done = await plugin.run("report", user.name, *where)
    assert done.code == 0, done

    values = {PASSWORD, adopted, bytes_of(adopted)}
    for secret in await client.list(SECRET, user.namespace, labels=labels):
        for key, encoded in secret["data"].items():
            value = base64.b64decode(encoded)
            if value.strip() != b"{}":  # what a member without any secret setting has
                values.add(value)
            if key in ("nodekey", "signingkey"):
                values.add(bytes_of(value))
    assert len(values) > 6
    archive = plugin.folder / "report.zip"
    assert leaks(archive, values) == []
    with zipfile.ZipFile(archive) as opened:
        texts = {name.partition("/")[2]: opened.read(name).decode() for name in opened.namelist()}
    assert texts[f"logs/{user.name}-relayer-0-0.statusd.log"]
    for log in ("logs/leaky.main.log", f"operator/{user.namespace}/logs/leaky-operator.main.log"):
        assert texts[log].count("raw [redacted] hex [redacted] base64 [redacted]") == len(secrets)
    assert texts["tree.txt"].startswith("enrtree://")
    assert texts["status.txt"].startswith(f"{user.namespace}/{user.name}: Ready")
    assert json.loads(texts["nodes.json"])
    assert json.loads(texts[f"operator/{user.namespace}/lease.json"])["kind"] == "Lease"


async def leak(
    user: FleetUser, image: str, name: str, labels: dict[str, str], secrets: tuple[str, ...]
) -> None:
    """Run a pod that writes Secrets into its log, in all forms; return when it has."""
    container = {
        "name": "main",
        "image": image,
        "imagePullPolicy": "IfNotPresent",
        "command": ["python", "-c", LEAK],
        "securityContext": RESTRICTED_CONTAINER,
        "volumeMounts": [{"name": one, "mountPath": f"/secrets/{one}"} for one in secrets],
    }
    spec = {
        "automountServiceAccountToken": False,
        "containers": [container],
        "securityContext": RESTRICTED_POD,
        "terminationGracePeriodSeconds": 0,
        "volumes": [{"name": one, "secret": {"secretName": one}} for one in secrets],
    }
    metadata = {"namespace": user.namespace, "name": name, "labels": labels}
    await user.client.create(
        {"apiVersion": POD.api_version, "kind": POD.kind, "metadata": metadata, "spec": spec}
    )

    async def written() -> bool:
        pod = await user.client.get(POD, user.namespace, name)
        if (pod.get("status") or {}).get("phase") != "Running":
            return False
        lines = [line async for line in user.client.logs(user.namespace, name)]
        return sum(line.startswith("within ") for line in lines) == len(secrets)

    await eventually(written)
