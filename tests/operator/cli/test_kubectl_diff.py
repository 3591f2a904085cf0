"""What `kubectl statusfleet diff` foretells of fleets by hand, and the merge that it asks about."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import SecretStr

from statusfleet.api.fleet import StatusFleet
from statusfleet.api.manifest import parse_fleet
from statusfleet.cli.effects import Difference, Effect
from statusfleet.cli.kubectl.diff import Change, change_lines
from statusfleet.cli.kubectl.forecast import Forecast, by_reason, forecast, ranges
from statusfleet.cli.kubectl.merging import (
    LAST_APPLIED,
    applier,
    edits,
    last_applied,
    three_way,
    written,
)
from statusfleet.cli.kubectl.observing import Scene, stand_ins
from statusfleet.plan import MemberId
from statusfleet.store import State, TreeState
from statusfleet.tree.publication import Publication
from statusfleet.worlds.kubernetes.records import (
    Child,
    NodeRecord,
    PodRecord,
    ServiceRecord,
    Snapshot,
)
from statusnode.crypto.keys import PrivateKey
from statusnode.records.enr import Record
from statusnode.records.tree import Tree

RELAYER = {"replicas": 2, "expose": {"addressScope": "Private"}}
SPEC: dict[str, Any] = {
    "roles": {"relayer": RELAYER, "mailserver": {"expose": {"addressScope": "Private"}}},
    "tree": {"domain": "nodes.example.org", "publish": [{"embedded": {}}]},
    "rollout": {"soak": "5s"},
}
MEMBERS = (MemberId("relayer", 0), MemberId("relayer", 1), MemberId("mailserver", 0))
START = Difference(Effect.START, "relayer-0", "it is new")
STATUS = {"image": "example.org/statusfleet:1"}


def fleet(spec: dict[str, Any], status: dict[str, Any] | None = None, **asked: str) -> StatusFleet:
    found, problems = parse_fleet(
        {
            "apiVersion": "statusfleet.io/v1alpha1",
            "kind": "StatusFleet",
            "metadata": {"name": "eth-dev", "annotations": asked},
            "spec": spec,
            "status": status or STATUS,
        }
    )
    assert found is not None, problems
    return found


def with_role(role: str, **fields: Any) -> dict[str, Any]:
    roles = SPEC["roles"]
    return SPEC | {"roles": {**roles, role: {**roles[role], **fields}}}


def scene(*unready: str) -> Scene:
    """Three members that run; all are in the tree."""
    pods, services, records = {}, {}, {}
    for place, member in enumerate(MEMBERS, 1):
        name = f"eth-dev-{member.name}"
        pods[name] = PodRecord(
            f"{name}-0",
            str(place),
            member,
            node="node-1",
            ready=member.name not in unready,
            since=0.0,
            running=True,
        )
        services[name] = ServiceRecord(
            Child("Service", name), "NodePort", (f"10.0.0.{place}",), 30303, 31000 + place
        )
        key = PrivateKey(bytes([place]) * 32)
        records[member.name] = Record.sign(key, 1, ip="192.0.2.1", tcp=31000 + place)
    node = NodeRecord("node-1", internal_ips=("192.0.2.1",))
    tree = Tree.build(list(records.values())).sign(PrivateKey(b"\x09" * 32), "nodes.example.org", 3)
    state = State(
        records={name: str(record) for name, record in records.items()},
        tree=TreeState(3, Publication(tree)),
    )
    return Scene(Snapshot(pods=pods, services=services, nodes={"node-1": node}), state)


def told(change: Forecast) -> list[tuple[str, str, str]]:
    return [
        (effect.value, " ".join(names), why) for effect, names, why in by_reason(change.differences)
    ]


def after(spec: dict[str, Any], *unready: str, **asked: str) -> Forecast:
    return forecast(fleet(SPEC), fleet(spec, **asked), scene(*unready), {})


def test_an_equal_fleet_asks_for_nothing() -> None:
    assert after(SPEC) == Forecast((), soak="5s")


def test_a_new_fleet_starts_all_its_members() -> None:
    change = forecast(None, fleet(SPEC), Scene(), {})
    assert told(change)[0] == (
        "start",
        "relayer-0 relayer-1 mailserver-0",
        "the fleet is new",
    )


def test_a_member_more_is_started_and_the_others_take_it_up_while_they_run() -> None:
    change = after(with_role("relayer", replicas=3))
    assert [(effect, names) for effect, names, _ in told(change)] == [
        ("reload", "relayer-0 relayer-1 mailserver-0"),
        ("start", "relayer-2"),
        ("publish", "nodes.example.org"),
    ]
    assert change.differences[-1].why == "adds relayer-2 once ready"
    assert not change.waves


def test_a_member_less_leaves_the_tree_and_then_stops() -> None:
    change = after(with_role("relayer", replicas=1))
    assert ("stop", "relayer-1", "leaves the tree, and stops 5m later; its key stays") in told(
        change
    )
    assert change.differences[-1].why == "removes relayer-1"


def test_a_role_that_goes_keeps_its_volume() -> None:
    change = after(SPEC | {"roles": {"relayer": RELAYER}})
    (stop,) = [one for one in change.differences if one.effect is Effect.STOP]
    assert stop.what == "mailserver-0"
    assert stop.why.endswith("; its key and its volume stay")


@pytest.mark.parametrize(
    ("spec", "names", "why"),
    [
        (
            SPEC | {"image": {"tag": "2"}},
            "relayer-0 relayer-1 mailserver-0",
            "runs example.org/statusfleet:2",
        ),
        (
            with_role("relayer", template={"nodeSelector": {"a": "b"}}),
            "relayer-0 relayer-1",
            "its pod is made otherwise",
        ),
        (
            SPEC | {"fleetName": "eth.dev"},
            "relayer-0 relayer-1 mailserver-0",
            "changes ClusterConfig.Fleet",
        ),
    ],
)
def test_what_cannot_be_taken_up_starts_members_anew(
    spec: dict[str, Any], names: str, why: str
) -> None:
    assert ("restart", names, why) in told(after(spec))


def test_a_restart_goes_by_roles_one_member_after_the_other() -> None:
    change = after(SPEC | {"image": {"tag": "2"}})
    assert change.waves == (("relayer-0",), ("relayer-1",), ("mailserver-0",))


def test_one_that_is_asked_for_is_started_anew_alone() -> None:
    change = after(SPEC, **{"statusfleet.io/restart.relayer-1": "now"})
    assert told(change) == [("restart", "relayer-1", "a restart is asked for")]
    assert change.waves == (("relayer-1",),)


def test_a_rollout_begins_with_who_does_not_work_and_waits_for_who_is_not_ready() -> None:
    change = after(SPEC | {"image": {"tag": "2"}}, "relayer-1")
    assert change.waves[0] == ("relayer-1",)
    asked = {"statusfleet.io/restart.relayer-0": "now"}
    change = after(SPEC, "relayer-1", **asked)
    assert change.waves == (("relayer-0",),)
    assert change.notes == ("the rollout first waits for relayer-1: is not ready yet",)


def test_another_address_is_another_record_and_no_restart() -> None:
    own = {"ordinal": 0, "address": {"ip": "203.0.113.7", "tcp": 443}}
    change = after(with_role("relayer", members=[own]))
    assert told(change) == [("publish", "nodes.example.org", "renews relayer-0")]


def test_a_newer_operator_has_its_way_with_members_whose_role_is_edited() -> None:
    condition = {
        "type": "UpdatePending",
        "status": "True",
        "reason": "NewerOperator",
        "lastTransitionTime": "2026-01-01T00:00:00Z",
    }
    before = fleet(SPEC, STATUS | {"conditions": [condition]})
    edited = fleet(with_role("relayer", expose={"addressScope": "Public"}))
    restarts = [row for row in told(forecast(before, edited, scene(), {})) if row[0] == "restart"]
    assert [names for _, names, _ in restarts] == ["relayer-0 relayer-1"]
    assert "newer operator" in restarts[0][2]


def test_a_password_of_another_value_starts_the_mailservers_anew_and_is_never_told() -> None:
    source = {"secretKeyRef": {"name": "mail", "key": "password"}}
    spec = with_role("mailserver", password=source)
    there = Scene(scene().snapshot, scene().state, {("mail", "password"): SecretStr("before")})
    brought = {("mail", "password"): SecretStr("hidden")}
    change = forecast(fleet(spec), fleet(spec), there, brought)
    expected = ("restart", "mailserver-0", "changes WakuConfig.MailServerPassword")
    assert told(change) == [expected]
    assert "hidden" not in repr(change)
    assert not forecast(fleet(spec), fleet(spec), there, {}).differences


def test_a_secret_that_is_not_there_leaves_its_member_as_it_is() -> None:
    change = after(
        with_role("mailserver", password={"secretKeyRef": {"name": "mail", "key": "password"}})
    )
    assert "mailserver-0 would be left as it is" in change.notes[0]
    assert not [one for one in change.differences if one.what == "mailserver-0"]


def test_secrets_that_may_not_be_read_differ_by_their_names_alone() -> None:
    def spec(name: str) -> dict[str, Any]:
        return with_role("mailserver", password={"secretKeyRef": {"name": name, "key": "p"}})

    fleets = [fleet(spec("one")), fleet(spec("two"))]
    there = Scene(scene().snapshot, scene().state, stand_ins(fleets), reads_secrets=False)
    assert not forecast(fleets[0], fleets[0], there, {}).differences
    changed = told(forecast(*fleets, there, {}))
    assert changed == [("restart", "mailserver-0", "changes WakuConfig.MailServerPassword")]


def test_a_canary_and_a_tree_are_told_of() -> None:
    tree = SPEC["tree"] | {"publish": [{"embedded": {}}, {"dnsEndpoint": {}}]}
    change = after(SPEC | {"canary": {"enabled": False}, "tree": tree})
    assert ("stop", "canary", "spec.canary.enabled says so") in told(change)
    assert change.differences[-1].why == "goes to embedded, dnsEndpoint"


def test_a_tree_that_is_named_no_more_is_withdrawn_or_left_where_the_spec_says_so() -> None:
    rest = {key: value for key, value in SPEC.items() if key != "tree"}
    assert after(rest).differences[-1].why == "is withdrawn"
    assert after(rest | {"deletion": {"tree": "Keep"}}).differences[-1].why == "is withdrawn"
    tree = SPEC["tree"] | {"publish": [{"embedded": {}}, {"dnsEndpoint": {}}]}
    before = fleet(SPEC | {"tree": tree})
    left = forecast(before, fleet(rest | {"deletion": {"tree": "Keep"}}), scene(), {})
    assert left.differences[-1].why == "is kept up no more, and stays as it is at dnsEndpoint"


def test_a_paused_fleet_says_that_nothing_happens() -> None:
    assert "is paused" in after(SPEC | {"paused": True}).notes[0]


def test_a_change_stands_on_one_screen() -> None:
    change = after(SPEC | {"image": {"tag": "2"}})
    before, now = ({"spec": {"image": {"tag": tag}}} for tag in ("1", "2"))
    assert list(change_lines(Change("team/eth-dev", tuple(edits(before, now)), change, False))) == [
        "team/eth-dev: 1 field would change",
        '  spec.image.tag: "1" -> "2"',
        "",
        "WOULD    WHAT                                WHY",
        "restart  relayer-0, relayer-1, mailserver-0  runs example.org/statusfleet:2",
        "one after the other: relayer-0, then relayer-1, then mailserver-0",
        "  the next goes when the last has been ready for 5s",
    ]


def test_many_members_are_told_of_in_short() -> None:
    names = ["relayer-0", "relayer-1", "relayer-2", "relayer-5", "mailserver-0", "mailserver-1"]
    assert ranges(names) == ["relayer-0 to 2", *names[3:]]
    assert ranges(["canary", "canary"]) == ["canary", "canary"]
    waves = (("relayer-0", "relayer-3"), ("relayer-1",), ("relayer-2",), ("relayer-4",))
    change = Change("team/eth-dev", (), Forecast((START,), waves, soak="5s"), is_new=False)
    order = "relayer-0 and relayer-3, then relayer-1, then relayer-2, then relayer-4"
    assert f"one after the other: {order}" in list(change_lines(change))


def test_nothing_is_said_in_one_line() -> None:
    nothing = Change("team/eth-dev", (), Forecast(()), is_new=False)
    assert list(change_lines(nothing)) == ["team/eth-dev: nothing would change"]


def test_what_was_taken_out_of_a_manifest_goes_and_what_others_added_stays() -> None:
    last = {"spec": {"a": 1, "b": {"c": 1, "d": 2}, "gone": 1}}
    live = {"spec": {"a": 1, "b": {"c": 1, "d": 2, "theirs": 3}, "default": True}}
    wish = {"spec": {"a": 2, "b": {"c": 1}}}
    assert three_way(last, wish, live) == {"spec": {"a": 2, "b": {"d": None}}}
    assert three_way({}, wish, live) == {"spec": {"a": 2}}


def test_who_applied_an_object_is_known_from_it() -> None:
    def entry(manager: str, operation: str = "Apply", **more: str) -> dict[str, str]:
        return {"manager": manager, "operation": operation, **more}

    def managed(*entries: dict[str, str]) -> dict[str, Any]:
        return {"metadata": {"managedFields": list(entries)}}

    assert applier(managed(entry("argocd"), entry("kubectl"))) == "kubectl"
    assert applier(managed(entry("statusfleet"), entry("argocd"))) == "argocd"
    assert applier(managed(entry("kubectl-create", "Update"))) is None
    assert applier(managed(entry("statusfleet", subresource="status"))) is None


def test_only_what_users_write_is_compared() -> None:
    body = {
        "metadata": {"uid": "1", "annotations": {LAST_APPLIED: "{}", "a": "b"}},
        "spec": {"paused": False},
        "status": {"phase": "Ready"},
    }
    assert written(body) == {"metadata": {"annotations": {"a": "b"}}, "spec": {"paused": False}}
    assert last_applied(body) == {}
    assert last_applied({"metadata": {}}) is None
    assert not edits(body, {**body, "status": {}})


def test_fields_are_named_with_what_they_are_and_will_be() -> None:
    before = {"spec": {"list": [{"a": 1}], "gone": "x" * 100}}
    now = {"spec": {"list": [{"a": 2}, 3], "new": {"b": True}}}
    assert [str(edit) for edit in edits(before, now)] == [
        f'spec.gone: "{"x" * 46}… -> (none)',
        "spec.list[0].a: 1 -> 2",
        "spec.list[1]: (none) -> 3",
        'spec.new: (none) -> {"b": true}',
    ]
