"""When a node may be counted on."""

from __future__ import annotations

from dataclasses import replace

from statusnode.crypto.keys import PrivateKey
from statusnode.devp2p.info import StaticNodeInfo
from statusnode.devp2p.protocol import DisconnectReason
from statusnode.node.readiness import FLEET_GRACE_SECONDS, Facts, missing
from statusnode.records.enode import Enode

PEER = StaticNodeInfo(
    Enode(PrivateKey.generate().public_key, "10.0.0.1", 30303, 30303),
    fleet=True,
    connected=False,
    attempts=1,
    refusal=None,
    error="",
)
WELL = Facts(
    listening=True,
    answers_itself=True,
    archive_open=None,
    fleet=(),
    seconds_up=0.1,
    was_ready=False,
)


def test_a_node_without_a_fleet_is_ready_at_once() -> None:
    assert missing(WELL) == []
    assert missing(replace(WELL, archive_open=True)) == []


def test_everything_that_is_missing_is_said() -> None:
    assert missing(replace(WELL, listening=False)) == ["the P2P listener is closed"]
    assert missing(replace(WELL, answers_itself=False)) == [
        "the node has not shaken hands with itself yet"
    ]
    assert missing(replace(WELL, archive_open=False)) == ["the archive cannot be written"]
    assert missing(replace(WELL, fleet=(PEER,))) == [
        "fleet peer 10.0.0.1:30303 is not connected yet"
    ]


def test_a_connected_peer_and_one_that_is_full_are_there() -> None:
    full = replace(PEER, refusal=DisconnectReason.TOO_MANY_PEERS)
    assert missing(replace(WELL, fleet=(replace(PEER, connected=True), full))) == []


def test_a_peer_that_refuses_for_another_reason_is_not_there() -> None:
    useless = replace(PEER, refusal=DisconnectReason.USELESS_PEER)
    assert missing(replace(WELL, fleet=(useless,)))


def test_the_fleet_is_waited_for_ten_seconds() -> None:
    waiting = replace(WELL, fleet=(PEER,))
    assert missing(replace(waiting, seconds_up=FLEET_GRACE_SECONDS - 0.01))
    assert not missing(replace(waiting, seconds_up=FLEET_GRACE_SECONDS))


def test_a_node_that_was_ready_does_not_wait_for_its_fleet_again() -> None:
    assert missing(replace(WELL, fleet=(PEER,), was_ready=True)) == []


def test_a_node_that_was_ready_still_needs_its_archive_and_listener() -> None:
    gone = replace(WELL, was_ready=True, listening=False, archive_open=False)
    assert len(missing(gone)) == 2
