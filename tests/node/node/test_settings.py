"""From the configuration to the settings of each part."""

from __future__ import annotations

import pytest

from statusnode.config.model import NodeConfig
from statusnode.config.sections import ClusterConfig, StatusFleet, WakuConfig
from statusnode.crypto.keys import PrivateKey
from statusnode.node.settings import (
    Peers,
    client_name,
    peers_of,
    record_of,
    relay_settings,
    server_config,
)
from statusnode.records.enode import Enode
from statusnode.records.enr import Record
from statusnode.relay.settings import LimiterSettings, RateLimits, RelaySettings

KEYS = [PrivateKey.generate() for _ in range(4)]
ENODES = [Enode(key.public_key, f"10.0.0.{i}", 30303, 30303) for i, key in enumerate(KEYS)]
A, B, C, D = map(str, ENODES)


def test_the_name_has_the_four_parts_that_peers_count_by() -> None:
    name, version, platform, language = client_name(NodeConfig(name="Statusd")).split("/")
    assert name == "Statusd"
    assert version.startswith("v")
    assert platform.startswith("linux-")
    assert language.startswith("python3.")
    assert "/v9/" in client_name(NodeConfig(name="Statusd", version="9"))


def test_lists_of_peers_are_read() -> None:
    config = NodeConfig(
        cluster=ClusterConfig(enabled=True, static_nodes=[A], trusted_mail_servers=[D]),
        status_fleet=StatusFleet(fleet_peers=[B], canary=C),
    )
    peers, problems = peers_of(config)
    assert peers == Peers((ENODES[0],), (ENODES[1],), (ENODES[2],), (ENODES[3],))
    assert problems == []


def test_a_cluster_that_is_off_has_no_static_nodes() -> None:
    peers, _ = peers_of(NodeConfig(cluster=ClusterConfig(static_nodes=[A])))
    assert peers == Peers()


def test_what_is_no_node_is_left_out_and_named() -> None:
    bare = f"enode://{KEYS[1].public_key.data.hex()}"
    cluster = ClusterConfig(enabled=True, static_nodes=["enode://x", A, bare, A])
    peers, problems = peers_of(
        NodeConfig(cluster=cluster, status_fleet=StatusFleet(canary=bare, fleet_peers=["?"]))
    )
    assert peers.static == (ENODES[0],)
    assert [problem.path for problem in problems] == [
        "ClusterConfig.StaticNodes[0]",
        "ClusterConfig.StaticNodes[2]",
        "StatusFleet.FleetPeers[0]",
    ]
    assert [node.public_key for node in peers.trusted] == [KEYS[1].public_key]


def test_devp2p_gets_its_address_and_limits() -> None:
    config = server_config(NodeConfig(listen_addr=":1", max_peers=2, max_pending_peers=3))
    assert (config.listen_address, config.max_peers, config.max_pending_peers) == (":1", 2, 3)


def test_a_plain_relay_has_the_defaults_of_the_reference() -> None:
    settings, problems = relay_settings(NodeConfig(), Peers())
    assert settings == RelaySettings()
    assert problems == []


@pytest.mark.parametrize(
    ("waku", "expected"),
    [
        (WakuConfig(minimum_pow=0.01), RelaySettings(min_pow=0.01)),
        (WakuConfig(minimum_pow=0), RelaySettings(min_pow=0)),
        (WakuConfig(max_message_size=0), RelaySettings()),
        (WakuConfig(max_message_size=7), RelaySettings(max_message_size=7)),
        (WakuConfig(full_node=True), RelaySettings(full_node=True)),
        (WakuConfig(light_client=True), RelaySettings(light_client=True)),
        (WakuConfig(bloom_filter_mode=True), RelaySettings(bloom_filter_mode=True)),
        (WakuConfig(packet_rate_limit_ip=1), RelaySettings()),
    ],
)
def test_what_the_configuration_says_the_relay_does(
    waku: WakuConfig, expected: RelaySettings
) -> None:
    assert relay_settings(NodeConfig(waku=waku), Peers())[0] == expected


def test_rate_limits_spare_whoever_the_configuration_names() -> None:
    waku = WakuConfig(
        enable_rate_limiter=True,
        packet_rate_limit_ip=1,
        packet_rate_limit_peer_id=2,
        bytes_rate_limit_ip=3,
        bytes_rate_limit_peer_id=4,
        rate_limit_tolerance=5,
    )
    named = Enode(KEYS[3].public_key, "node.example.org", 1, 1)
    peers = Peers((ENODES[0],), (ENODES[1],), (ENODES[2],), (named,))
    settings, _ = relay_settings(NodeConfig(waku=waku), peers)
    assert settings.limiter == LimiterSettings(
        packet_limits=RateLimits(1, 2),
        byte_limits=RateLimits(3, 4),
        tolerance=5,
        exempt_addresses=frozenset({"10.0.0.0", "10.0.0.1", "10.0.0.2"}),
        exempt_nodes=frozenset(key.public_key.node_id for key in KEYS),
    )


def test_the_soft_blacklist_holds_node_ids() -> None:
    node_id = KEYS[0].public_key.node_id
    waku = WakuConfig(soft_blacklisted_peer_ids=[f"0x{node_id.hex()}", "0x12", "nope"])
    settings, problems = relay_settings(NodeConfig(waku=waku), Peers())
    assert settings.soft_blacklist == {node_id}
    assert [problem.path for problem in problems] == [
        "WakuConfig.SoftBlacklistedPeerIDs[1]",
        "WakuConfig.SoftBlacklistedPeerIDs[2]",
    ]


def test_a_record_is_shown_only_if_the_node_itself_signed_it() -> None:
    text = str(Record.sign(KEYS[0], 7, ip="10.0.0.1", tcp=30303))
    config = NodeConfig(status_fleet=StatusFleet(record=text))
    record, problems = record_of(config, KEYS[0].public_key)
    assert str(record) == text
    assert problems == []
    assert record_of(config, KEYS[1].public_key)[0] is None
    assert record_of(NodeConfig(), KEYS[0].public_key) == (None, [])
    broken = NodeConfig(status_fleet=StatusFleet(record="enr:x"))
    record, problems = record_of(broken, KEYS[0].public_key)
    assert record is None
    assert [problem.path for problem in problems] == ["StatusFleet.Record"]
