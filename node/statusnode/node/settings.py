"""From the configuration to the settings of each part: pure, so that each rule has a table test.

Nothing is resolved or opened. Addresses that make no sense are reported and left out, as status-go
leaves them out: one wrong entry in a list of peers must not keep a node from running.
"""

from __future__ import annotations

import ipaddress
import platform
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

import statusnode
from statusnode.config.errors import Problem
from statusnode.config.model import NodeConfig
from statusnode.config.sections import StatusFleet
from statusnode.crypto.keys import PublicKey
from statusnode.devp2p.server import ServerConfig
from statusnode.records.enode import Enode, EnodeError
from statusnode.records.enr import Record, RecordError
from statusnode.relay.settings import (
    DEFAULT_MAX_MESSAGE_SIZE,
    LimiterSettings,
    RateLimits,
    RelaySettings,
)

_NODE_ID_SIZE: Final = 32
# What Go calls these machines; peers group each other by such names.
_GO_ARCHITECTURES: Final = {"x86_64": "amd64", "aarch64": "arm64"}


@dataclass(frozen=True, slots=True)
class Peers:
    """Who the node knows by name."""

    static: tuple[Enode, ...] = ()
    fleet: tuple[Enode, ...] = ()
    trusted: tuple[Enode, ...] = ()
    """Let in above the peer limit, never dialed: the fleet's canary."""
    mailservers: tuple[Enode, ...] = ()
    """Spared by rate limits."""


@dataclass(frozen=True, slots=True)
class LiveSettings:
    """What a running node takes up from a changed configuration."""

    peers: Peers
    relay: RelaySettings
    record: Record | None
    """The record that the operator signed for this node."""
    problems: tuple[Problem, ...]
    """Entries that make no sense and are left out."""


def live_settings(config: NodeConfig, key: PublicKey) -> LiveSettings:
    """Return what follows from a configuration for the node whose key this is."""
    peers, peer_problems = peers_of(config)
    relay, relay_problems = relay_settings(config, peers)
    record, record_problems = record_of(config, key)
    problems = (*peer_problems, *relay_problems, *record_problems)
    return LiveSettings(peers, relay, record, problems)


def client_name(config: NodeConfig) -> str:
    """Return what the node tells peers it is: `Statusd/v1.2.3/linux-amd64/python3.11.7`."""
    version = config.version or statusnode.__version__
    machine = _GO_ARCHITECTURES.get(platform.machine(), platform.machine())
    return f"{config.name}/v{version}/{sys.platform}-{machine}/python{platform.python_version()}"


def peers_of(config: NodeConfig) -> tuple[Peers, list[Problem]]:
    """Read every list of nodes; what is none is reported with its path."""
    problems: list[Problem] = []
    fleet = config.status_fleet or StatusFleet()
    # As in status-go, a cluster that is off has no static nodes.
    static = config.cluster.static_nodes if config.cluster.enabled else None
    return (
        Peers(
            static=_enodes("ClusterConfig.StaticNodes", static, problems),
            fleet=_enodes("StatusFleet.FleetPeers", fleet.fleet_peers, problems),
            trusted=_enodes(
                "StatusFleet.Canary",
                [fleet.canary] if fleet.canary else None,
                problems,
                needs_address=False,
            ),
            mailservers=_enodes(
                "ClusterConfig.TrustedMailServers",
                config.cluster.trusted_mail_servers,
                problems,
                needs_address=False,
            ),
        ),
        problems,
    )


def _enodes(
    path: str,
    texts: Iterable[str] | None,
    problems: list[Problem],
    *,
    needs_address: bool = True,
) -> tuple[Enode, ...]:
    found: dict[bytes, Enode] = {}
    for index, text in enumerate(texts or ()):
        try:
            enode = Enode.parse(text)
        except EnodeError as error:
            problems.append(Problem(f"{path}[{index}]", f"is left out: {error}"))
            continue
        if needs_address and not (enode.host and enode.tcp):
            problems.append(Problem(f"{path}[{index}]", "is left out: it has no address to dial"))
            continue
        found[enode.node_id] = enode
    return tuple(found.values())


def record_of(config: NodeConfig, key: PublicKey) -> tuple[Record | None, list[Problem]]:
    """Return the record that the operator signed for this node, if there is a right one."""
    text = config.status_fleet.record if config.status_fleet else ""
    if not text:
        return None, []
    try:
        record = Record.parse(text)
    except RecordError as error:
        return None, [Problem("StatusFleet.Record", f"is left out: {error}")]
    if record.public_key != key:
        return None, [Problem("StatusFleet.Record", "is left out: another node signed it")]
    return record, []


def server_config(config: NodeConfig) -> ServerConfig:
    """Return the settings of devp2p."""
    return ServerConfig(
        client_name=client_name(config),
        listen_address=config.listen_addr,
        max_peers=config.max_peers,
        max_pending_peers=config.max_pending_peers,
    )


def relay_settings(config: NodeConfig, peers: Peers) -> tuple[RelaySettings, list[Problem]]:
    """Return the settings of the relay; an id that is none is reported and left out."""
    waku = config.waku
    blacklist, problems = _node_ids(
        "WakuConfig.SoftBlacklistedPeerIDs", waku.soft_blacklisted_peer_ids or ()
    )
    settings = RelaySettings(
        # 0 stands for the default, as in status-go; a proof of work of 0 is one that all have.
        max_message_size=waku.max_message_size or DEFAULT_MAX_MESSAGE_SIZE,
        min_pow=waku.minimum_pow,
        full_node=waku.full_node,
        bloom_filter_mode=waku.bloom_filter_mode,
        light_client=waku.light_client,
        soft_blacklist=blacklist,
        limiter=_limiter(config, peers) if waku.enable_rate_limiter else None,
    )
    return settings, problems


def _limiter(config: NodeConfig, peers: Peers) -> LimiterSettings:
    waku = config.waku
    exempt = (*peers.static, *peers.fleet, *peers.trusted, *peers.mailservers)
    return LimiterSettings(
        packet_limits=RateLimits(waku.packet_rate_limit_ip, waku.packet_rate_limit_peer_id),
        byte_limits=RateLimits(waku.bytes_rate_limit_ip, waku.bytes_rate_limit_peer_id),
        tolerance=waku.rate_limit_tolerance,
        exempt_addresses=frozenset(node.host for node in exempt if _is_address(node.host)),
        exempt_nodes=frozenset(node.node_id for node in exempt),
    )


def _node_ids(path: str, texts: Iterable[str]) -> tuple[frozenset[bytes], list[Problem]]:
    found: set[bytes] = set()
    problems: list[Problem] = []
    for index, text in enumerate(texts):
        try:
            node_id = bytes.fromhex(text.removeprefix("0x"))
        except ValueError:
            node_id = b""
        if len(node_id) == _NODE_ID_SIZE:
            found.add(node_id)
        else:
            want = "0x and 64 hex digits of a node id are wanted"
            problems.append(Problem(f"{path}[{index}]", f"is left out: {want}"))
    return frozenset(found), problems


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True
