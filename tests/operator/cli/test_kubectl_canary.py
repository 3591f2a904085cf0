"""The canary that `kubectl statusfleet canary` runs: its task, its objects, what it tells."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from pydantic import SecretStr

from statusfleet.api.fleet import StatusFleet
from statusfleet.api.manifest import parse_fleet
from statusfleet.canary.config import CanaryConfig
from statusfleet.cli.kubectl.cluster import CommandError
from statusfleet.cli.kubectl.directory import Node
from statusfleet.cli.kubectl.probe import (
    MOST_RUNS,
    all_passed,
    image_in_use,
    job,
    job_secret,
    left_out,
    runs_of,
    verdict_lines,
    wish_of,
)
from statusfleet.worlds.canary import LegDetail, canary_settings
from statusfleet.worlds.kubernetes.deployment import canary_deployment
from statusfleet.worlds.kubernetes.names import Owner
from statusnode.crypto.keys import PrivateKey
from statusnode.records.enode import Enode
from support.manifest_tables import manifest

KEY = PrivateKey(b"\x01" * 32)
PASSWORD = SecretStr("hidden")
OWNER = Owner("team", "eth-dev", "")
IMAGE = "example.org/statusfleet:1"


def fleet(**spec: Any) -> StatusFleet:
    found, problems = parse_fleet(manifest({"roles": {"relayer": {}, "mailserver": {}}} | spec))
    assert found is not None, problems
    return found


def node(role: Any, ordinal: int, *, ready: bool | None = True) -> Node:
    enode = str(Enode(KEY.public_key, "192.0.2.1", 30303 + ordinal))
    return Node(f"{role}-{ordinal}", role, ordinal, ready=ready, enode=enode)


NODES = (node("relayer", 0), node("relayer", 1, ready=False), node("mailserver", 0))


def leg(kind: str, member: str, time: float | None, error: str = "") -> LegDetail:
    return LegDetail(kind, member, time, error)


GOOD = (
    leg("connect", "relayer-0", 4.0),
    leg("connect", "relayer-1", 5.0),
    leg("post", "relayer-0", 0.5),
    leg("receive", "relayer-1", 12.0),
)
BAD = (
    leg("connect", "relayer-0", 9.0),
    leg("connect", "relayer-1", None, "no session within the timeout (10 s)"),
    leg("post", "relayer-0", 0.7),
)


def test_it_goes_through_the_members_that_are_ready() -> None:
    wish = wish_of(fleet(), NODES, PASSWORD)
    assert [name for name, _ in wish.relayers] == ["relayer-0"]
    assert [name for name, _ in wish.mailservers] == ["mailserver-0"]
    assert left_out(NODES) == ["relayer-1"]


def test_a_fleet_in_which_nobody_is_ready_says_so() -> None:
    with pytest.raises(CommandError, match="none is ready"):
        wish_of(fleet(), NODES[1:2], PASSWORD)


def test_it_asks_mailservers_no_more_often_than_they_allow() -> None:
    assert wish_of(fleet(), NODES, PASSWORD).interval_seconds > 1
    roles = {"relayer": {}, "mailserver": {"rateLimit": "3s"}}
    assert wish_of(fleet(roles=roles), NODES, PASSWORD).interval_seconds > 3


def test_it_proves_as_much_work_as_the_strictest_role_wants() -> None:
    roles = {
        "relayer": {"minPow": 0.5},
        "mailserver": {"config": {"WakuConfig": {"MinimumPoW": 2}}},
    }
    assert wish_of(fleet(roles=roles), NODES, PASSWORD).min_pow == 2


def test_there_is_a_run_for_each_relayer_within_reason() -> None:
    many = [node("relayer", ordinal) for ordinal in range(100)]
    assert runs_of(wish_of(fleet(), many[:3], PASSWORD)) == 3
    assert runs_of(wish_of(fleet(), many, PASSWORD)) == MOST_RUNS
    assert runs_of(wish_of(fleet(), NODES[2:], PASSWORD)) == 1


def test_it_runs_what_a_ready_member_runs_even_if_the_spec_asks_for_what_is_not_there() -> None:
    members = [
        {"name": "relayer-0", "role": "relayer", "version": "example.org/statusfleet:0"},
        {"name": "relayer-1", "role": "relayer", "version": IMAGE, "ready": True},
    ]
    body = manifest({"roles": {"relayer": {}}, "image": {"repository": "nowhere", "tag": "9"}})
    asked, _ = parse_fleet(body | {"status": {"image": "nowhere:9", "members": members}})
    assert asked is not None
    assert image_in_use(asked) == IMAGE
    pod = job(OWNER, "eth-dev-canary-1", asked, IMAGE, 300)["spec"]["template"]["spec"]
    assert pod["containers"][0]["image"] == IMAGE
    with pytest.raises(CommandError, match="nobody to ask"):
        image_in_use(fleet())


def test_its_pod_is_the_canarys_own_and_ends_by_itself() -> None:
    body = job(OWNER, "eth-dev-canary-1", fleet(), IMAGE, 300)
    usual = canary_deployment(OWNER, fleet().spec.image, IMAGE)["spec"]["template"]["spec"]
    pod = body["spec"]["template"]["spec"]
    assert pod["containers"] == usual["containers"]
    assert pod["securityContext"] == usual["securityContext"]
    assert (pod["restartPolicy"], body["spec"]["activeDeadlineSeconds"]) == ("Never", 300)
    assert body["spec"]["ttlSecondsAfterFinished"]


def test_the_operator_does_not_take_its_pod_for_the_canary() -> None:
    labels = job(OWNER, "eth-dev-canary-1", fleet(), IMAGE, 300)["spec"]["template"]["metadata"]
    selected = OWNER.canary_selector.items()
    assert not selected <= labels["labels"].items()
    assert labels["labels"]["statusfleet.io/fleet"] == "eth-dev"


def test_its_secret_goes_with_it_and_holds_what_the_program_reads() -> None:
    settings = canary_settings(wish_of(fleet(), NODES, PASSWORD), KEY)
    made = {"metadata": {"name": "eth-dev-canary-1", "uid": "1"}}
    body = job_secret(OWNER, made, settings)
    assert body["metadata"]["ownerReferences"][0]["uid"] == "1"
    text = base64.b64decode(body["data"]["canary.json"])
    config = CanaryConfig.model_validate_json(text)
    assert config.mail_password.get_secret_value() == "hidden"
    assert json.loads(text)["nodeKey"] == KEY.data.hex()


def test_each_leg_is_told_with_its_slowest_time() -> None:
    slower = (*GOOD[:3], leg("receive", "relayer-1", 31.0))
    assert list(verdict_lines([GOOD, slower])) == [
        "MEMBER     CONNECT  POST    RECEIVE",
        "relayer-0  4.0 ms   0.5 ms  -",
        "relayer-1  5.0 ms   -       31.0 ms",
        "passed: 2 of 2 runs without a failure; a message takes 22 ms",
    ]
    assert all_passed([GOOD, slower])


def test_a_leg_that_failed_says_why() -> None:
    lines = list(verdict_lines([GOOD, BAD]))
    place = lines.index("relayer-1  failed   -       12.0 ms")
    assert lines[place + 1] == "  connect: no session within the timeout (10 s)"
    assert lines[-1] == "failed: 1 of 2 runs without a failure; a message takes 12 ms"
    assert not all_passed([GOOD, BAD])


def test_a_verdict_without_legs_is_no_success() -> None:
    assert not all_passed([()])
