"""What status-go could start and this node cannot: a sentence for each key that asks for it.

A node that silently did less than its configuration says would be found out in production. So it
refuses to start, names the key, and says what to do. Not consulted under `-version`.
"""

from __future__ import annotations

from typing import Final

from statusnode.config.errors import ConfigError, Problem
from statusnode.config.model import NodeConfig

_PORTS: Final = range(2**16)
# What a packet of the protocol may hold at most (Waku VAC-6).
_LARGEST_MESSAGE: Final = 10 * 1024 * 1024


def unsupported(config: NodeConfig) -> list[Problem]:
    """Return every reason why no node of this version can be what `config` asks for."""
    return [
        *_protocols(config),
        *_discovery(config),
        *_services(config),
        *_numbers(config),
        *_texts(config),
    ]


def refuse_unsupported(config: NodeConfig) -> None:
    """Let a configuration pass that a node of this version can be.

    Raises:
        ConfigError: it cannot; every reason is in it.
    """
    problems = unsupported(config)
    if problems:
        raise ConfigError(problems)


def _protocols(config: NodeConfig) -> list[Problem]:
    found: list[Problem] = []
    if config.whisper.enabled:
        found.append(
            Problem(
                "WhisperConfig.Enabled",
                "this version speaks Waku only; set it to false (for a mailserver set "
                "WakuConfig.EnableMailServer and WakuConfig.MailServerPassword)",
            )
        )
    if config.bridge.enabled:
        text = "this version has no bridge between Whisper and Waku; set it to false"
        found.append(Problem("BridgeConfig.Enabled", text))
    if config.waku.enabled and config.waku.enable_mail_server:
        if not config.waku.mail_server_password:
            text = "must be set for a mailserver: requests are sealed with it"
            found.append(Problem("WakuConfig.MailServerPassword", text))
        if config.waku.database.pg.enabled:
            text = "this version archives in SQLite only; set it to false"
            found.append(Problem("WakuConfig.DatabaseConfig.PGConfig.Enabled", text))
    return found


def _discovery(config: NodeConfig) -> list[Problem]:
    found: list[Problem] = []
    # As in status-go, nothing is discovered while the cluster is off.
    if config.cluster.enabled and not config.no_discovery:
        text = 'this version has no discovery; set it to true (-fleet "" starts a node on its own)'
        found.append(Problem("NoDiscovery", text))
    if config.cluster.enabled and config.rendezvous:
        text = "this version has no rendezvous; set it to false"
        found.append(Problem("Rendezvous", text))
    for path, topics in (
        ("RegisterTopics", config.register_topics),
        ("RequireTopics", config.require_topics),
    ):
        if topics:
            text = "this version has no discovery by topics; leave it empty, and -register away"
            found.append(Problem(path, text))
    if config.mail_server_registry_address:
        text = "this version verifies no mailservers by contract; leave it empty"
        found.append(Problem("MailServerRegistryAddress", text))
    return found


def _services(config: NodeConfig) -> list[Problem]:
    return [
        Problem(path, f"this version has no {what}; set it to false")
        for path, enabled, what in (
            ("LightEthConfig.Enabled", config.light_eth.enabled, "Ethereum light client"),
            ("UpstreamConfig.Enabled", config.upstream.enabled, "Ethereum upstream"),
            ("EnableStatusService", config.enable_status_service, "accounts over RPC"),
            ("WalletConfig.Enabled", config.wallet.enabled, "wallet"),
            (
                "LocalNotificationsConfig.Enabled",
                config.local_notifications.enabled,
                "notifications of the app",
            ),
            ("BrowsersConfig.Enabled", config.browsers.enabled, "browsers of the app"),
            ("PermissionsConfig.Enabled", config.permissions.enabled, "permissions of the app"),
            ("MailserversConfig.Enabled", config.mailservers.enabled, "mailserver list of the app"),
            ("SwarmConfig.Enabled", config.swarm.enabled, "Swarm"),
            (
                "PushNotificationServerConfig.Enabled",
                config.push_notification_server.enabled,
                "push notification server",
            ),
        )
        if enabled
    ]


def _numbers(config: NodeConfig) -> list[Problem]:
    """Find numbers that Go's types hold and no node can use."""
    waku = config.waku
    not_negative = {
        "MaxPeers": config.max_peers,
        "MaxPendingPeers": config.max_pending_peers,
        "LogMaxBackups": config.log_max_backups,
        "LogMaxSize": config.log_max_size,
        "WakuConfig.MinimumPoW": waku.minimum_pow,
        "WakuConfig.MailServerRateLimit": waku.mail_server_rate_limit,
        "WakuConfig.MailServerDataRetention": waku.mail_server_data_retention,
        "WakuConfig.PacketRateLimitIP": waku.packet_rate_limit_ip,
        "WakuConfig.PacketRateLimitPeerID": waku.packet_rate_limit_peer_id,
        "WakuConfig.BytesRateLimitIP": waku.bytes_rate_limit_ip,
        "WakuConfig.BytesRateLimitPeerID": waku.bytes_rate_limit_peer_id,
        "WakuConfig.RateLimitTolerance": waku.rate_limit_tolerance,
    }
    found = [
        Problem(path, f"must not be negative, and is {value}")
        for path, value in not_negative.items()
        if value < 0
    ]
    if config.http_port not in _PORTS:
        found.append(Problem("HTTPPort", f"must be a port, 0 to 65535, and is {config.http_port}"))
    if waku.max_message_size > _LARGEST_MESSAGE:
        text = f"must be at most {_LARGEST_MESSAGE} bytes, and is {waku.max_message_size}"
        found.append(Problem("WakuConfig.MaxMessageSize", text))
    return found


def _texts(config: NodeConfig) -> list[Problem]:
    """Find paths and addresses that Go's strings hold and no system call takes."""
    fleet = config.status_fleet
    return [
        Problem(path, "must not hold the character NUL")
        for path, text in {
            "DataDir": config.data_dir,
            "KeyStoreDir": config.key_store_dir,
            "ListenAddr": config.listen_addr,
            "LogFile": config.log_file,
            "IPCFile": config.ipc_file,
            "HTTPHost": config.http_host,
            "WakuConfig.DataDir": config.waku.data_dir,
            "StatusFleet.MetricsHost": fleet.metrics_host if fleet else "",
            "StatusFleet.NodeKeyFile": fleet.node_key_file if fleet else "",
        }.items()
        if "\0" in text
    ]
