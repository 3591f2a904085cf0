"""`statusfleet tree`: what people and scripts get to see, and every exit code."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from queue import SimpleQueue

import pytest
from typer.testing import CliRunner, Result

from statusfleet.cli.tree import app
from statusfleet.publishers.embedded import EmbeddedDnsServer
from statusfleet.tree.zone import Zone, ZoneSettings
from statusnode.records.tree import Link, SignedTree
from support.records import DOMAIN, TREE_KEY, vector_node, vector_tree

SIGNED = vector_tree(14)
PATIENCE = 60


@contextmanager
def served(*trees: SignedTree, hidden: str | None = None) -> Iterator[str]:
    """Serve trees below one domain from a thread; yield HOST:PORT."""
    texts = {name: text for tree in trees for name, text in tree.records().items()}
    texts.pop(hidden or "", None)
    settings = ZoneSettings(DOMAIN)
    ready: SimpleQueue[tuple[str, asyncio.AbstractEventLoop, asyncio.Event]] = SimpleQueue()

    async def run() -> None:
        server = EmbeddedDnsServer(settings)
        server.publish(Zone(settings, serial=1, texts=texts))
        await server.start("127.0.0.1")
        over = asyncio.Event()
        ready.put(("{}:{}".format(*server.address), asyncio.get_running_loop(), over))
        await over.wait()
        await server.stop()

    thread = threading.Thread(target=asyncio.run, args=(run(),))
    thread.start()
    address, loop, over = ready.get(timeout=PATIENCE)
    try:
        yield address
    finally:
        loop.call_soon_threadsafe(over.set)
        thread.join(PATIENCE)


@pytest.fixture
def memory(tmp_path: Path) -> Path:
    return tmp_path / "state" / "trees.json"


def tree_command(*arguments: object) -> Result:
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def show(memory: Path, server: str, *arguments: str, url: str = SIGNED.url) -> Result:
    return tree_command("show", url, "--server", server, "--memory", memory, *arguments)


def test_a_table_names_the_tree_and_every_node(memory: Path) -> None:
    with served(SIGNED) as server:
        result = show(memory, server)

    assert result.exit_code == 0
    assert SIGNED.url in result.stdout
    assert "seq 7, 17 entries, 14 nodes" in result.stdout
    for node in SIGNED.tree.nodes:
        assert node.node_id.hex()[:16] in result.stdout
        assert str(node.ip) in result.stdout


def test_json_holds_everything(memory: Path) -> None:
    with served(SIGNED) as server:
        result = show(memory, server, "--output", "json")

    assert result.exit_code == 0
    found = json.loads(result.stdout)
    assert (found["url"], found["seq"], found["complete"]) == (SIGNED.url, 7, True)
    assert [node["enr"] for node in found["nodes"]] == [str(node) for node in SIGNED.tree.nodes]
    assert found["nodes"][0]["enode"] == str(SIGNED.tree.nodes[0].enode())
    assert found["trees"][0]["root"] == str(SIGNED.root)
    assert found["problems"] == []


def test_enodes_are_one_a_line(memory: Path) -> None:
    with served(SIGNED) as server:
        result = show(memory, server, "--output", "enodes")

    assert result.exit_code == 0
    assert result.stdout.splitlines() == [str(node.enode()) for node in SIGNED.tree.nodes]


def test_links_are_followed(memory: Path) -> None:
    more = vector_tree(20, domain=f"more.{DOMAIN}")
    first = vector_tree(3, links=(Link(TREE_KEY.public_key, more.domain),))
    with served(first, more) as server:
        result = show(memory, server, "--output", "json")

    assert result.exit_code == 0
    found = json.loads(result.stdout)
    assert [tree["url"] for tree in found["trees"]] == [first.url, more.url]
    assert len(found["nodes"]) == 20
    assert found["trees"][0]["links"] == [more.url]


def test_a_missing_entry_is_named_and_the_rest_is_shown(memory: Path) -> None:
    leaf = next(name for name, text in SIGNED.records().items() if text.startswith("enr:"))
    with served(SIGNED, hidden=leaf) as server:
        result = show(memory, server, "--output", "enodes")

    assert result.exit_code == 1
    assert len(result.stdout.splitlines()) == 13
    assert f"error: {leaf}: there is no such name" in result.stderr


def test_an_old_copy_is_refused_on_a_later_run(memory: Path) -> None:
    with served(vector_tree(4, seq=9)) as server:
        assert show(memory, server).exit_code == 0
    with served(SIGNED) as server:
        result = show(memory, server)

    assert result.exit_code == 1
    assert "number 7, but 9 was seen before" in result.stderr
    assert str(memory) in result.stderr
    assert result.stdout == ""


def test_a_change_under_one_number_is_a_warning(memory: Path) -> None:
    with served(vector_tree(13)) as server:
        assert show(memory, server).exit_code == 0
    with served(SIGNED) as server:
        result = show(memory, server)

    assert result.exit_code == 0
    assert "warning: the tree at nodes.example.org changed" in result.stderr


def test_a_memory_that_is_damaged_is_refused_and_left_alone(memory: Path) -> None:
    memory.parent.mkdir()
    memory.write_text("{}")

    result = show(memory, "127.0.0.1:1")

    assert result.exit_code == 1
    assert "does not hold the last roots seen" in result.stderr
    assert memory.read_text() == "{}"


def test_the_memory_is_in_the_state_folder_of_the_user(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    with served(SIGNED) as server:
        result = tree_command("show", SIGNED.url, "--server", server)

    assert result.exit_code == 0
    kept = json.loads((tmp_path / "statusfleet" / "trees.json").read_text())
    assert kept == {"roots": {SIGNED.url: str(SIGNED.root)}}


def test_a_tree_of_another_key_is_refused(memory: Path) -> None:
    other = str(Link(vector_node(0).public_key, DOMAIN))
    with served(SIGNED) as server:
        result = show(memory, server, url=other)

    assert result.exit_code == 1
    assert "not signed by the key of the URL" in result.stderr


@pytest.mark.parametrize(
    "arguments",
    [
        ("show",),
        ("show", "https://example.org"),
        ("show", SIGNED.url, "--server", "ns1.example.org:53"),
        ("show", SIGNED.url, "--server", "127.0.0.1:99999"),
        ("show", SIGNED.url, "--server", "127.0.0.1:x"),
        ("show", SIGNED.url, "--output", "xml"),
        ("sign", "missing.json", "--domain", DOMAIN, "--key", "k", "--out", "o"),
        ("sign",),
    ],
)
def test_wrong_usage_exits_with_2(arguments: tuple[str, ...]) -> None:
    assert tree_command(*arguments).exit_code == 2


@pytest.fixture
def files(tmp_path: Path) -> Path:
    (tmp_path / "key").write_text(TREE_KEY.data.hex() + "\n")
    (tmp_path / "nodes.json").write_text(json.dumps([str(node) for node in SIGNED.tree.nodes]))
    return tmp_path


def sign(files: Path, *arguments: object, domain: str = DOMAIN) -> Result:
    return tree_command(
        "sign",
        *(files / "nodes.json", "--domain", domain),
        *("--key", files / "key", "--out", files / "out", *arguments),
    )


def signed(files: Path) -> SignedTree:
    kept = json.loads((files / "out" / "tree.json").read_text())
    tree = SignedTree.parse(kept["url"], kept["records"])
    assert kept["seq"] == tree.seq
    return tree


def test_a_signed_tree_is_the_one_of_go_ethereum(files: Path) -> None:
    result = sign(files, "--seq", 7)

    assert result.exit_code == 0
    assert signed(files) == SIGNED
    assert result.stdout == f"{SIGNED.url} seq 7: 14 nodes\n"


def test_links_are_signed_in_their_order(files: Path) -> None:
    links = [str(Link(TREE_KEY.public_key, f"{name}.example.org")) for name in ("z", "a")]

    assert sign(files, "--link", links[0], "--link", links[1]).exit_code == 0

    assert [str(link) for link in signed(files).tree.links] == links


def test_the_number_grows_only_with_the_tree(files: Path) -> None:
    for changed, seq in ((False, 1), (False, 1), (True, 2), (True, 2)):
        if changed:
            (files / "nodes.json").write_text(json.dumps([str(vector_node(0))]))
        assert sign(files).exit_code == 0
        assert signed(files).seq == seq


def test_bind_accepts_the_zone_file(files: Path) -> None:
    named_checkzone = shutil.which("named-checkzone", path="/usr/sbin:/usr/bin:/sbin:/bin")
    if named_checkzone is None:
        pytest.skip("needs named-checkzone (Debian: bind9-utils)")
    assert sign(files).exit_code == 0

    checked = subprocess.run(
        [named_checkzone, "-i", "local", DOMAIN, str(files / "out" / "tree.zone")],
        capture_output=True,
        text=True,
        check=False,
    )

    assert checked.returncode == 0, checked.stdout


def test_files_can_be_read_by_a_name_server(files: Path) -> None:
    old = os.umask(0o022)
    try:
        assert sign(files).exit_code == 0
    finally:
        os.umask(old)

    assert (files / "out" / "tree.zone").stat().st_mode & 0o777 == 0o644


@pytest.mark.parametrize(
    ("nodes", "why"),
    [
        ("[", "is no JSON"),
        ("{}", 'must hold a list of "enr:…" texts'),
        ("[1]", r"[0]: must be an"),
        (json.dumps([str(vector_node(0)), "enr:AAAA"]), "[1]: a record is canonical RLP"),
        (json.dumps([str(vector_node(0))] * 2), "two records of one node"),
    ],
)
def test_nodes_that_are_none_are_refused(files: Path, nodes: str, why: str) -> None:
    (files / "nodes.json").write_text(nodes)

    result = sign(files)

    assert result.exit_code == 1
    assert why in result.stderr
    assert not (files / "out").exists()


@pytest.mark.parametrize("text", ["", "abcd", "00" * 32, "zz" * 32])
def test_a_key_file_that_holds_no_key_is_refused_and_not_shown(files: Path, text: str) -> None:
    (files / "key").write_text(text)

    result = sign(files)

    assert result.exit_code == 1
    assert not text or text not in result.output


def test_a_number_cannot_be_taken_from_what_is_no_tree(files: Path) -> None:
    (files / "out").mkdir()
    (files / "out" / "tree.json").write_text("[]")

    assert sign(files).exit_code == 1
    assert (files / "out" / "tree.json").read_text() == "[]"
    assert sign(files, "--seq", 3).exit_code == 0
    assert signed(files).seq == 3


def test_a_folder_that_cannot_be_written_is_said(files: Path) -> None:
    (files / "out").symlink_to(files / "key" / "below")

    result = sign(files)

    assert result.exit_code == 1
    assert "cannot be written" in result.stderr


@pytest.mark.parametrize(
    "arguments",
    [("--seq", -1), ("--seq", 2**64), ("--link", "enrtree://x"), ("--seq", "many")],
)
def test_wrong_options_of_sign_exit_with_2(files: Path, arguments: tuple[object, ...]) -> None:
    assert sign(files, *arguments).exit_code == 2


def test_a_domain_that_is_none_is_wrong_usage(files: Path) -> None:
    assert sign(files, domain="a..b").exit_code == 2


def test_importing_the_command_does_not_load_a_resolver() -> None:
    script = "import sys, statusfleet.cli.tree; sys.exit('dns.resolver' in sys.modules)"

    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 0
