"""A whole fleet on this machine: real `statusd` processes of ours, real DNS, a real canary.

manifest ──► statusfleet up ──► relayer-0 ◄──► relayer-1 ◄──► mailserver-0
                 │ DNS (tree)        ▲   canary    ▲               ▲
                 └───────────────────┴─────────────┴───────────────┘
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import sys
import time
from pathlib import Path

import psutil
import pytest
import yaml

from statusnode.discovery.dns import TreeReader
from statusnode.discovery.resolver import DnsResolver
from statusnode.records.enode import Enode
from statusnode.records.enr import Record
from support.fleet_up import PATIENCE_SECONDS, Json, by_name, manifest, nobody_left, up
from support.ports import free_port

pytestmark = pytest.mark.slow

EXAMPLES = Path(__file__).parents[2] / "examples"


def save(file: Path, text: str) -> None:
    """Save an edit in place."""
    file.write_text(text)


async def run(*arguments: str) -> tuple[int, str, str]:
    """Run another `statusfleet` command."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "statusfleet.cli.main", *arguments),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, err = await asyncio.wait_for(process.communicate(), PATIENCE_SECONDS)
    assert process.returncode is not None
    return process.returncode, out.decode(), err.decode()


async def read_tree(summary: Json) -> set[str]:
    """Walk the served tree as a stranger would; return its records."""
    host, _, port = summary["dns"]["address"].rpartition(":")
    tree = await TreeReader(DnsResolver((host, int(port)))).read(summary["tree"]["url"])
    assert tree.complete
    assert tree.root.seq == summary["tree"]["seq"]
    return {str(node) for node in tree.nodes}


async def test_check_proves_a_fleet_stops_it_and_says_so(file: Path, data: Path) -> None:
    async with up(file, data, "--check", "--timeout", "60") as fleet:
        assert await fleet.wait() == 0
        await nobody_left(data)
    last = fleet.events[-1]
    assert last["event"] == "summary"
    assert last["missing"] == []
    assert set(by_name(last)) == {"relayer-0", "relayer-1", "mailserver-0"}
    for name, member in by_name(last).items():
        assert member["role"] == name.rpartition("-")[0]
        assert member["ready"] is True
        assert Enode.parse(member["enode"]).public_key == Record.parse(member["enr"]).public_key
        assert member["rpc"].startswith("http://127.0.0.1:")
        assert member["metrics"].startswith("http://127.0.0.1:")
        assert isinstance(member["pid"], int)
    assert last["tree"]["url"].startswith("enrtree://")
    assert last["tree"]["seq"] == 1
    assert last["canary"]["passed"] is True
    assert last["canary"]["latency_ms"] > 0
    assert {"member", "tree", "canary", "summary"} <= {event["event"] for event in fleet.events}


@pytest.mark.parametrize("example", sorted(EXAMPLES.glob("*.yaml")), ids=lambda path: path.name)
async def test_every_example_works_as_it_stands(example: Path, data: Path) -> None:
    async with up(example, data, "--check") as fleet:
        assert await fleet.wait() == 0


async def test_check_fails_at_its_time_limit_and_says_what_is_missing(
    tmp_path: Path, data: Path
) -> None:
    file = tmp_path / "fleet.yaml"
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        own = f"members: [{{ordinal: 1, address: {{ip: 127.0.0.1, tcp: {port}}}}}]"
        relayer = f"relayer: {{replicas: 2, expose: {{addressScope: Private}}, {own}}}"
        file.write_text(manifest().replace("relayer: {replicas: 2}", relayer))
        async with up(file, data, "--check", "--timeout", "6") as fleet:
            assert await fleet.wait() == 1
            await nobody_left(data)
    last = fleet.events[-1]
    assert last["event"] == "summary"
    (reason,) = [text for text in last["missing"] if "relayer-1" in text and "ready" in text]
    assert f"TCP port {port} is used by" in reason
    assert by_name(last)["relayer-1"]["state"] == "failed"


