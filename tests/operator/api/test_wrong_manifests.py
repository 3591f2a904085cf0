"""Every wrong manifest is refused with the field's path and a sentence, and nothing else."""

from __future__ import annotations

import pytest

from statusfleet.api import fleet_problems
from statusfleet.api.manifest import parse_fleet
from statusfleet.api.problems import path_text
from support.manifest_tables import RIGHT, WRONG, Wrong, manifest


@pytest.mark.parametrize("case", WRONG, ids=lambda case: case.label)
def test_a_wrong_manifest_is_refused_with_path_and_sentence(case: Wrong) -> None:
    fleet, problems = parse_fleet(manifest(case.spec, case.name))
    if case.before is not None:
        assert problems == []
        before, _ = parse_fleet(manifest(case.before, case.name))
        assert fleet is not None
        problems = fleet_problems(fleet, before)
    assert [(path_text(path), text) for path, text in problems] == [(case.path, case.sentence)]


@pytest.mark.parametrize("spec", RIGHT, ids=range(len(RIGHT)))
def test_a_right_manifest_is_taken_and_may_stay_as_it_is(spec: dict[str, object]) -> None:
    fleet, problems = parse_fleet(manifest(spec))
    assert problems == []
    assert fleet is not None
    assert fleet_problems(fleet, fleet) == []


@pytest.mark.parametrize("spec", RIGHT, ids=range(len(RIGHT)))
def test_a_manifest_with_its_defaults_written_out_means_the_same(spec: dict[str, object]) -> None:
    fleet, _ = parse_fleet(manifest(spec))
    assert fleet is not None
    written = fleet.model_dump(by_alias=True, mode="json", exclude_none=True)
    again, problems = parse_fleet(written)
    assert problems == []
    assert again == fleet


def test_the_smallest_spec_has_the_documented_defaults() -> None:
    fleet, _ = parse_fleet(manifest({"roles": {"relayer": {"replicas": 2}, "mailserver": {}}}))
    assert fleet is not None
    spec = fleet.spec
    assert spec.tree is None
    assert spec.roles.relayer is not None
    assert spec.roles.mailserver is not None
    assert spec.roles.relayer.max_peers == 100
    assert spec.roles.relayer.min_pow == 0.000002
    assert spec.roles.relayer.expose.type == "NodePort"
    assert spec.roles.mailserver.max_peers == 5000
    assert spec.roles.mailserver.retention_days == 30
    assert str(spec.roles.mailserver.rate_limit) == "1s"
    assert (str(spec.canary.interval), str(spec.canary.timeout)) == ("1m", "10s")
    assert fleet.fleet_name == "eth-dev"


def test_many_wrong_fields_are_all_told_at_once() -> None:
    _, problems = parse_fleet(
        manifest({"roles": {"relayer": {"replicas": -1, "minPow": "x"}}, "tree": {}, "pausd": 1})
    )
    assert {path_text(path) for path, _ in problems} == {
        "spec.roles.relayer.replicas",
        "spec.roles.relayer.minPow",
        "spec.tree.domain",
        "spec.pausd",
    }
