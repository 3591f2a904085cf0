"""The rules that status-go checks before it starts, each with the path of the key that breaks it.

Pure: no file is opened and no address resolved. What status-go would accept and this node cannot
do is a matter of `config.unsupported`. Source: status-go 0.68.4, `NodeConfig.Validate`.
"""

from __future__ import annotations

from urllib.parse import urlsplit

from statusnode.config.model import LOG_LEVELS, NodeConfig
from statusnode.crypto.keys import KeyFormatError, PrivateKey

Finding = tuple[str, str]
"""A JSON path and what is wrong there."""


def check(config: NodeConfig) -> list[Finding]:
    """Return everything that is wrong with `config`, most basic first; nothing when it is right."""
    return [
        *_required(config),
        *_keys(config),
        *_data_dirs(config),
        *_discovery(config),
        *_services(config),
    ]


def _required(config: NodeConfig) -> list[Finding]:
    found: list[Finding] = []
    if config.network_id == 0:
        found.append(("NetworkId", "must not be 0"))
    for path, value in (
        ("DataDir", config.data_dir),
        ("KeyStoreDir", config.key_store_dir),
        ("APIModules", config.api_modules),
    ):
        if not value:
            found.append((path, "must not be empty"))
    if "/" in config.name:
        found.append(("Name", 'must not contain "/"'))
    if config.log_level not in LOG_LEVELS:
        levels = ", ".join(LOG_LEVELS)
        found.append(("LogLevel", f"must be one of {levels}, not {config.log_level!r}"))
    return found


def _keys(config: NodeConfig) -> list[Finding]:
    found: list[Finding] = []
    asymmetric = config.whisper.mail_server_asym_key
    if config.node_key and not _is_private_key(config.node_key):
        found.append(("NodeKey", "must be 64 hex digits of a secp256k1 key"))
    if config.whisper.enabled and config.whisper.enable_mail_server:
        if not config.whisper.mail_server_password and not asymmetric:
            text = "or WhisperConfig.MailServerAsymKey must be set for a Whisper mailserver"
            found.append(("WhisperConfig.MailServerPassword", text))
        if asymmetric and not _is_private_key(asymmetric):
            text = "must be 64 hex digits of a secp256k1 key"
            found.append(("WhisperConfig.MailServerAsymKey", text))
    return found


def _is_private_key(text: str) -> bool:
    try:
        PrivateKey.from_hex(text)
    except KeyFormatError:
        return False
    return True


def _data_dirs(config: NodeConfig) -> list[Finding]:
    found: list[Finding] = []
    whisper, waku = config.whisper, config.waku
    if whisper.enabled and waku.enabled and whisper.data_dir == waku.data_dir:
        text = f"Whisper and Waku are both enabled and would share {waku.data_dir!r}"
        found.append(("WakuConfig.DataDir", text))
    for name, section in (("WhisperConfig", whisper), ("WakuConfig", waku)):
        archives = section.enabled and section.enable_mail_server
        if archives and not section.data_dir.startswith(config.data_dir):
            text = f"must start with DataDir ({config.data_dir}) for a mailserver"
            found.append((f"{name}.DataDir", f"{text}, not be {section.data_dir!r}"))
    return found


def _discovery(config: NodeConfig) -> list[Finding]:
    found: list[Finding] = []
    if not config.no_discovery and not config.cluster.boot_nodes:
        text = "is empty while NoDiscovery is false; set NoDiscovery to true, or name boot nodes"
        found.append(("ClusterConfig.BootNodes", text))
    if config.rendezvous and not config.cluster.rendezvous_nodes:
        text = "is empty while Rendezvous is true; set Rendezvous to false, or name servers"
        found.append(("ClusterConfig.RendezvousNodes", text))
    return found


def _services(config: NodeConfig) -> list[Finding]:
    found: list[Finding] = []
    if config.upstream.enabled and config.light_eth.enabled:
        text = "UpstreamConfig and LightEthConfig are both enabled but exclude each other"
        found.append(("UpstreamConfig.Enabled", text))
    if config.upstream.enabled and not _is_request_uri(config.upstream.url):
        found.append(("UpstreamConfig.URL", "is no absolute URL"))
    if config.shhext.pfs_enabled:
        if not config.shhext.backup_disabled_data_dir:
            text = "must be set while PFSEnabled is true"
            found.append(("ShhextConfig.BackupDisabledDataDir", text))
        if not config.shhext.installation_id:
            found.append(("ShhextConfig.InstallationID", "must be set while PFSEnabled is true"))
    return found


def _is_request_uri(text: str) -> bool:
    """Tell whether Go's url.ParseRequestURI takes it: an absolute URL or an absolute path."""
    try:
        return text.startswith("/") or bool(urlsplit(text).scheme)
    except ValueError:
        return False
