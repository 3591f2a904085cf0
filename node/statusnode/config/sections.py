"""The objects inside a configuration, one class a key of `NodeConfig`.

Each field stands beside what it means, its unit and statusd's default. Sections of services that
this node does not have are complete too: a file for status-go must be readable, printable under
`-version`, and refused by name where it asks for more than there is (`config.unsupported`).
Source: status-go 0.68.4, `params/config.go` (names, order, types).
"""

from __future__ import annotations

from typing import Final

from pydantic import Field

from statusnode.config.kinds import Int, Section, Strings, UInt32

DEFAULT_MINIMUM_POW: Final = 0.000002
DEFAULT_MAX_MESSAGE_SIZE: Final = 1024 * 1024


class UpstreamConfig(Section):
    """An Ethereum JSON-RPC server to ask instead of a light client of our own."""

    enabled: bool = Field(False, alias="Enabled", description="use an upstream server")
    url: str = Field("", alias="URL", description="its address")


class ClusterConfig(Section):
    """The other nodes of the network, by what they are to this one."""

    enabled: bool = Field(
        False,
        alias="Enabled",
        description="false ignores `StaticNodes` and switches discovery off",
    )
    fleet: str = Field("", alias="Fleet", description="the fleet's name")
    static_nodes: Strings = Field(
        None, alias="StaticNodes", description="enode URLs to dial and redial, always"
    )
    boot_nodes: Strings = Field(
        None, alias="BootNodes", description="enode URLs where discovery starts"
    )
    trusted_mail_servers: Strings = Field(
        None,
        alias="TrustedMailServers",
        description="enode URLs that rate limits spare; never dialed",
    )
    push_notifications_servers: Strings = Field(
        None, alias="PushNotificationsServers", description="public keys, hex"
    )
    rendezvous_nodes: Strings = Field(
        None, alias="RendezvousNodes", description="multiaddresses of rendezvous servers"
    )


class LightEthConfig(Section):
    """A light client of Ethereum."""

    enabled: bool = Field(False, alias="Enabled", description="run it")
    database_cache: Int = Field(16, alias="DatabaseCache", description="MB")
    trusted_nodes: Strings = Field(None, alias="TrustedNodes", description="enode URLs")
    min_trusted_fraction: Int = Field(0, alias="MinTrustedFraction", description="percent")


class PGConfig(Section):
    """A PostgreSQL server for the archive."""

    enabled: bool = Field(False, alias="Enabled", description="archive in PostgreSQL")
    uri: str = Field("", alias="URI", description="connection URI; a secret, never logged")


class DatabaseConfig(Section):
    """Where the archive is, if not in the section's `DataDir`."""

    pg: PGConfig = Field(default_factory=PGConfig, alias="PGConfig")


class WhisperConfig(Section):
    """The protocol shh/6."""

    enabled: bool = Field(False, alias="Enabled", description="speak shh/6")
    light_client: bool = Field(False, alias="LightClient", description="ask for topics only")
    enable_mail_server: bool = Field(False, alias="EnableMailServer", description="archive mail")
    data_dir: str = Field("", alias="DataDir", description="default `<DataDir>/wnode`")
    minimum_pow: float = Field(
        DEFAULT_MINIMUM_POW, alias="MinimumPoW", description="the least work of an envelope"
    )
    mail_server_password: str = Field("", alias="MailServerPassword", description="a secret")
    mail_server_asym_key: str = Field("", alias="MailServerAsymKey", description="hex; a secret")
    mail_server_rate_limit: Int = Field(0, alias="MailServerRateLimit", description="seconds")
    mail_server_data_retention: Int = Field(0, alias="MailServerDataRetention", description="days")
    ttl: Int = Field(120, alias="TTL", description="seconds; clients only")
    max_message_size: UInt32 = Field(
        DEFAULT_MAX_MESSAGE_SIZE, alias="MaxMessageSize", description="bytes of one packet"
    )
    database: DatabaseConfig = Field(default_factory=DatabaseConfig, alias="DatabaseConfig")
    enable_rate_limiter: bool = Field(False, alias="EnableRateLimiter", description="limit peers")
    rate_limit_ip: Int = Field(0, alias="RateLimitIP", description="packets a second")
    rate_limit_peer_id: Int = Field(0, alias="RateLimitPeerID", description="packets a second")
    rate_limit_tolerance: Int = Field(0, alias="RateLimitTolerance", description="strikes")


