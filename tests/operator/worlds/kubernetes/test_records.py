"""What is kept of bodies: enough to decide, and nothing that is secret."""

from __future__ import annotations

from typing import Any

import pytest

from statusfleet.kube.names import member_labels
from statusfleet.plan import MemberId
from statusfleet.worlds.kubernetes.names import Owner, member_of
from statusfleet.worlds.kubernetes.records import (
    Child,
    NodeRecord,
    PodRecord,
    ServiceRecord,
    fleet_of,
    record_of,
)


def body(kind: str, api: str = "v1", **parts: Any) -> dict[str, Any]:
    metadata = {
        "name": "eth-dev-relayer-0",
        "namespace": "status",
        "uid": "u",
        "resourceVersion": "42",
        "labels": member_labels("eth-dev", "relayer", 0),
        **parts.pop("metadata", {}),
    }
    return {"apiVersion": api, "kind": kind, "metadata": metadata, **parts}


def managed(manager: str, *fields: str, operation: str = "Apply") -> dict[str, Any]:
    names = {f"f:{field}": {} for field in fields}
    return {"manager": manager, "operation": operation, "fieldsV1": {"f:data": names}}


def test_a_secret_leaves_its_content_behind() -> None:
    record = record_of(body("Secret", data={"secret.json": "bm8="}))
    assert record == Child("Secret", "eth-dev-relayer-0", 42, member=MemberId("relayer", 0))
    assert "bm8" not in repr(record)


def test_a_field_that_somebody_took_is_seen() -> None:
    def owned(*entries: dict[str, Any]) -> str:
        record = record_of(body("ConfigMap", metadata={"managedFields": list(entries)}))
        assert isinstance(record, Child)
        return record.owned

    ours = owned(managed("statusfleet", "a", "b"))
    assert owned(managed("statusfleet", "a", "b"), managed("kubectl", "c")) == ours
    assert owned(managed("statusfleet", "a"), managed("kubectl", "b")) != ours
    assert owned(managed("kubectl", "a")) == ""


def test_a_service_tells_all_ways_to_it() -> None:
    record = record_of(
        body(
            "Service",
            spec={
                "type": "LoadBalancer",
                "clusterIPs": ["10.96.0.9", "fd00::9"],
                "ports": [
                    {"name": "theirs", "protocol": "TCP", "port": 80, "nodePort": 31001},
                    {"name": "p2p-udp", "protocol": "UDP", "port": 1, "nodePort": 2},
                    {"name": "p2p", "protocol": "TCP", "port": 443, "nodePort": 31000},
                ],
            },
            status={"loadBalancer": {"ingress": [{"ip": "1.1.1.1"}, {"hostname": "lb.example"}]}},
        )
    )
    assert isinstance(record, ServiceRecord)
    assert (record.type, record.cluster_ips) == ("LoadBalancer", ("10.96.0.9", "fd00::9"))
    assert (record.port, record.node_port) == (443, 31000)
    assert (record.balancer_ips, record.balancer_names) == (("1.1.1.1",), ("lb.example",))


@pytest.mark.parametrize(
    ("status", "problem"),
    [
        ({}, ""),
        (
            {"conditions": [{"type": "PodScheduled", "status": "False", "message": "0/2 nodes"}]},
            "no node takes its pod: 0/2 nodes",
        ),
        (
            {
                "conditions": [
                    {
                        "type": "PodScheduled",
                        "status": "False",
                        "message": "1 node(s) didn't match PersistentVolume's node affinity",
                    }
                ]
            },
            (
                "no node takes its pod: its volume is on a node that cannot have it now: bring "
                "that node back, or delete its claim to begin with an empty volume (1 node(s) "
                "didn't match PersistentVolume's node affinity)"
            ),
        ),
        (
            {"containerStatuses": [{"state": {"waiting": {"reason": "ContainerCreating"}}}]},
            "",
        ),
        (
            {
                "containerStatuses": [
                    {"state": {"waiting": {"reason": "ErrImagePull", "message": "no such image"}}}
                ]
            },
            "ErrImagePull: no such image",
        ),
        (
            {
                "containerStatuses": [
                    {
                        "state": {"waiting": {"reason": "CrashLoopBackOff"}},
                        "lastState": {"terminated": {"exitCode": 1, "message": "bad config\n"}},
                    }
                ]
            },
            "exited with code 1: bad config",
        ),
        (
            {
                "containerStatuses": [
                    {
                        "state": {"running": {}},
                        "lastState": {"terminated": {"exitCode": 137, "reason": "OOMKilled"}},
                    }
                ]
            },
            "",
        ),
    ],
)
def test_a_pod_says_what_keeps_it_from_running(status: dict[str, Any], problem: str) -> None:
    record = record_of(body("Pod", spec={"containers": [{"image": "i:1"}]}, status=status))
    assert isinstance(record, PodRecord)
    assert record.problem == problem
    assert record.image == "i:1"


def test_a_pods_times_are_unix_seconds() -> None:
    ready = {"type": "Ready", "status": "True", "lastTransitionTime": "2026-11-21T12:00:00Z"}
    record = record_of(
        body(
            "Pod",
            metadata={"annotations": {"statusfleet.io/restart-hash": "h"}},
            status={"conditions": [ready]},
        )
    )
    assert isinstance(record, PodRecord)
    assert (record.ready, record.since, record.restart_hash) == (True, 1795262400.0, "h")


def test_a_node_tells_its_addresses_and_whether_it_is_given_up() -> None:
    record = record_of(
        body(
            "Node",
            spec={"taints": [{"key": "node.kubernetes.io/out-of-service"}]},
            status={
                "addresses": [
                    {"type": "InternalIP", "address": "172.30.0.2"},
                    {"type": "Hostname", "address": "node-1"},
                ],
                "conditions": [{"type": "Ready", "status": "Unknown"}],
            },
        )
    )
    assert record == NodeRecord(
        "eth-dev-relayer-0", (), ("172.30.0.2",), ready=False, out_of_service=True
    )


def test_an_object_names_its_fleet_and_member() -> None:
    assert fleet_of(body("Pod")) == ("status", "eth-dev")
    assert member_of(member_labels("eth-dev", "mailserver", 12)) == MemberId("mailserver", 12)
    assert member_of({"statusfleet.io/role": "king", "statusfleet.io/ordinal": "0"}) is None
    assert member_of({}) is None


def test_the_longest_names_leave_room_for_what_kubernetes_adds() -> None:
    owner = Owner("n", "f" * 40, "u")
    member = MemberId("mailserver", 499)
    assert len(owner.stateful_set(member)) == 52
    other = Owner("n", "f" * 39 + "g", "u")
    assert other.stateful_set(member) != owner.stateful_set(member)
    assert Owner("n", "eth-dev", "u").stateful_set(member) == "eth-dev-mailserver-499"
