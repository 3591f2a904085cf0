"""The configuration of one node: every key that status-go's statusd reads, and `StatusFleet`.

The order of the fields is that of `-version`. A `NodeConfig` is a value: it is made by
`config.load`, checked, and never changed. `model_dump(by_alias=True)` is its JSON form; where that
is logged it must pass through `config.redaction`. Source: status-go 0.68.4, `params/config.go`.
"""

from __future__ import annotations

from typing import Final

from pydantic import Field

from statusnode.config.kinds import Int, Section, Strings, UInt64
from statusnode.config.sections import (
    ClusterConfig,
    LightEthConfig,
    Limits,
    PushNotificationServerConfig,
    ShhextConfig,
    StatusFleet,
    Switch,
    UpstreamConfig,
    WakuConfig,
    WhisperConfig,
)

LOG_LEVELS: Final = ("ERROR", "WARN", "INFO", "DEBUG", "TRACE")


class NodeConfig(Section):
    """The whole configuration."""

    network_id: UInt64 = Field(3, alias="NetworkId", description="Ethereum network; not 0")
    data_dir: str = Field("", alias="DataDir", description="the node's folder")
    key_store_dir: str = Field(
        "", alias="KeyStoreDir", description="accounts; default `<dir>/keystore`"
    )
    node_key: str = Field(
        "",
        alias="NodeKey",
        description="64 hex digits: the node's identity; a secret, never logged; default: kept in "
        "`<DataDir>/Statusd/nodekey`",
    )
    no_discovery: bool = Field(
        True, alias="NoDiscovery", description="false needs `ClusterConfig.BootNodes`"
    )
    rendezvous: bool = Field(
        False, alias="Rendezvous", description="true needs `ClusterConfig.RendezvousNodes`"
    )
    listen_addr: str = Field(
        ":30303", alias="ListenAddr", description="host:port of the RLPx listener"
    )
    advertise_addr: str = Field(
        "", alias="AdvertiseAddr", description="address for the rendezvous record only"
    )
    name: str = Field("", alias="Name", description="always `Statusd`")
    version: str = Field("", alias="Version", description="the version that the node tells peers")
    api_modules: str = Field(
        "eth,net,web3,peer,wallet",
        alias="APIModules",
        description="RPC modules served over HTTP, comma-separated; IPC serves every module",
    )
    http_enabled: bool = Field(
        False, alias="HTTPEnabled", description="JSON-RPC over HTTP; needs `HTTPHost` too"
    )
    http_host: str = Field("", alias="HTTPHost", description="the address to serve it on")
    http_port: Int = Field(8545, alias="HTTPPort", description="its port")
    http_virtual_hosts: Strings = Field(
        ["localhost"],
        alias="HTTPVirtualHosts",
        description="host names that requests may use; addresses always may",
    )
    http_cors: Strings = Field(None, alias="HTTPCors", description="origins that may call")
    ipc_enabled: bool = Field(False, alias="IPCEnabled", description="JSON-RPC on a Unix socket")
    ipc_file: str = Field(
        "geth.ipc", alias="IPCFile", description="its name inside `DataDir`, or absolute"
    )
    tls_enabled: bool = Field(False, alias="TLSEnabled", description="without effect")
    max_peers: Int = Field(
        25, alias="MaxPeers", description="peers at most; trusted and static ones come on top"
    )
    max_pending_peers: Int = Field(
        0, alias="MaxPendingPeers", description="handshakes at a time, inbound; 0: 50"
    )
    log_enabled: bool = Field(True, alias="LogEnabled", description="false: no log at all")
    log_mobile_system: bool = Field(False, alias="LogMobileSystem", description="without effect")
    log_dir: str = Field("", alias="LogDir", description="without effect")
    log_file: str = Field("", alias="LogFile", description="log to this file instead of stderr")
    log_level: str = Field("INFO", alias="LogLevel", description=", ".join(LOG_LEVELS))
    log_max_backups: Int = Field(3, alias="LogMaxBackups", description="rotated files kept")
    log_max_size: Int = Field(
        100, alias="LogMaxSize", description="MB at which the log file is rotated"
    )
    log_compress_rotated: bool = Field(
        True, alias="LogCompressRotated", description="gzip rotated files"
    )
    log_to_stderr: bool = Field(True, alias="LogToStderr", description="without effect")
    enable_status_service: bool = Field(
        False, alias="EnableStatusService", description="accounts over RPC"
    )
    enable_ntp_sync: bool = Field(
        True, alias="EnableNTPSync", description="correct the clock by public time servers"
    )
    upstream: UpstreamConfig = Field(default_factory=UpstreamConfig, alias="UpstreamConfig")
    cluster: ClusterConfig = Field(default_factory=ClusterConfig, alias="ClusterConfig")
    light_eth: LightEthConfig = Field(default_factory=LightEthConfig, alias="LightEthConfig")
    whisper: WhisperConfig = Field(default_factory=WhisperConfig, alias="WhisperConfig")
    waku: WakuConfig = Field(default_factory=WakuConfig, alias="WakuConfig")
    bridge: Switch = Field(default_factory=Switch, alias="BridgeConfig")
    shhext: ShhextConfig = Field(default_factory=ShhextConfig, alias="ShhextConfig")
    wallet: Switch = Field(default_factory=Switch, alias="WalletConfig")
    local_notifications: Switch = Field(default_factory=Switch, alias="LocalNotificationsConfig")
    browsers: Switch = Field(default_factory=Switch, alias="BrowsersConfig")
    permissions: Switch = Field(default_factory=Switch, alias="PermissionsConfig")
    mailservers: Switch = Field(default_factory=Switch, alias="MailserversConfig")
    swarm: Switch = Field(default_factory=Switch, alias="SwarmConfig")
    register_topics: Strings = Field(
        [], alias="RegisterTopics", description="topics announced by discovery"
    )
    require_topics: dict[str, Limits] | None = Field(
        {}, alias="RequireTopics", description='topics searched: `{"topic": {"Min": 1, "Max": 2}}`'
    )
    mail_server_registry_address: str = Field(
        "", alias="MailServerRegistryAddress", description="contract that lists mailservers"
    )
    push_notification_server: PushNotificationServerConfig = Field(
        default_factory=PushNotificationServerConfig, alias="PushNotificationServerConfig"
    )
    status_fleet: StatusFleet | None = Field(None, alias="StatusFleet")
