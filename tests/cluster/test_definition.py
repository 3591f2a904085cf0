"""The definition of StatusFleet on a real API server: what a user sees with kubectl."""

from __future__ import annotations

import json
from typing import Any

import pytest

from statusfleet.api.manifest import parse_fleet
from support.cluster import Cluster, eventually
from support.manifest_tables import manifest, relayer

TIME = "2026-01-31T12:00:00Z"
STATUS = {
    "observedGeneration": 1,
    "phase": "Ready",
    "ready": "2/2",
    "selector": "statusfleet.io/role=relayer",
    "image": "ghcr.io/example/statusfleet:v1",
    "conditions": [
        {"type": kind, "status": status, "reason": reason, "lastTransitionTime": TIME}
        for kind, status, reason in (
            ("Ready", "True", "AllReady"),
            ("CanaryPassing", "Unknown", "NoRunYet"),
            ("Reachable", "False", "Timeout"),
        )
    ],
    "roles": {"relayer": {"desired": 2, "ready": 2, "published": 1}},
    "tree": {"url": "enrtree://KEY@nodes.example.org", "seq": 12, "records": 1},
}


def into(namespace: str) -> str:
    return f"--namespace={namespace}"


def make(cluster: Cluster, namespace: str, name: str, spec: dict[str, Any] | None = None) -> None:
    cluster.create(manifest(spec or relayer(), name), namespace=namespace)


def test_the_definition_is_established_and_structural(cluster: Cluster, definition: str) -> None:
    assert "Warning" not in definition
    found = cluster.get("crd", "statusfleets.statusfleet.io")
    states = {state["type"]: state["status"] for state in found["status"]["conditions"]}
    assert states == {"NamesAccepted": "True", "Established": "True"}


@pytest.mark.usefixtures("definition")
def test_the_smallest_manifest_gets_the_validator_s_defaults(
    cluster: Cluster, namespace: str
) -> None:
    make(cluster, namespace, "smallest")
    stored = cluster.get("sfleet", "smallest", into(namespace))["spec"]
    assert stored["roles"]["relayer"]["expose"]["type"] == "NodePort"
    assert stored["canary"] == {"enabled": True, "interval": "1m", "timeout": "10s"}
    written_out, problems = parse_fleet(manifest(stored, "smallest"))
    assert problems == []
    assert written_out == parse_fleet(manifest(relayer(), "smallest"))[0]


@pytest.mark.usefixtures("definition")
@pytest.mark.parametrize(
    ("field", "texts"),
    [
        ("spec.roles.relayer.replicas", ["FIELD: replicas <integer>", "How many members"]),
        ("spec.roles.mailserver.maxPeers", ["Default: 5000."]),
        ("spec.roles.relayer.expose.type", ["ENUM: ClusterIP NodePort", "Default: NodePort."]),
        ("spec.tree.ttl.root", ["Default: 5m."]),
        ("status.members.enr", ["Record that the operator signed"]),
    ],
)
def test_explain_shows_meaning_and_default(cluster: Cluster, field: str, texts: list[str]) -> None:
    def explained() -> bool:
        told = " ".join(cluster.kubectl("explain", f"sfleet.{field}").split())
        return all(text in told for text in texts)

    eventually(explained)  # the server publishes a definition's texts some time after it took it


@pytest.mark.usefixtures("definition")
def test_columns_show_what_matters_and_wide_shows_more(cluster: Cluster, namespace: str) -> None:
    make(cluster, namespace, "columns")
    change = json.dumps({"status": STATUS})
    cluster.kubectl(
        *("patch", "sfleet", "columns", into(namespace)),
        *("--subresource=status", "--type=merge", f"--patch={change}"),
    )
    header, row = cluster.kubectl("get", "sfleet", "columns", into(namespace)).splitlines()
    assert header.split() == ["NAME", "READY", "MEMBERS", "PUBLISHED", "SEQ", "CANARY", "AGE"]
    assert row.split()[:6] == ["columns", "True", "2/2", "1", "12", "Unknown"]
    header, row = cluster.kubectl(
        "get", "statusfleet", "columns", into(namespace), "--output=wide"
    ).splitlines()
    more = dict(zip(header.split()[6:11], row.split()[6:11], strict=True))
    assert more == {
        "REASON": "AllReady",
        "REACHABLE": "False",
        "PROPAGATED": "enrtree://KEY@nodes.example.org",
        "TREE": "ghcr.io/example/statusfleet:v1",
        "IMAGE": row.split()[-1],
    }


