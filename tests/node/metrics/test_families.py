"""The names that dashboards made for status-go look for."""

from __future__ import annotations

import time

from statusnode.crypto.keys import PrivateKey
from statusnode.devp2p.counters import Counters
from statusnode.devp2p.info import PeerInfo
from statusnode.metrics.peers import peer_families, traffic_families
from statusnode.metrics.process import process_families
from statusnode.metrics.relay import relay_families
from statusnode.metrics.text import Family, page
from statusnode.records.enode import Enode
from statusnode.relay.counters import RelayCounters


def peer(name: str) -> PeerInfo:
    return PeerInfo(
        enode=Enode(PrivateKey.generate().public_key, "127.0.0.1", 1, 1),
        client_name=name,
        capabilities=(),
        running=(),
        local_address=("127.0.0.1", 1),
        remote_address=("127.0.0.1", 2),
        inbound=True,
        trusted=False,
        static=False,
        fleet=False,
        connected_at=0.0,
    )


def value(families: list[Family], line: str) -> str | None:
    """Return what stands behind a metric's name and labels on the page."""
    found = [row for row in page(families).splitlines() if row.rpartition(" ")[0] == line]
    return found[0].rpartition(" ")[2] if found else None


def test_the_relay_has_the_references_names() -> None:
    counters = RelayCounters(envelopes_received=3)
    counters.envelopes_cache_failures["low_pow"] = 2
    counters.sized(300)
    families = relay_families(counters)
    assert value(families, "waku_envelopes_received_total") == "3"
    assert value(families, 'waku_envelopes_cache_failures_total{type="low_pow"}') == "2"
    assert value(families, 'waku_envelopes_rejected_total{reason="invalid_data"}') == "0"
    assert value(families, 'waku_envelopes_cached_total{cache="miss"}') == "0"
    assert value(families, 'waku_envelopes_size_bytes_bucket{le="256"}') == "0"
    assert value(families, 'waku_envelopes_size_bytes_bucket{le="6.7108864e+07"}') == "1"
    assert value(families, "waku_envelopes_size_bytes_sum") == "300"
    assert value(families, "waku_envelopes_size_bytes_count") == "1"
    assert value(families, "waku_rate_limits_processed_total") == "0"


def test_peers_are_counted_by_the_parts_of_their_names() -> None:
    names = [
        "StatusIM/v0.30.1-beta.2/android-arm/go1.12",
        "Statusd/v0.1.0/linux-amd64/python3.11.7",
        "Statusd/v0.1.0/linux-amd64/python3.12.0",
        "StatusIM/android-arm64/go1.11",
        "odd",
        "a/b/c/d/e",
    ]
    families = peer_families([peer(name) for name in names], 25)
    label = '{type="%s",version="%s",platform="%s"}'
    mobile = "p2p_peers_count" + label % ("StatusIM", "v0.30.1-beta.2", "android-arm")
    ours = "p2p_peers_count" + label % ("Statusd", "v0.1.0", "linux-amd64")
    short = "p2p_peers_count" + label % ("StatusIM", "unknown", "android-arm64")
    assert value(families, mobile) == "1"
    assert value(families, ours) == "2"
    assert value(families, short) == "1"
    assert value(families, "p2p_peers_absolute") == "6"
    assert value(families, "p2p_peers_max") == "25"


def test_traffic_has_go_ethereums_names() -> None:
    families = traffic_families(Counters(ingress_bytes=1, egress_bytes=2, serves=3, dials=4))
    names = ("p2p_ingress", "p2p_egress", "p2p_serves", "p2p_dials")
    assert [value(families, name) for name in names] == ["1", "2", "3", "4"]


def test_the_process_is_described() -> None:
    found = {family.name: family.samples[0].value for family in process_families()}
    assert found["process_resident_memory_bytes"] > 1_000_000
    assert found["process_cpu_seconds_total"] > 0
    assert found["process_open_fds"] <= found["process_max_fds"]
    assert 0 < found["process_start_time_seconds"] < time.time() + 60
    assert found["system_cpu_threads"] >= 1
