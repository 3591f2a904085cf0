"""What `kubectl statusfleet status` and `tree` show, from statuses and trees by hand."""

from __future__ import annotations

from typing import Any

import pytest

from statusfleet.api.status import ConditionType, FleetStatus, TreeStatus
from statusfleet.cli.kubectl.columns import age, columns
from statusfleet.cli.kubectl.screen import MOST_MEMBERS, Size, fitting_lines, status_lines
from statusfleet.cli.kubectl.tree import members_by_id, tree_lines
from statusfleet.reconcile.reasons import Reason
from statusfleet.store import State
from statusnode.crypto.keys import PrivateKey
from statusnode.records.enr import Record
from statusnode.records.tree import Tree

NOW = 1_800_000_000.0
THEN = "2027-01-15T07:58:20Z"  # 100 s before


def condition(kind: str, status: str, reason: str, message: str = "") -> dict[str, Any]:
    return {
        "type": kind,
        "status": status,
        "reason": reason,
        "message": message,
        "lastTransitionTime": THEN,
    }


def relayer(ordinal: int, **fields: Any) -> dict[str, Any]:
    return {"name": f"relayer-{ordinal}", "role": "relayer", **fields}


READY = {"ready": True, "published": True, "seq": 4, "addressSource": "NodePort"}
STATUS: dict[str, Any] = {
    "observedGeneration": 7,
    "phase": "Degraded",
    "ready": "1/2",
    "image": "example.org/statusfleet:1",
    "roles": {"relayer": {"desired": 2, "ready": 1, "published": 1}},
    "members": [
        relayer(0, address="192.0.2.1:31000", version="example.org/statusfleet:1", **READY),
        relayer(1, message="is pulling its image"),
    ],
    "tree": {
        "url": "enrtree://KEY@nodes.example.org",
        "seq": 12,
        "records": 1,
        "publishedAt": THEN,
        "sinks": [
            {"name": "embedded", "state": "Published", "seq": 12},
            {"name": "rfc2136 ns1", "state": "Failed", "seq": 11, "message": "refused our key"},
        ],
    },
    "conditions": [
        condition("Ready", "False", "MembersNotReady", "relayer-1: is pulling its image"),
        condition("AddressesReady", "True", "AddressesKnown"),
    ],
}


EDITS = [
    {"manager": "kubectl", "time": THEN},
    {"manager": "statusfleet", "time": "2027-01-15T07:59:20Z"},
    {"manager": "kubectl", "time": "2027-01-15T07:59:30Z", "subresource": "status"},
]
"""Who set which fields when: a user, the operator its finalizer, and somebody the status."""


def screen(status: dict[str, Any], **metadata: Any) -> list[str]:
    body = {"metadata": {"namespace": "team", "name": "eth-dev", "generation": 7, **metadata}}
    return list(status_lines(body, FleetStatus.model_validate(status), NOW))


def test_a_fleet_with_trouble_stands_on_one_screen() -> None:
    assert screen(STATUS) == [
        "team/eth-dev: Degraded, 1/2 members ready",
        "image example.org/statusfleet:1",
        "",
        "ROLE     DESIRED  READY  IN TREE",
        "relayer        2      1        1",
        "",
        "MEMBER     READY  IN TREE  SEQ  ADDRESS          FROM",
        "relayer-0  yes    yes        4  192.0.2.1:31000  NodePort",
        "relayer-1  no     no         0  -                -",
        "  is pulling its image",
        "",
        "tree enrtree://KEY@nodes.example.org",
        "     seq 12, 1 records, published 100s ago",
        "SINK         STATE      SEQ",
        "embedded     Published   12",
        "rfc2136 ns1  Failed      11",
        "  refused our key",
        "",
        "CONDITION       STATUS  REASON           SINCE",
        "Ready           False   MembersNotReady  100s",
        "  relayer-1: is pulling its image",
        "  next: kubectl describe pod eth-dev-relayer-1-0 -n team",
        "AddressesReady  True    AddressesKnown   100s",
    ]


def test_a_fleet_that_nobody_looked_at_says_so() -> None:
    assert screen({}) == ["team/eth-dev: Unknown", "no operator has looked at it yet"]


@pytest.mark.parametrize(
    ("status", "metadata", "line"),
    [
        (
            STATUS,
            {"generation": 8},
            (
                "the operator has not taken up the last edit yet: this is of generation 7, "
                "the spec is at 8"
            ),
        ),
        (
            STATUS,
            {"generation": 8, "managedFields": EDITS},
            (
                "the operator has not taken up the last edit yet, made 100s ago: this is of "
                "generation 7, the spec is at 8"
            ),
        ),
        (
            {},
            {"creationTimestamp": THEN},
            "no operator has looked at it yet, 100s after it was made",
        ),
        (STATUS, {"deletionTimestamp": THEN}, "being deleted since 100s"),
        (
            STATUS | {"members": [relayer(0, version="example.org/statusfleet:0", **READY)]},
            {},
            "  runs example.org/statusfleet:0",
        ),
    ],
)
def test_what_is_unusual_has_a_line(
    status: dict[str, Any], metadata: dict[str, Any], line: str
) -> None:
    assert line in screen(status, **metadata)