@pytest.mark.usefixtures("definition")
def test_kubectl_get_all_lists_fleets(cluster: Cluster, namespace: str) -> None:
    make(cluster, namespace, "listed")
    found = cluster.kubectl("get", "all", into(namespace), "--output=name").split()
    assert "statusfleet.statusfleet.io/listed" in found


@pytest.mark.usefixtures("definition")
def test_status_is_written_only_through_its_subresource(cluster: Cluster, namespace: str) -> None:
    cluster.create({**manifest(relayer(), "status"), "status": STATUS}, namespace=namespace)
    assert "status" not in cluster.get("sfleet", "status", into(namespace))
    both = json.dumps({"spec": {"paused": True}, "status": STATUS})
    cluster.kubectl(
        *("patch", "sfleet", "status", into(namespace)),
        *("--subresource=status", "--type=merge", f"--patch={both}"),
    )
    after = cluster.get("sfleet", "status", into(namespace))
    assert after["status"]["tree"]["seq"] == 12
    assert after["spec"]["paused"] is False
    assert after["metadata"]["generation"] == 1


@pytest.mark.usefixtures("definition")
def test_scale_is_the_number_of_relayers(cluster: Cluster, namespace: str) -> None:
    make(cluster, namespace, "scaled")
    name = "sfleet/scaled"
    cluster.kubectl("scale", name, into(namespace), "--replicas=3")
    fleet = cluster.get("sfleet", "scaled", into(namespace))
    assert fleet["spec"]["roles"]["relayer"]["replicas"] == 3
    status = json.dumps({"status": STATUS})
    cluster.kubectl(
        *("patch", name, into(namespace)),
        *("--subresource=status", "--type=merge", f"--patch={status}"),
    )
    scale = cluster.get(name, into(namespace), "--subresource=scale")
    assert scale["spec"] == {"replicas": 3}
    assert scale["status"] == {"replicas": 2, "selector": "statusfleet.io/role=relayer"}
    for number, reason in ((501, "less than or equal to 500"), (0, "no role has a member")):
        answer = cluster.ask("scale", name, into(namespace), f"--replicas={number}")
        assert answer.code
        assert reason in answer.err
    make(cluster, namespace, "mail-only", {"roles": {"mailserver": {}}})
    answer = cluster.ask("scale", "sfleet/mail-only", into(namespace), "--replicas=2")
    assert answer.code
    (line,) = answer.err.splitlines()
    assert line.endswith("the fleet has no such role: write it into spec.roles before it is scaled")


@pytest.mark.usefixtures("definition")
def test_members_are_a_map_so_that_two_hands_can_write_their_own(
    cluster: Cluster, namespace: str
) -> None:
    for hand, ordinal in (("first", 0), ("second", 1)):
        member = {"ordinal": ordinal, "disabled": True}
        spec: dict[str, Any] = {"roles": {"relayer": {"members": [member]}}}
        answer = cluster.apply(
            [manifest(spec, "hands")],
            *(into(namespace), "--server-side", f"--field-manager={hand}"),
        )
        assert answer.code == 0, answer.err
    members = cluster.get("sfleet", "hands", into(namespace))["spec"]["roles"]["relayer"]["members"]
    assert [(member["ordinal"], member["disabled"]) for member in members] == [(0, True), (1, True)]
