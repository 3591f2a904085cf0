"""Who is let in."""

from __future__ import annotations

import pytest

from statusnode.devp2p.addresses import is_local, normalise
from statusnode.devp2p.admission import InboundThrottle, outbound_wins, refusal
from statusnode.devp2p.protocol import DisconnectReason

OWN, PEER, OTHER = b"own", b"peer", b"other"


@pytest.mark.parametrize(
    ("node_id", "connected", "exempt", "expected"),
    [
        (PEER, set(), False, None),
        (PEER, {OTHER}, False, None),
        (PEER, {OTHER, b"third"}, False, DisconnectReason.TOO_MANY_PEERS),
        (PEER, {OTHER, b"third"}, True, None),
        (PEER, {PEER}, False, DisconnectReason.ALREADY_CONNECTED),
        (PEER, {PEER, OTHER}, False, DisconnectReason.TOO_MANY_PEERS),
        (PEER, {PEER, OTHER}, True, DisconnectReason.ALREADY_CONNECTED),
        (OWN, set(), False, DisconnectReason.SELF),
        (OWN, {OTHER, PEER}, False, DisconnectReason.TOO_MANY_PEERS),
        (OWN, {OTHER, PEER}, True, DisconnectReason.SELF),
    ],
)
def test_a_peer_is_refused_for_the_first_reason_that_holds(
    node_id: bytes, connected: set[bytes], exempt: bool, expected: DisconnectReason | None
) -> None:
    assert (
        refusal(
            node_id,
            own_id=OWN,
            connected=connected,
            counted=len(connected),
            max_peers=2,
            exempt=exempt,
        )
        is expected
    )


def test_both_sides_agree_which_of_two_crossing_dials_stays() -> None:
    # What is outbound here is inbound there.
    assert outbound_wins(OWN, PEER) is not outbound_wins(PEER, OWN)


@pytest.mark.parametrize(
    ("host", "local"),
    [
        ("127.0.0.1", True),
        ("0.1.2.3", True),
        ("10.244.3.7", True),
        ("172.16.0.1", True),
        ("172.32.0.1", False),
        ("192.168.1.1", True),
        ("100.64.0.1", False),
        ("169.254.1.1", False),
        ("8.8.8.8", False),
        ("::1", True),
        ("fe80::1", True),
        ("fd00::1", True),
        ("2001:db8::1", False),
        ("no address", False),
    ],
)
def test_local_networks_are_those_of_the_reference(host: str, local: bool) -> None:
    assert is_local(host) is local


@pytest.mark.parametrize(
    ("host", "shown"),
    [
        ("::ffff:10.0.0.1", "10.0.0.1"),
        ("10.0.0.1", "10.0.0.1"),
        ("2001:0db8::0001", "2001:db8::1"),
        ("", ""),
    ],
)
def test_an_address_is_written_in_one_way(host: str, shown: str) -> None:
    assert normalise(host) == shown


def test_a_foreign_address_may_try_once_in_a_while() -> None:
    throttle = InboundThrottle(30)
    assert throttle.admits("8.8.8.8", 0)
    assert not throttle.admits("8.8.8.8", 29)
    assert throttle.admits("8.8.4.4", 29)
    assert throttle.admits("8.8.8.8", 30)  # the refused attempt prolonged nothing


def test_a_local_address_may_try_as_often_as_it_likes() -> None:
    throttle = InboundThrottle(30)
    assert all(throttle.admits("10.0.0.1", 0) for _ in range(5))


def test_the_throttle_remembers_a_bounded_number_of_addresses() -> None:
    throttle = InboundThrottle(30)
    for index in range(70_000):
        assert throttle.admits(f"2001:db8::{index:x}", 0)
    assert not throttle.admits("2001:db8::1116f", 0)  # the last one
    assert throttle.admits("2001:db8::0", 0)  # the first one, forgotten
