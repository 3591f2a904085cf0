"""The parts of bench/operator that only compute: what the audit log says, what is edited."""

from __future__ import annotations

import importlib
import json
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from statusfleet.api.manifest import parse_fleet

BENCH = Path(__file__).parents[3] / "bench" / "operator"


@pytest.fixture
def audit(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(BENCH)
    return importlib.import_module("audit")


@pytest.fixture
def fleets(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(BENCH)
    return importlib.import_module("fleets")


def line(verb: str, resource: str, stage: str = "ResponseComplete", **more: Any) -> str:
    about = {"resource": resource, "namespace": "n", "name": "a"}
    answer = {"code": 200}
    return json.dumps(
        {"verb": verb, "stage": stage, "objectRef": about, "responseStatus": answer, **more}
    )


def test_a_request_is_counted_once_and_leadership_is_no_write(
    audit: ModuleType, tmp_path: Path
) -> None:
    path = tmp_path / "audit.log"
    lines = [
        line("watch", "pods", "ResponseStarted"),
        line("watch", "pods"),
        line("patch", "configmaps"),
        line("patch", "configmaps"),
        line("update", "leases"),
    ]
    path.write_text("\n".join(lines) + "\n" + lines[2][:20])
    log = audit.Log(path)
    calls = log.read()
    assert audit.by_kind(calls) == {"patch configmaps": 2, "watch pods": 1}
    assert [call.name for call in audit.writes(calls)] == ["n/a", "n/a"]
    # What was half written before is read as a whole later, and nothing twice.
    path.write_text("\n".join(lines) + "\n" + lines[2] + "\n")
    assert audit.by_kind(log.read()) == {"patch configmaps": 1}


def test_the_fleets_of_the_bench_have_ten_members_and_may_be_edited_again_and_again(
    fleets: ModuleType,
) -> None:
    body = fleets.fleet(3)
    fleet, problems = parse_fleet(body)
    assert fleet is not None
    assert problems == []
    assert sum(role.replicas for role in fleet.spec.roles.present()) == fleets.MEMBERS
    for _ in range(3):
        before = body["spec"]["roles"]["relayer"].get("maxPeers")
        change = fleets.edit(body)
        body["spec"]["roles"]["relayer"] |= change["spec"]["roles"]["relayer"]
        assert body["spec"]["roles"]["relayer"]["maxPeers"] != before
        assert parse_fleet(body)[1] == []
