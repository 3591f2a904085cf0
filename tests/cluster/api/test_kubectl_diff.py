"""`kubectl statusfleet diff` on a real API server, which says itself what it would keep."""

from __future__ import annotations

import asyncio
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.testing import CliRunner, Result

from statusfleet.cli.kubectl.main import app
from statusfleet.kube import KubeClient
from statusfleet.kube.kinds import SECRET, STATUS_FLEET
from support import kube_api
from support.kube_api import ApiServer
from support.kube_rights import FLEETS, LOOKING, allow
from support.manifest_tables import manifest

RELAYERS: dict[str, Any] = {"relayer": {"replicas": 2}}
MAILSERVER = {"mailserver": {"password": {"secretKeyRef": {"name": "mail", "key": "password"}}}}


@dataclass(frozen=True)
class User:
    """Somebody with kubectl and the plugin, and a file."""

    server: ApiServer
    namespace: str
    file: Path

    def write(self, spec: dict[str, Any], *more: dict[str, Any]) -> None:
        documents = [manifest(spec), *more]
        for document in documents:
            document["metadata"]["namespace"] = self.namespace
        self.file.write_text(yaml.safe_dump_all(documents))

    async def kubectl(self, *arguments: str) -> int:
        program = kube_api.program("kubectl")
        assert program is not None
        where = [f"--kubeconfig={self.server.kubeconfig()}", f"--filename={self.file}"]
        done = await asyncio.to_thread(
            subprocess.run, [program, *arguments, *where], capture_output=True, check=False
        )
        return done.returncode

    async def diff(self, who: str = "admin") -> Result:
        where = ["--kubeconfig", self.server.kubeconfig(who), "-f", str(self.file)]
        return await asyncio.to_thread(CliRunner().invoke, app, ["diff", *where])


@pytest.fixture
def user(api_server: ApiServer, definition: None, namespace: str, tmp_path: Path) -> User:
    return User(api_server, namespace, tmp_path / "fleet.yaml")


async def test_a_fleet_that_is_not_there_yet_would_be_new(user: User) -> None:
    user.write({"roles": RELAYERS})
    found = await user.diff()
    assert found.exit_code == 1
    assert found.stdout.splitlines()[0] == f"{user.namespace}/eth-dev: is new"
    assert "start  relayer-0, relayer-1  the fleet is new" in found.stdout


@pytest.mark.parametrize("how", [(), ("--server-side",)], ids=["client-side", "server-side"])
async def test_it_exits_as_kubectl_diff_does_and_changes_nothing(
    user: User, client: KubeClient, how: tuple[str, ...]
) -> None:
    user.write({"roles": {**RELAYERS, "mailserver": {"replicas": 1}}, "fleetName": "eth.dev"})
    assert await user.kubectl("apply", *how) == 0
    before = await client.get(STATUS_FLEET, user.namespace, "eth-dev")
    same = await user.diff()
    assert (same.exit_code, same.stdout) == (
        0,
        f"{user.namespace}/eth-dev: nothing would change\n",
    )
    assert await user.kubectl("diff", *how) == 0
    user.write({"roles": {"relayer": {"replicas": 3}}})
    changed = await user.diff()
    assert changed.exit_code == await user.kubectl("diff", *how) == 1
    lines = changed.stdout.splitlines()
    assert lines[0].endswith("3 fields would change")
    assert '  spec.fleetName: "eth.dev" -> (none)' in lines
    assert "  spec.roles.relayer.replicas: 2 -> 3" in lines
    stopped = next(line for line in lines if line.startswith("stop"))
    assert stopped.split()[1] == "mailserver-0"
    assert await client.get(STATUS_FLEET, user.namespace, "eth-dev") == before


async def test_what_somebody_else_set_stays(user: User, client: KubeClient) -> None:
    user.write({"roles": RELAYERS})
    assert await user.kubectl("apply") == 0
    patch = {"spec": {"paused": True}, "metadata": {"labels": {"team": "core"}}}
    await client.patch(STATUS_FLEET, user.namespace, "eth-dev", patch, field_manager="somebody")
    assert (await user.diff()).exit_code == 0


async def test_what_the_server_refuses_cannot_be_told(user: User) -> None:
    tree = {"domain": "nodes.example.org"}
    user.write({"roles": RELAYERS, "tree": tree})
    assert await user.kubectl("apply") == 0
    user.write({"roles": RELAYERS, "tree": tree | {"domain": "other.example.org"}})
    refused = await user.diff()
    assert (refused.exit_code, refused.stdout) == (2, "")
    assert "spec.tree.domain" in refused.stderr
    user.file.write_text("kind: StatusFleet")
    assert (await user.diff()).exit_code == 2


async def test_a_manifest_for_another_namespace_is_refused(user: User) -> None:
    user.write({"roles": RELAYERS})
    where = ["--kubeconfig", user.server.kubeconfig(), "-n", "other", "-f", str(user.file)]
    found = await asyncio.to_thread(CliRunner().invoke, app, ["diff", *where])
    assert found.exit_code == 2
    assert f"for the namespace {user.namespace}, not other" in found.stderr


async def test_a_password_that_comes_with_the_fleet_restarts_its_mailservers(
    user: User, client: KubeClient
) -> None:
    secret = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": "mail"},
        "stringData": {"password": "before"},
    }
    user.write({"roles": MAILSERVER}, secret)
    assert await user.kubectl("apply") == 0
    assert (await user.diff()).exit_code == 0
    user.write({"roles": MAILSERVER}, secret | {"stringData": {"password": "hidden"}})
    found = await user.diff()
    assert found.exit_code == 1
    assert "restart  mailserver-0  changes WakuConfig.MailServerPassword" in found.stdout
    assert "hidden" not in found.output
    assert await client.find(SECRET, user.namespace, "eth-dev-mailserver-0") is None


async def test_who_may_not_read_secrets_is_told_what_can_be_told(
    user: User, client: KubeClient
) -> None:
    user.write({"roles": MAILSERVER})
    assert await user.kubectl("apply") == 0
    await allow(client, user.namespace, "nobody", FLEETS, LOOKING)
    same = await user.diff("nobody")
    assert same.exit_code == 0, same.output
    other = {"mailserver": {"password": {"secretKeyRef": {"name": "other", "key": "password"}}}}
    user.write({"roles": other})
    found = await user.diff("nobody")
    assert found.exit_code == 1
    assert "restart  mailserver-0" in found.stdout
    assert "note: Secrets may not be read" in found.stdout
    assert "note: nodes may not be read" in found.stdout