class WakuConfig(Section):
    """The protocol Waku v1, its relay and its mailserver."""

    enabled: bool = Field(True, alias="Enabled", description="speak waku/0 and waku/1")
    light_client: bool = Field(
        False, alias="LightClient", description="start with an empty bloom filter"
    )
    full_node: bool = Field(
        False,
        alias="FullNode",
        description="take every topic, whatever filters are installed; right for fleet nodes",
    )
    enable_mail_server: bool = Field(
        False, alias="EnableMailServer", description="archive envelopes and answer mail requests"
    )
    data_dir: str = Field(
        "",
        alias="DataDir",
        description="the archive's folder; default `<DataDir>/waku`, must start with `DataDir`",
    )
    minimum_pow: float = Field(
        DEFAULT_MINIMUM_POW,
        alias="MinimumPoW",
        description="the least proof of work of an envelope; honoured, and reloaded live",
    )
    mail_server_password: str = Field(
        "",
        alias="MailServerPassword",
        description="opens mail requests; required by a mailserver; a secret, never logged",
    )
    mail_server_rate_limit: Int = Field(
        0,
        alias="MailServerRateLimit",
        description="seconds between mail requests of one peer; 0: no limit",
    )
    mail_server_data_retention: Int = Field(
        0, alias="MailServerDataRetention", description="days that mail is kept; 0: forever"
    )
    ttl: Int = Field(120, alias="TTL", description="seconds; clients only, without effect here")
    max_message_size: UInt32 = Field(
        DEFAULT_MAX_MESSAGE_SIZE,
        alias="MaxMessageSize",
        description="bytes of the largest envelope and packet",
    )
    database: DatabaseConfig = Field(default_factory=DatabaseConfig, alias="DatabaseConfig")
    enable_rate_limiter: bool = Field(
        False, alias="EnableRateLimiter", description="apply the four limits below"
    )
    packet_rate_limit_ip: Int = Field(
        0, alias="PacketRateLimitIP", description="packets a second from one address; 0: no limit"
    )
    packet_rate_limit_peer_id: Int = Field(
        0, alias="PacketRateLimitPeerID", description="packets a second from one peer; 0: no limit"
    )
    bytes_rate_limit_ip: Int = Field(
        0, alias="BytesRateLimitIP", description="bytes a second from one address; 0: no limit"
    )
    bytes_rate_limit_peer_id: Int = Field(
        0, alias="BytesRateLimitPeerID", description="bytes a second from one peer; 0: no limit"
    )
    rate_limit_tolerance: Int = Field(
        0,
        alias="RateLimitTolerance",
        description="how often a peer may exceed its limit before it is disconnected; 0: never",
    )
    bloom_filter_mode: bool = Field(
        False,
        alias="BloomFilterMode",
        description="tell peers a bloom filter rather than topics of interest",
    )
    soft_blacklisted_peer_ids: Strings = Field(
        None,
        alias="SoftBlacklistedPeerIDs",
        description="`0x` and node id: peers that stay connected while their messages are dropped",
    )


class Switch(Section):
    """A section of which `Enabled` is all there is."""

    enabled: bool = Field(False, alias="Enabled", description="run it")


class ShhextConfig(Section):
    """Services of the app, without effect on a fleet's node."""

    pfs_enabled: bool = Field(False, alias="PFSEnabled", description="double ratchet")
    backup_disabled_data_dir: str = Field(
        "", alias="BackupDisabledDataDir", description="default `DataDir`"
    )
    installation_id: str = Field("", alias="InstallationID", description="of the app")
    mail_server_confirmations: bool = Field(
        False, alias="MailServerConfirmations", description="confirm what mailservers deliver"
    )
    enable_connection_manager: bool = Field(
        False, alias="EnableConnectionManager", description="keep to a number of mailservers"
    )
    enable_last_used_monitor: bool = Field(
        False, alias="EnableLastUsedMonitor", description="remember when a mailserver answered"
    )
    connection_target: Int = Field(0, alias="ConnectionTarget", description="mailservers")
    requests_delay: Int = Field(0, alias="RequestsDelay", description="nanoseconds; 0: 3 s")
    max_server_failures: Int = Field(0, alias="MaxServerFailures", description="before a change")
    max_message_delivery_attempts: Int = Field(
        0, alias="MaxMessageDeliveryAttempts", description="of one message"
    )
    whisper_cache_dir: str = Field("", alias="WhisperCacheDir", description="a folder")
    disable_generic_discovery_topic: bool = Field(
        False, alias="DisableGenericDiscoveryTopic", description="contact topics only"
    )
    send_v1_messages: bool = Field(False, alias="SendV1Messages", description="newer encoding")
    data_sync_enabled: bool = Field(False, alias="DataSyncEnabled", description="MVDS")
    verify_transaction_url: str = Field("", alias="VerifyTransactionURL", description="a server")
    verify_ens_url: str = Field("", alias="VerifyENSURL", description="a server")
    verify_ens_contract_address: str = Field(
        "", alias="VerifyENSContractAddress", description="a contract"
    )
    verify_transaction_chain_id: Int = Field(
        0, alias="VerifyTransactionChainID", description="a chain"
    )
    default_push_notifications_servers: list[None] | None = Field(
        None, alias="DefaultPushNotificationsServers", description="made by the app; only null"
    )


class Limits(Section):
    """How many peers of a topic to look for."""

    min: Int = Field(0, alias="Min", description="search quickly below it")
    max: Int = Field(0, alias="Max", description="dial no more above it")


class PushNotificationServerConfig(Section):
    """A push notification server."""

    enabled: bool = Field(False, alias="Enabled", description="run it")
    identity: None = Field(None, alias="Identity", description="made by the node; only null")
    gorush_url: str = Field("", alias="GorushURL", description="where notifications go")
    logger: None = Field(None, alias="Logger", description="made by the node; only null")


class StatusFleet(Section):
    """What the Status Fleet operator tells its members; absent unless set. Not in status-go."""

    fleet_peers: Strings = Field(
        None,
        alias="FleetPeers",
        description="enode URLs of the fleet's own nodes: dialed, trusted, redialed from 0.2 s "
        "doubling to 35 s, on top of `MaxPeers`",
    )
    canary: str = Field(
        "",
        alias="Canary",
        description="enode URL or public key (hex) of the fleet's probe: trusted, never dialed",
    )
    record: str = Field(
        "",
        alias="Record",
        description="the node record (`enr:…`) that the operator signed for this node",
    )
    metrics_host: str = Field(
        "",
        alias="MetricsHost",
        description="the address where metrics and health are served; default all",
    )
    node_key_file: str = Field(
        "",
        alias="NodeKeyFile",
        description="file with the node's key, 64 hex digits, which is only read; used where "
        "`NodeKey` is empty",
    )
