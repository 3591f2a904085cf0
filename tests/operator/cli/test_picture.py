"""What `up` says: which changes make which events, lines and summaries."""

from __future__ import annotations

import io
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from statusfleet.cli.picture import Picture, draw, events, sentence
from statusfleet.cli.screens import JsonScreen, LineScreen, TableScreen
from statusfleet.cli.snapshot import Snapshot, SnapshotWriter, read
from statusfleet.cli.table import fleet_table, short_enode
from statusfleet.plan import CanaryVerdict
from statusfleet.reconcile.fleet import Report
from statusfleet.worlds.canary import LegDetail
from statusfleet.worlds.processes.world import Detail
from support.fleet_fakes import Stage, manifest, with_relayers

DETAILS = {
    name: Detail(100 + n, 1, 2, 3, f"http://127.0.0.1:{n}", f"http://127.0.0.1:{n}/metrics")
    for n, name in enumerate(["relayer-0", "relayer-1", "relayer-2", "mailserver-0"])
}


def picture(report: Report) -> Picture:
    return draw(
        report,
        DETAILS,
        fleet="test",
        data="/data",
        dns=("127.0.0.1", 5353),
        legs=(
            LegDetail("receive", "relayer-1", 4.5, ""),
            LegDetail("fetch", "mailserver-0", 9.0, ""),
        ),
        notes=("spec.image: NotApplicable: has no effect here",),
    )


@pytest.fixture
async def stage(tmp_path: Path) -> Any:
    result = Stage(tmp_path / "data")
    yield result
    result.store.close()


async def whole(stage: Stage) -> Picture:
    await stage.grown(manifest())
    stage.world.verdict = CanaryVerdict(True, stage.time, 4.5)
    return picture(await stage.passes(manifest()))


async def test_a_summary_has_the_fields_that_programs_read(stage: Stage) -> None:
    found = (await whole(stage)).to_json()
    assert found["tree"]["url"].startswith("enrtree://")
    assert found["tree"]["seq"] == 1
    assert found["dns"] == {"address": "127.0.0.1:5353"}
    assert found["canary"]["passed"] is True
    assert found["canary"]["latency_ms"] == 4.5
    assert found["canary"]["legs"][1]["member"] == "mailserver-0"
    assert found["missing"] == []
    assert len(found["members"]) == 3
    for member in found["members"]:
        assert {"name", "role", "enode", "enr", "rpc", "metrics", "pid", "ready"} <= set(member)
        assert member["enode"].startswith("enode://")
        assert member["enr"].startswith("enr:")


async def test_a_fleet_is_whole_only_when_all_is_proven(stage: Stage) -> None:
    assert (await whole(stage)).whole
    stage.world.verdict = None
    unproven = picture(await stage.passes(manifest()))
    assert not unproven.whole
    assert unproven.missing == ("canary not passed: the canary has not finished a run",)
    stage.world.ready.discard("relayer-1")
    unready = picture(await stage.passes(manifest()))
    assert unready.missing[0] == "not ready: relayer-1: is being started"
    assert not Picture("test", "/data").whole


async def test_only_what_changed_makes_an_event(stage: Stage) -> None:
    before = await whole(stage)
    assert list(events(before, before)) == []
    stage.world.verdict = CanaryVerdict(False, stage.time + 5, None, ("receiving from relayer-1",))
    after = picture(await stage.passes(manifest()))
    (event,) = events(before, after)
    assert event["event"] == "canary"
    assert sentence(event) == "canary failed: receiving from relayer-1"


async def test_a_member_that_goes_is_leaving_and_then_stopped(stage: Stage) -> None:
    await stage.grown(with_relayers(3))
    three = picture(await stage.passes(with_relayers(3)))
    leaving = picture(await stage.passes(with_relayers(2)))
    found = [e for e in events(three, leaving) if e["event"] == "member"]
    assert [(event["name"], event["state"]) for event in found] == [("relayer-2", "leaving")]
    stage.time += 60
    await stage.passes(with_relayers(2))
    gone = picture(await stage.passes(with_relayers(2)))
    (event,) = events(leaving, gone)
    assert (event["name"], event["state"], event["pid"]) == ("relayer-2", "stopped", None)
    assert sentence(event) == "relayer-2 is stopped"


async def test_a_tree_that_is_taken_out_of_the_manifest_is_said_to_be_withdrawn(
    stage: Stage,
) -> None:
    from rich.console import Console

    before = await whole(stage)
    spec = manifest().spec.model_copy(update={"tree": None})
    after = replace(
        picture(await stage.passes(manifest().model_copy(update={"spec": spec}))), dns=None
    )
    (event,) = (event for event in events(before, after) if event["event"] == "tree")
    assert (event["withdrawn"], event["published"], event["dns"]) == (True, False, None)
    assert before.tree is not None
    assert sentence(event) == f"tree {before.tree.url} is withdrawn"
    assert after.missing == ()
    console = Console(file=io.StringIO(), width=100)
    console.print(fleet_table(after, DETAILS))
    assert "none: the spec names no tree.domain" in console.file.getvalue()  # type: ignore[attr-defined]
    assert list(events(after, after)) == []