async def test_edits_are_carried_out_while_the_fleet_runs(file: Path, data: Path) -> None:
    async with up(file, data) as fleet:
        first = await fleet.whole()
        before = by_name(first)
        assert await read_tree(first) == {member["enr"] for member in before.values()}

        save(file, manifest(relayers=3))
        grown = await fleet.summary(
            lambda summary: len(summary["members"]) == 4 and not summary["missing"]
        )
        after = by_name(grown)
        assert grown["tree"]["seq"] == first["tree"]["seq"] + 1
        assert {n: m["pid"] for n, m in after.items() if n in before} == {
            name: member["pid"] for name, member in before.items()
        }
        assert await read_tree(grown) == {member["enr"] for member in after.values()}

        # By rename, as many editors save. The member leaves the tree, waits for the TTL, stops.
        new = file.with_suffix(".new")
        new.write_text(manifest(relayers=1))
        new.replace(file)
        left = await fleet.summary(lambda summary: len(summary["members"]) == 2)
        states = [
            event["state"]
            for event in fleet.events
            if event["event"] == "member" and event["name"] == "relayer-2"
        ]
        assert states[-2:] == ["leaving", "stopped"]
        assert left["tree"]["seq"] == grown["tree"]["seq"] + 1
        assert not psutil.pid_exists(after["relayer-2"]["pid"])

        # A broken edit is told of, with its field, and the fleet goes on.
        seen = len(fleet.events)
        save(file, manifest(relayers=-1))
        error = await fleet.event(lambda event: event["event"] == "error", since=seen)
        assert error["path"] == "spec.roles.relayer.replicas"
        await fleet.summary(lambda s: any("not used" in text for text in s["missing"]), since=seen)
        seen = len(fleet.events)
        save(file, manifest(relayers=1))
        mended = await fleet.whole(since=seen)
        assert {n: m["pid"] for n, m in by_name(mended).items()} == {
            n: m["pid"] for n, m in by_name(left).items()
        }
        assert await fleet.stop() == 0
        await nobody_left(data)


async def test_a_tree_taken_out_of_the_manifest_is_served_no_more_and_comes_back_as_it_was(
    file: Path, data: Path
) -> None:
    async with up(file, data) as fleet:
        first = await fleet.whole()
        seen = len(fleet.events)
        document = yaml.safe_load(manifest())
        del document["spec"]["tree"]
        without = file.with_name("without-tree.yaml")
        save(without, yaml.safe_dump(document))
        _, told, _ = await run("diff", str(without), "--data", str(data))
        assert "is withdrawn" in told
        save(file, yaml.safe_dump(document))
        gone = await fleet.summary(lambda s: s["tree"] is None, since=seen)
        assert (gone["dns"], gone["missing"]) == (None, [])
        host, _, port = first["dns"]["address"].rpartition(":")
        with pytest.raises(ConnectionRefusedError):
            await asyncio.open_connection(host, int(port))
        assert by_name(gone)["relayer-0"]["pid"] == by_name(first)["relayer-0"]["pid"]
        seen = len(fleet.events)
        save(file, manifest())
        back = await fleet.summary(lambda s: s["tree"] and not s["missing"], since=seen)
        assert (back["tree"], back["dns"]) == (first["tree"], first["dns"])
        assert await read_tree(back) == await read_tree(first)
        assert await fleet.stop() == 0


async def test_what_dies_is_restarted_with_the_same_identity(file: Path, data: Path) -> None:
    async with up(file, data) as fleet:
        first = await fleet.whole()
        victim = by_name(first)["relayer-0"]
        seen = len(fleet.events)
        os.kill(victim["pid"], signal.SIGKILL)
        again = await fleet.summary(
            lambda summary: (
                by_name(summary)["relayer-0"]["pid"] not in (None, victim["pid"])
                and not summary["missing"]
            ),
            since=seen,
        )
        assert by_name(again)["relayer-0"]["enode"] == victim["enode"]
        assert again["tree"]["seq"] >= first["tree"]["seq"]
        began = time.monotonic()
        assert await fleet.stop(signal.SIGINT) == 0
        assert time.monotonic() - began < PATIENCE_SECONDS
        await nobody_left(data)


async def test_killing_statusfleet_ends_its_children_and_the_next_start_is_the_same_fleet(
    file: Path, data: Path
) -> None:
    async with up(file, data) as fleet:
        first = await fleet.whole()
        fleet.process.kill()
        await fleet.wait()
        await nobody_left(data)
    async with up(file, data, "--check") as fleet:
        assert await fleet.wait() == 0
    second = fleet.events[-1]
    assert {n: m["enode"] for n, m in by_name(second).items()} == {
        n: m["enode"] for n, m in by_name(first).items()
    }
    assert second["tree"]["url"] == first["tree"]["url"]
    assert second["tree"]["seq"] >= first["tree"]["seq"]
    assert second["dns"] == first["dns"]