def test_of_many_members_those_that_lack_something_are_shown() -> None:
    members = [relayer(i, **READY) for i in range(100)]
    members[97] = relayer(97, message="has no address")
    lines = screen(STATUS | {"members": members})
    shown = [line for line in lines if line.startswith("relayer-")]
    assert len(shown) == MOST_MEMBERS
    assert [line.split()[:2] for line in shown[-1:]] == [["relayer-97", "no"]]
    assert "and 76 more: kubectl statusfleet nodes eth-dev -n team" in lines


@pytest.mark.parametrize(
    ("reason", "command"),
    [
        (Reason.FAILED, "kubectl statusfleet logs eth-dev -n team canary"),
        (Reason.ADDRESS_MISSING, "kubectl get services -n team -l statusfleet.io/fleet=eth-dev"),
        (Reason.NEWER_OPERATOR, "kubectl statusfleet restart eth-dev -n team"),
        (Reason.PAUSED_BY_SPEC, "kubectl statusfleet resume eth-dev -n team"),
    ],
)
def test_a_reason_comes_with_the_command_that_helps(reason: Reason, command: str) -> None:
    status = STATUS | {"conditions": [condition(ConditionType.READY, "False", reason)]}
    assert screen(status)[-1] == f"  next: {command}"


@pytest.mark.parametrize(
    ("message", "command"),
    [
        # A container that never started has no log.
        ("ErrImagePull: not found", "kubectl describe pod eth-dev-relayer-1-0 -n team"),
        ("no node takes its pod: too full", "kubectl describe pod eth-dev-relayer-1-0 -n team"),
        (
            "no pod is made for it: see kubectl describe statefulset eth-dev-relayer-1",
            "kubectl describe statefulset eth-dev-relayer-1 -n team",
        ),
        ("exited with code 1: no port", "kubectl statusfleet logs eth-dev -n team relayer-1"),
        (
            "was restarted 3 times: see kubectl logs --previous eth-dev-relayer-1-0",
            "kubectl statusfleet logs eth-dev -n team relayer-1 --previous",
        ),
        ("its node node-1 does not answer", "kubectl get nodes -o wide"),
        ("its node key should be key k of Secret s", "kubectl get secrets -n team"),
        ("", "kubectl statusfleet logs eth-dev -n team"),
    ],
)
@pytest.mark.parametrize("reason", [Reason.MEMBERS_NOT_READY, Reason.ROLLOUT_STOPPED])
def test_what_a_member_says_decides_what_helps(reason: Reason, message: str, command: str) -> None:
    told = [condition(ConditionType.READY, "False", reason, f"relayer-1: {message}")]
    others = [relayer(0, message="ErrImagePull: another"), relayer(2, **READY, message="slow")]
    members = [*others[: bool(message)], relayer(1, message=message), others[1]]
    assert screen(STATUS | {"members": members, "conditions": told})[-1] == f"  next: {command}"


def test_a_tree_is_shown_with_the_member_of_each_record() -> None:
    keys = [PrivateKey(bytes([number]) * 32) for number in (1, 2)]
    records = [
        Record.sign(key, number, ip=f"192.0.2.{number}", tcp=30303)
        for number, key in enumerate(keys, 1)
    ]
    signed = Tree.build(records).sign(keys[0], "nodes.example.org", 5)
    state = State(records={f"relayer-{i}": str(record) for i, record in enumerate(records)})
    told = TreeStatus.model_validate(STATUS["tree"])
    lines = list(tree_lines(signed, members_by_id(state), told))
    assert lines[:3] == [signed.url, "seq 5, 2 nodes", f"root {signed.root}"]
    assert "  refused our key" in lines
    table = [line.split() for line in lines if line.startswith("relayer-")]
    assert table == [
        ["relayer-0", records[0].node_id.hex()[:16], "192.0.2.1", "30303", "-", "1"],
        ["relayer-1", records[1].node_id.hex()[:16], "192.0.2.2", "30303", "-", "2"],
    ]
    assert lines[-1].endswith(f"statusfleet tree show {signed.url}")


