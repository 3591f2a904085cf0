"""`kubectl statusfleet report` on a real API server, whose objects hold secrets where none should.

No kubelet runs here, so there are no logs; those are read in tests of the whole cluster.
"""

from __future__ import annotations

import asyncio
import base64
import json
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from statusfleet.cli.kubectl.main import app
from statusfleet.kube import KubeClient
from support.kube_api import ApiServer
from support.kube_rights import FLEETS, LOOKING, allow
from support.leaks import bytes_of, leaks
from support.operator_process import FleetUser

LABEL = {"statusfleet.io/fleet": "small"}
KEY = bytes(range(100, 132)).hex().encode()
PASSWORD = b"correct horse battery"
URI = b"postgresql://mail:tr0ub4dor@db.example.org/archive"
TSIG = base64.b64encode(bytes(range(32)))
VALUES = (KEY, bytes_of(KEY), PASSWORD, URI, b"tr0ub4dor", TSIG, bytes(range(32)))


@dataclass(frozen=True)
class Reporter:
    """Somebody who asks for a report of a fleet."""

    server: ApiServer
    namespace: str
    file: Path

    async def run(self, who: str = "admin", *more: str) -> Result:
        where = ["--kubeconfig", self.server.kubeconfig(who), "-n", self.namespace]
        output = ["report", "small", "-o", str(self.file)]
        return await asyncio.to_thread(CliRunner().invoke, app, [*output, *where, *more])

    def read(self, name: str) -> str:
        with zipfile.ZipFile(self.file) as archive:
            return archive.read(f"small/{name}").decode()


@pytest.fixture
async def reporter(
    api_server: ApiServer, definition: None, client: KubeClient, namespace: str, tmp_path: Path
) -> Reporter:
    user = FleetUser(client, namespace)
    tsig = {"secretKeyRef": {"name": "tsig", "key": "key"}, "name": "k", "algorithm": "hmac-sha256"}
    sink = {"server": "192.0.2.53:53", "zone": "example.org", "tsig": tsig}
    await user.apply(
        {"example.org/note": f"the password is {PASSWORD.decode()}"},
        roles={
            "mailserver": {
                "password": {"secretKeyRef": {"name": "mail", "key": "password"}},
            }
        },
        tree={"domain": "nodes.example.org", "publish": [{"rfc2136": sink}]},
    )
    await make(client, namespace, "Secret", "small-mailserver-0", data=encoded(nodekey=KEY))
    config = json.dumps({"WakuConfig": {"DatabaseConfig": {"PGConfig": {"URI": URI.decode()}}}})
    secret = {"secret.json": config.encode()}
    await make(client, namespace, "Secret", "small-mailserver-0-config", data=encoded(**secret))
    await make(client, namespace, "Secret", "mail", labels={}, data=encoded(password=PASSWORD))
    await make(client, namespace, "Secret", "tsig", labels={}, data=encoded(key=TSIG))
    told = f"NodeKey {KEY.decode()} for {URI.decode()}, {base64.b64encode(PASSWORD).decode()}"
    await make(client, namespace, "ConfigMap", "small-mailserver-0", data={"config.json": told})
    involved = {"kind": "Pod", "name": "small-mailserver-0-0", "namespace": namespace}
    event = {"involvedObject": involved, "message": f"tsig {TSIG.decode()} refused"}
    await make(client, namespace, "Event", "small-1", labels={}, **event)
    return Reporter(api_server, namespace, tmp_path / "report.zip")


def encoded(**values: bytes) -> dict[str, str]:
    return {key: base64.b64encode(value).decode() for key, value in values.items()}


async def make(
    client: KubeClient,
    namespace: str,
    kind: str,
    name: str,
    labels: dict[str, str] = LABEL,
    **body: Any,
) -> None:
    metadata = {"namespace": namespace, "name": name, "labels": labels}
    await client.create({"apiVersion": "v1", "kind": kind, "metadata": metadata, **body})


async def test_no_secret_stands_anywhere_in_a_report(reporter: Reporter) -> None:
    done = await reporter.run()
    assert done.exit_code == 0, done.output
    assert leaks(reporter.file, VALUES) == []
    assert "[redacted]" in reporter.read("objects/configmaps/small-mailserver-0.json")
    assert "[redacted] refused" in reporter.read("events.json")
    assert "the password is [redacted]" in reporter.read("fleet.json")
    assert reporter.file.stat().st_mode & 0o777 == 0o600


async def test_of_secrets_names_keys_and_sizes_are_told(reporter: Reporter) -> None:
    await reporter.run()
    told = {one["name"]: one["bytes"] for one in json.loads(reporter.read("secrets.json"))}
    assert told["mail"] == {"password": len(PASSWORD)}
    assert told["small-mailserver-0"] == {"nodekey": len(KEY)}


async def test_who_may_not_read_secrets_gets_a_report_without_anything_like_a_key(
    reporter: Reporter, client: KubeClient
) -> None:
    await allow(client, reporter.namespace, "nobody", FLEETS, LOOKING)
    done = await reporter.run("nobody")
    assert done.exit_code == 0, done.output
    assert "secrets are struck out by their looks alone" in done.stderr
    assert leaks(reporter.file, (KEY, b"tr0ub4dor")) == []
    notes = reporter.read("notes.txt")
    assert "deployments: " in notes
    assert "nodes: " in notes
    assert reporter.read("secrets.json") == "[]\n"


async def test_a_file_that_is_there_is_left_alone(reporter: Reporter) -> None:
    reporter.file.write_text("mine")
    done = await reporter.run()
    assert (done.exit_code, reporter.file.read_text()) == (1, "mine")
    assert "is there already" in done.stderr


async def test_no_file_is_made_for_a_fleet_that_is_not_there(
    reporter: Reporter, client: KubeClient
) -> None:
    await FleetUser(client, reporter.namespace).delete()
    done = await reporter.run()
    assert done.exit_code == 1
    assert not reporter.file.exists()