async def test_json_lines_end_with_the_summary_and_repeat_nothing(stage: Stage) -> None:
    out = io.StringIO()
    screen = JsonScreen(out)
    shown = await whole(stage)
    screen.show(shown, DETAILS)
    screen.show(shown, DETAILS)
    screen.error("must be at least 0, not -1", "spec.roles.relayer.replicas")
    screen.close()
    lines = [json.loads(line) for line in out.getvalue().splitlines()]
    kinds = [line["event"] for line in lines]
    assert kinds == ["member", "member", "member", "tree", "canary", "summary", "error", "summary"]
    assert lines[-2]["path"] == "spec.roles.relayer.replicas"
    assert lines[-1] == lines[-3]


async def test_lines_for_people_say_each_change_once(stage: Stage) -> None:
    out = io.StringIO()
    screen = LineScreen(out)
    shown = await whole(stage)
    screen.show(shown, DETAILS)
    screen.show(replace(shown, notes=()), DETAILS)
    lines = out.getvalue().splitlines()
    assert sum("relayer-0 is ready (pid 100) enode://" in line for line in lines) == 1
    assert lines[-1] == "fleet test is whole: 3 members ready"
    assert any("seq 1, 3 records: resolved at 127.0.0.1:5353" in line for line in lines)


@pytest.mark.parametrize("width", [80, 160])
async def test_the_table_shows_every_column_however_narrow(stage: Stage, width: int) -> None:
    from rich.console import Console

    console = Console(width=width, file=io.StringIO(), color_system=None)
    console.print(fleet_table(await whole(stage), DETAILS))
    text = console.file.getvalue()  # type: ignore[attr-defined]
    head, first = text.splitlines()[:2]
    assert head.split() == ["member", "role", "state", "peers", "envelopes", "pid", "enode"]
    assert first.split()[:6] == ["relayer-0", "relayer", "ready", "2", "3", "100"]
    assert "seq 1, 3 records, resolved, DNS at 127.0.0.1:5353" in text
    assert "canary  passed: relayed 4 ms, mailserver-0 9 ms" in text


async def test_text_that_is_kept_shortens_and_folds_nothing(stage: Stage) -> None:
    from rich.console import Console

    console = Console(width=10_000, file=io.StringIO(), color_system=None)
    shown = await whole(stage)
    console.print(fleet_table(shown, DETAILS, whole_lines=True))
    lines = [line.rstrip() for line in console.file.getvalue().splitlines()]  # type: ignore[attr-defined]
    assert shown.tree is not None
    assert f"tree    {shown.tree.url}" in lines
    assert lines[1].endswith(f" {shown.members[0].enode}")
    assert max(map(len, lines)) < 250


async def test_the_live_table_says_what_can_be_done_until_it_has_stopped(stage: Stage) -> None:
    from rich.console import Console

    console = Console(width=120, file=io.StringIO(), force_terminal=True, color_system=None)
    screen = TableScreen(console, hints={"next": "Ctrl-C stops it"})
    screen.show(await whole(stage), DETAILS)
    assert "next    Ctrl-C stops it" in console.file.getvalue()  # type: ignore[attr-defined]
    screen.close()
    last = console.file.getvalue().rpartition("member ")[2]  # type: ignore[attr-defined]
    assert "next    stopped; " in last


async def test_a_terminal_shows_errors_before_and_below_the_table(stage: Stage) -> None:
    from rich.console import Console

    console = Console(width=120, file=io.StringIO(), force_terminal=True, color_system=None)
    screen = TableScreen(console)
    screen.error("is required", "spec")
    assert console.file.getvalue() == "error: spec: is required\n"  # type: ignore[attr-defined]
    screen.show(await whole(stage), DETAILS)
    screen.error("the last edit is not used")
    screen.close()
    drawn = console.file.getvalue().rpartition("member ")[2]  # type: ignore[attr-defined]
    assert "error: the last edit is not used" in drawn


async def test_an_error_that_is_over_goes_from_the_table_and_a_note_stays(stage: Stage) -> None:
    from rich.console import Console

    console = Console(width=120, file=io.StringIO(), force_terminal=True, color_system=None)
    screen = TableScreen(console)
    healthy = await whole(stage)
    screen.show(replace(healthy, missing=("not ready: the last edit is not used",)), DETAILS)
    screen.error("is not a field", "spec.colour")
    screen.note("spec.image: NotApplicable")
    screen.show(healthy, DETAILS)
    last = console.file.getvalue().rpartition("member ")[2]  # type: ignore[attr-defined]
    assert "is not a field" not in last
    assert "spec.image: NotApplicable" in last


def test_a_long_enode_keeps_its_ends() -> None:
    assert short_enode(f"enode://{'ab' * 64}@127.0.0.1:30303?discport=0") == (
        "enode://abababab…@127.0.0.1:30303?discport=0"
    )


async def test_a_snapshot_is_read_back_as_it_was_written(stage: Stage, tmp_path: Path) -> None:
    shown = Snapshot(await whole(stage), DETAILS)
    writer = SnapshotWriter(tmp_path)
    assert read(tmp_path) is None
    writer.write(shown)
    assert read(tmp_path) == shown
    assert (tmp_path / "status.json").stat().st_mode & 0o077 == 0
    (tmp_path / "status.json").write_text('{"of": "another version"}')
    assert read(tmp_path) is None
    writer.remove()
    assert read(tmp_path) is None