async def test_others_look_at_a_running_fleet_and_cannot_take_its_folder(
    file: Path, data: Path
) -> None:
    async with up(file, data) as fleet:
        whole = await fleet.whole()

        async with up(file, data, alone=False) as second:
            assert await second.wait() == 3
        refusal, _ = second.events
        assert refusal["event"] == "error"
        assert f"is in use by process {fleet.process.pid}" in refusal["message"]

        code, out, _ = await run("status", "--data", str(data), "--output", "json")
        assert code == 0
        assert by_name(json.loads(out)) == by_name(whole)
        code, out, _ = await run("status", "--data", str(data))
        assert code == 0
        assert "relayer-1" in out
        assert "canary" in out

        code, out, _ = await run("logs", "relayer-0", "--data", str(data))
        assert code == 0
        assert "Started P2P networking" in out

        save(file, manifest(relayers=3))  # `diff` may see it before `up` does, or after
        code, out, _ = await run("diff", str(file), "--data", str(data))
        assert code == 0
        assert "relayer-2" in out or "nothing" in out
        assert await fleet.stop() == 0
    code, _, err = await run("status", "--data", str(data))
    assert code == 1
    assert "no fleet runs" in err


async def test_a_dns_port_can_be_chosen_and_one_that_is_taken_is_told_of(
    file: Path, data: Path
) -> None:
    port = free_port()
    async with up(file, data, "--dns-port", str(port)) as fleet:
        whole = await fleet.whole()
        assert whole["dns"]["address"] == f"127.0.0.1:{port}"
        assert await fleet.stop() == 0
    with socket.create_server(("127.0.0.1", port)):
        async with up(file, data, "--dns-port", str(port)) as fleet:
            told = await fleet.summary(
                lambda summary: any(f"port {port}" in text for text in summary["missing"])
            )
            assert told["tree"]["published"] is False
            assert await fleet.stop() == 0


async def test_a_fleet_of_one_relayer_and_nothing_else_is_proven_too(
    tmp_path: Path, data: Path
) -> None:
    file = tmp_path / "fleet.yaml"
    text = manifest(relayers=1).replace("    mailserver: {replicas: 1}\n", "")
    file.write_text(text.replace("  tree: {domain: nodes.e2e.test, ttl: {root: 1s}}\n", ""))
    async with up(file, data, "--check") as fleet:
        assert await fleet.wait() == 0
    last = fleet.events[-1]
    assert last["tree"] is None
    assert last["dns"] is None
    assert list(by_name(last)) == ["relayer-0"]
    assert last["canary"]["passed"] is True


async def test_a_corrupt_key_is_refused_and_never_replaced(file: Path, data: Path) -> None:
    key = data / "members" / "relayer-0" / "nodekey"
    key.parent.mkdir(parents=True)
    key.write_text("no key at all")
    async with up(file, data, "--check", "--timeout", "3") as fleet:
        assert await fleet.wait() == 1
    assert key.read_text() == "no key at all"
    assert any("holds no key" in text for text in fleet.events[-1]["missing"])


async def test_a_lost_key_is_asked_for_and_never_replaced(file: Path, data: Path) -> None:
    async with up(file, data) as fleet:
        before = by_name(await fleet.whole())
        assert await fleet.stop() == 0
    lost = [data / "members" / "relayer-0" / "nodekey", data / "tree.key"]
    copies = {path: path.read_text() for path in lost}
    for path in lost:
        path.unlink()
    async with up(file, data, "--check", "--timeout", "3") as fleet:
        assert await fleet.wait() == 1
    for path, copy in copies.items():
        assert any(f"{path} is gone" in text for text in fleet.events[-1]["missing"])
        assert not path.exists()
        path.write_text(copy)
    async with up(file, data) as fleet:
        after = by_name(await fleet.whole())
        assert await fleet.stop() == 0
    assert after["relayer-0"]["enode"] == before["relayer-0"]["enode"]


async def test_a_stuck_member_cannot_hold_up_the_end(file: Path, data: Path) -> None:
    async with up(file, data) as fleet:
        whole = await fleet.whole()
        os.kill(by_name(whole)["relayer-1"]["pid"], signal.SIGSTOP)
        assert await fleet.stop() == 0
        await nobody_left(data)
