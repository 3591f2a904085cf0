"""A fleet's identities, carried by the command from one API server's namespace to another."""

from __future__ import annotations

import asyncio
import secrets
import stat
from dataclasses import replace
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from statusfleet.cli.main import app
from statusfleet.kube import KubeClient
from statusfleet.store import State, TreeState
from statusfleet.store.identities import CANARY, TREE
from statusfleet.store.kubernetes import KubernetesStore
from statusfleet.tree.publication import Publication
from statusnode.crypto.keys import PrivateKey
from statusnode.records.enr import Record
from statusnode.records.tree import Tree
from support.kube_api import ApiServer


@pytest.fixture
async def target(client: KubeClient) -> str:
    """A second namespace, in the place of another cluster."""
    name = f"test-{secrets.token_hex(4)}"
    await client.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})
    return name


@pytest.fixture
async def source(client: KubeClient, namespace: str) -> KubernetesStore:
    """A fleet that has run for a while; one of its keys was given to it."""
    store = KubernetesStore(client, namespace, "eth-dev")
    given = {"namespace": namespace, "name": "eth-dev-mailserver-0"}
    text = PrivateKey.generate().data.hex()
    await client.create(
        {"apiVersion": "v1", "kind": "Secret", "metadata": given, "stringData": {"nodekey": text}}
    )
    records = {}
    for member in ("relayer-0", "mailserver-0"):
        key = await store.ensure_member_key(member)
        records[member] = str(Record.sign(key, 7, ip="192.0.2.1", tcp=30303))
    tree = Tree.build([Record.parse(text) for text in records.values()], [])
    signed = tree.sign(await store.ensure_tree_key(), "nodes.example.org", 12)
    await store.ensure_canary_key()
    await store.write(State(records=records, tree=TreeState(12, Publication(signed))))
    return store


async def run(server: ApiServer, *arguments: str) -> Result:
    options = ["--kubeconfig", server.kubeconfig()]
    return await asyncio.to_thread(CliRunner().invoke, app, ["identities", *arguments, *options])


@pytest.fixture
def passphrase(tmp_path: Path) -> str:
    path = tmp_path / "passphrase"
    path.write_text("correct horse\n")
    return f"--passphrase-file={path}"


async def test_another_cluster_has_the_same_identities_and_numbers(
    api_server: ApiServer, source: KubernetesStore, target: str, tmp_path: Path, passphrase: str
) -> None:
    file = tmp_path / "eth-dev.age"
    exported = await run(
        api_server, "export", "eth-dev", f"-o{file}", passphrase, f"-n{source.namespace}"
    )
    assert (exported.exit_code, exported.output) == (
        0,
        f"{file}: 4 identities of eth-dev, sealed\n",
    )
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    bundle = await source.export()
    assert not any(key.data.hex().encode() in file.read_bytes() for key in bundle.keys.values())
    for _ in range(2):
        imported = await run(api_server, "import", "eth-dev", str(file), passphrase, f"-n{target}")
        assert (imported.exit_code, imported.output) == (
            0,
            "4 identities of eth-dev are in the cluster\n",
        )
    copy = KubernetesStore(source._client, target, "eth-dev")
    keys = {name: key.data for name, key in bundle.keys.items()}
    assert keys.keys() == {"relayer-0", "mailserver-0", TREE, CANARY}
    assert {n: k.data for n, k in (await copy.identities.list()).items()} == keys
    assert replace(await copy.read(), revision=0) == replace(bundle.state, revision=0)


async def test_a_file_for_a_recipient_needs_no_passphrase(
    api_server: ApiServer, source: KubernetesStore, target: str, tmp_path: Path
) -> None:
    # A published pair of the age project.
    recipient = "age1t7rxyev2z3rw82stdlrrepyc39nvn86l5078zqkf5uasdy86jp6svpy7pa"
    identity = tmp_path / "identity"
    identity.write_text(
        "AGE-SECRET-KEY-1GQ9778VQXMMJVE8SK7J6VT8UJ4HDQAJUVSFCWCM02D8GEWQ72PVQ2Y5J33"
    )
    file = tmp_path / "eth-dev.age"
    exported = await run(
        api_server,
        "export",
        "eth-dev",
        f"-o{file}",
        f"--recipient={recipient}",
        f"-n{source.namespace}",
    )
    assert exported.exit_code == 0, exported.output
    imported = await run(
        api_server, "import", "eth-dev", str(file), f"--identity-file={identity}", f"-n{target}"
    )
    assert imported.exit_code == 0, imported.output


async def test_a_key_that_is_there_already_is_never_overwritten(
    api_server: ApiServer, source: KubernetesStore, target: str, tmp_path: Path, passphrase: str
) -> None:
    file = tmp_path / "eth-dev.age"
    await run(api_server, "export", "eth-dev", f"-o{file}", passphrase, f"-n{source.namespace}")
    there = KubernetesStore(source._client, target, "eth-dev")
    key = await there.ensure_member_key("relayer-0")
    imported = await run(api_server, "import", "eth-dev", str(file), passphrase, f"-n{target}")
    assert imported.exit_code == 1
    assert f"relayer-0 of {target}/eth-dev has another key already" in imported.output
    found = await there.identities.list()
    assert {name: key.data for name, key in found.items()} == {"relayer-0": key.data}


async def test_what_goes_wrong_is_one_line(
    api_server: ApiServer, source: KubernetesStore, target: str, tmp_path: Path, passphrase: str
) -> None:
    file = tmp_path / "eth-dev.age"
    here = f"-n{source.namespace}"
    await run(api_server, "export", "eth-dev", f"-o{file}", passphrase, here)
    (tmp_path / "wrong").write_text("wrong horse")
    (tmp_path / "empty").write_text("")
    cases = {
        ("export", "eth-dev", f"-o{file}", passphrase, here): "File exists",
        ("export", "other", f"-o{file}2", passphrase, here): "no identities of a fleet other",
        ("export", "eth-dev", f"-o{file}3", "--recipient=x", here): "x is no age recipient",
        ("import", "other", str(file), passphrase, f"-n{target}"): "of eth-dev, not of other",
        ("import", "eth-dev", str(tmp_path / "none"), passphrase, here): "No such file",
        (
            "import",
            "eth-dev",
            str(file),
            f"--passphrase-file={tmp_path / 'wrong'}",
            here,
        ): "cannot be opened with this passphrase",
        (
            "import",
            "eth-dev",
            str(file),
            f"--passphrase-file={tmp_path / 'empty'}",
            here,
        ): "protects nothing",
    }
    for arguments, message in cases.items():
        result = await run(api_server, *arguments)
        assert result.exit_code == 1, arguments
        assert result.output.startswith("error: ")
        assert message in result.output
        assert result.output.count("\n") == 1