def test_columns_are_as_wide_as_they_must_be() -> None:
    assert list(columns(("A", "NUMBER"), [("long", 1), ("", 20)])) == [
        "A     NUMBER",
        "long       1",
        "-         20",
    ]


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(-5, "0s"), (119.9, "119s"), (120, "2m"), (7199, "119m"), (7200, "2h"), (200_000, "2d")],
)
def test_a_span_of_time_is_told_as_kubectl_does(seconds: float, text: str) -> None:
    assert age(seconds) == text


URL = "enrtree://AKA3AM6LPBYEUDMVNU3BSVQJ5AD45Y7YPOHJLEF6W26QOE4VTUDPE@nodes.eth-dev.example.org"
GOOD = [
    condition("Ready", "True", "AllReady"),
    condition("AddressesReady", "True", "AddressesKnown"),
    condition("Reachable", "True", "Reached", "dialed from the operator"),
    condition("TreePublished", "True", "Published"),
    condition("TreePropagated", "True", "Resolved"),
    condition("CanaryPassing", "True", "Passed"),
    condition("Progressing", "False", "Steady"),
    condition("UpdatePending", "False", "UpToDate"),
    condition("Paused", "False", "Active"),
]
BAD = [
    condition("Ready", "False", "MembersNotReady", "relayer-7: is pulling its image " + "x" * 300),
    condition("CanaryPassing", "False", "Failed", "receiving from relayer-1: not in time (10 s)"),
    condition("Progressing", "False", "RolloutStopped", "relayer-7 does not become ready"),
]


def twelve(*changed: dict[str, Any], broken: bool = False) -> dict[str, Any]:
    """Twelve members, with conditions that replace those of a healthy fleet."""
    members = [relayer(i, **READY, address=f"203.0.113.{i}:31000") for i in range(8)]
    members += [
        {**member, "name": f"mailserver-{i}", "role": "mailserver"}
        for i, member in enumerate(members[:4])
    ]
    if broken:
        members[7] |= {"ready": False, "message": "is pulling its image"}
    kinds = {one["type"] for one in changed}
    return {
        "observedGeneration": 7,
        "phase": "Ready",
        "ready": "12/12",
        "image": "example.org/statusfleet:1",
        "roles": {
            role: {"desired": count, "ready": count, "published": count}
            for role, count in (("relayer", 8), ("mailserver", 4))
        },
        "members": members,
        "tree": STATUS["tree"] | {"url": URL, "records": 12},
        "conditions": [*changed, *(one for one in GOOD if one["type"] not in kinds)],
    }


def fitted(status: dict[str, Any], rows: int, columns: int = 80) -> list[str]:
    body = {"metadata": {"namespace": "team", "name": "eth-dev", "generation": 7}}
    found = FleetStatus.model_validate(status)
    return fitting_lines(body, found, NOW, Size(rows, columns))


@pytest.mark.parametrize(
    "status", [twelve(), twelve(*BAD[:1], broken=True), twelve(*BAD, broken=True)]
)
@pytest.mark.parametrize(("rows", "columns"), [(23, 80), (29, 100), (39, 80), (59, 132)])
def test_twelve_members_stand_on_one_screen(
    status: dict[str, Any], rows: int, columns: int
) -> None:
    lines = fitted(status, rows, columns)
    assert Size(rows, columns).rows_of(lines) <= rows
    assert lines[0] == "team/eth-dev: Ready, 12/12 members ready"
    for one in status["conditions"]:
        if one in BAD:
            assert any(line.split()[:1] == [one["type"]] for line in lines)
    helps = any("next: kubectl describe pod eth-dev-relayer-7-0 -n team" in line for line in lines)
    assert helps == (BAD[0] in status["conditions"])


def test_a_healthy_fleet_of_twelve_leaves_no_member_out_on_a_small_screen() -> None:
    lines = fitted(twelve(), 23)
    assert "relayer 8/8 (8 in the tree), mailserver 4/4 (4 in the tree)" in lines
    assert sum(line.split()[1:2] == ["yes"] for line in lines) == 12
    assert lines[-1] == "all 9 conditions are as they should be"


def test_the_member_that_lacks_something_is_shown_before_those_that_do_not() -> None:
    lines = fitted(twelve(*BAD, broken=True), 23)
    place = next(i for i, line in enumerate(lines) if line.startswith("relayer-7"))
    assert lines[place + 1] == "  is pulling its image"
    assert any("more: kubectl statusfleet nodes eth-dev -n team" in line for line in lines)
    assert lines[-1] == "the other 6 conditions are as they should be"


def test_a_large_screen_shows_all_there_is() -> None:
    body = {"metadata": {"namespace": "team", "name": "eth-dev", "generation": 7}}
    whole = list(status_lines(body, FleetStatus.model_validate(twelve()), NOW))
    assert fitted(twelve(), 60, 132) == whole
