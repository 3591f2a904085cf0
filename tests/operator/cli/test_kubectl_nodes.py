"""A fleet's nodes in the forms that other programs read, and whose logs and restarts are meant."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from statusfleet.api.fleet import StatusFleet
from statusfleet.cli.kubectl.changes import restart_patch
from statusfleet.cli.kubectl.cluster import CommandError
from statusfleet.cli.kubectl.directory import Node, cluster_config, nodes_of, write
from statusfleet.cli.kubectl.formats import Format
from statusfleet.cli.kubectl.sources import Source, selector, sources_of
from statusnode.config.sections import ClusterConfig
from statusnode.crypto.keys import PrivateKey
from statusnode.records.enr import Record
from support.manifest_tables import manifest

ROLES = {
    "bootstrap": {"replicas": 1},
    "relayer": {"replicas": 3},
    "mailserver": {"replicas": 1, "retentionDays": 30},
}
SPEC = {"roles": ROLES, "fleetName": "eth.dev", "datacenter": "do-ams3"}


def record(number: int) -> Record:
    key = PrivateKey(bytes([number]) * 32)
    return Record.sign(key, number, ip=f"192.0.2.{number}", tcp=443)


def fleet(spec: dict[str, Any] = SPEC) -> StatusFleet:
    """A fleet whose status has no room for relayer-2, and whose relayer-1 has no address."""
    told = {"bootstrap-0": 1, "relayer-0": 2, "mailserver-0": 3}
    members: list[dict[str, Any]] = [
        {
            "name": name,
            "role": name.partition("-")[0],
            "ready": True,
            "published": True,
            "enode": str(record(number).enode()),
            "enr": str(record(number)),
        }
        for name, number in told.items()
    ]
    members.append({"name": "relayer-1", "role": "relayer"})
    return StatusFleet.model_validate(manifest(spec) | {"status": {"members": members}})


NODES = nodes_of(fleet(), {"relayer-2": record(4), "relayer-9": record(9)})


def written(form: Format, nodes: tuple[Node, ...] = NODES) -> str:
    return write(nodes, form, fleet="eth.dev", datacenter="do-ams3", choose=lambda _: 0)


def test_every_member_that_the_spec_wants_is_a_node() -> None:
    assert [node.name for node in NODES] == [
        "bootstrap-0",
        "relayer-0",
        "relayer-1",
        "relayer-2",
        "mailserver-0",
    ]
    assert NODES[2] == Node("relayer-1", "relayer", 1, ready=False, published=False)
    # The status has no room for it: only its record is known.
    assert NODES[3] == Node(
        "relayer-2", "relayer", 2, enode=str(record(4).enode()), enr=str(record(4))
    )


def test_lines_leave_out_who_has_no_address() -> None:
    expected = [record(number) for number in (1, 2, 4, 3)]
    assert written(Format.ENODE).splitlines() == [str(one.enode()) for one in expected]
    assert written(Format.ENR).splitlines() == [str(one) for one in expected]
    assert written(Format.ENODE, ()) == ""


def test_json_tells_of_all() -> None:
    found = json.loads(written(Format.JSON))
    assert [node["name"] for node in found] == [node.name for node in NODES]
    assert found[2]["enode"] is None


def test_fleets_json_is_by_service_and_host_name() -> None:
    def address(number: int) -> str:
        return f"enode://{record(number).public_key.data.hex()}@192.0.2.{number}:443"

    assert json.loads(written(Format.FLEETS_JSON)) == {
        "fleets": {
            "eth.dev": {
                "boot": {"boot-01.do-ams3.eth.dev": address(1)},
                "whisper": {
                    "node-01.do-ams3.eth.dev": address(2),
                    "node-03.do-ams3.eth.dev": address(4),
                },
                "mail": {"mail-01.do-ams3.eth.dev": address(3)},
            }
        }
    }


def test_a_fleet_of_no_datacenter_has_shorter_host_names() -> None:
    text = write(NODES[:1], Format.FLEETS_JSON, fleet="eth.dev", datacenter="", choose=lambda _: 0)
    assert list(json.loads(text)["fleets"]["eth.dev"]["boot"]) == ["boot-01.eth.dev"]


def test_the_cluster_config_is_what_statusd_reads() -> None:
    whole = json.loads(written(Format.CLUSTER_CONFIG))
    assert (whole["NoDiscovery"], whole["Rendezvous"]) == (False, False)
    found = whole["ClusterConfig"]
    cluster = ClusterConfig.model_validate(found)
    # A name would have statusd look for a fleet that is built into it.
    assert (cluster.enabled, cluster.fleet) == (True, "")
    assert list(cluster.boot_nodes or ()) == [str(record(1).enode())]
    assert list(cluster.trusted_mail_servers or ()) == [str(record(3).enode())]
    assert found["PushNotificationsServers"] == [f"04{record(3).public_key.data.hex()}"]
    assert found["RendezvousNodes"] == []


@pytest.mark.parametrize(
    ("relayers", "start", "chosen"),
    [(0, 0, []), (1, 0, [0]), (2, 1, [1, 0]), (5, 1, [1, 2]), (5, 4, [4, 0])],
)
def test_static_nodes_are_two_relayers_in_a_row(
    relayers: int, start: int, chosen: list[int]
) -> None:
    enodes = [str(record(number + 1).enode()) for number in range(relayers)]
    nodes = [Node(f"relayer-{i}", "relayer", i, enode=enode) for i, enode in enumerate(enodes)]
    found = cluster_config(nodes, lambda _: start)
    assert found["NoDiscovery"]
    assert found["ClusterConfig"]["StaticNodes"] == [enodes[i] for i in chosen]


@pytest.mark.parametrize(
    ("member", "key"),
    [("", "statusfleet.io/restart"), ("relayer-2", "statusfleet.io/restart.relayer-2")],
)
def test_a_restart_is_asked_for_by_an_annotation(member: str, key: str) -> None:
    now = datetime(2027, 1, 2, 3, 4, 5, 678_000, UTC)
    patch = restart_patch(fleet(), member, now)
    assert patch == {"metadata": {"annotations": {key: "2027-01-02T03:04:05.678+00:00"}}}


@pytest.mark.parametrize("member", ["relayer-3", "relayer", "rendezvous-0"])
def test_a_member_that_is_none_cannot_be_restarted(member: str) -> None:
    with pytest.raises(CommandError, match=f"no member {member}: bootstrap-0, relayer-0"):
        restart_patch(fleet(), member, datetime.now(UTC))


@pytest.mark.parametrize(
    ("what", "expected"),
    [
        ("", "statusfleet.io/fleet=eth-dev,statusfleet.io/role"),
        ("relayer", "statusfleet.io/fleet=eth-dev,statusfleet.io/role=relayer"),
        (
            "relayer-10",
            "statusfleet.io/fleet=eth-dev,statusfleet.io/role=relayer,statusfleet.io/ordinal=10",
        ),
        ("canary", "statusfleet.io/fleet=eth-dev,statusfleet.io/part=canary"),
        ("dns", "statusfleet.io/fleet=eth-dev,statusfleet.io/part=dns"),
    ],
)
def test_whose_logs_are_meant(what: str, expected: str) -> None:
    assert selector("eth-dev", what) == expected


@pytest.mark.parametrize("what", ["relay", "relayer-", "relayer-x", "relayer-0-0", "a=b"])
def test_logs_of_what_is_not_there_are_refused(what: str) -> None:
    with pytest.raises(CommandError, match="is no role, member such as relayer-0"):
        selector("eth-dev", what)


def test_logs_come_by_role_and_ordinal() -> None:
    def pod(name: str, **labels: str) -> dict[str, Any]:
        keyed = {f"statusfleet.io/{key}": value for key, value in labels.items()}
        return {"metadata": {"name": name, "labels": keyed}}

    pods = [
        pod("eth-dev-relayer-10-0", role="relayer", ordinal="10"),
        pod("eth-dev-relayer-9-0", role="relayer", ordinal="9"),
        pod("eth-dev-canary-abc", part="canary"),
    ]
    assert sources_of(pods) == [
        Source("eth-dev-canary-abc", "eth-dev-canary-abc", ""),
        Source("eth-dev-relayer-9-0", "relayer-9", "statusd"),
        Source("eth-dev-relayer-10-0", "relayer-10", "statusd"),
    ]
