"""statusd's JSON configuration of one member, and what of it a running process takes up.

Keys are status-go's (`params/config.go`); what this project adds stands under `StatusFleet`.
Members are full nodes, since a node with topics of interest would narrow what it relays and
archives as soon as somebody installs a filter.
"""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
import json
from collections.abc import Sequence
from pathlib import PurePosixPath
from typing import Final

from pydantic import JsonValue

from statusfleet.api.fleet import StatusFleet
from statusfleet.api.roles import Mailserver, NodeRoleSpec, RoleSpec
from statusfleet.plan.types import Endpoint, JsonObject, Seat
from statusnode.config.changes import LIVE_PATHS
from statusnode.crypto.keys import PrivateKey

PUBLIC_MAIL_PASSWORD: Final = "status-offline-inbox"  # noqa: S105 - public by protocol
API_MODULES: Final = "admin,debug,net,peer,waku,wakuext,web3"


def own_settings(fleet: StatusFleet, role: RoleSpec, seat: Seat) -> dict[str, JsonValue]:
    """Return what role and seat decide, before the user's `config` and the peers are merged in."""
    waku: dict[str, JsonValue] = {
        "Enabled": True,
        "FullNode": True,
        "DataDir": seat.data_dir,
    }
    settings: dict[str, JsonValue] = {
        "DataDir": seat.data_dir,
        "KeyStoreDir": str(PurePosixPath(seat.data_dir) / "keystore"),
        "ListenAddr": bind_address(seat.listen),
        "NoDiscovery": True,
        "EnableNTPSync": False,
        "HTTPEnabled": seat.rpc.tcp != 0,
        "ClusterConfig": {"Enabled": True, "Fleet": fleet.fleet_name},
        "WakuConfig": waku,
    }
    if seat.rpc.tcp:
        settings["HTTPHost"] = seat.rpc.host
        settings["HTTPPort"] = seat.rpc.tcp
        settings["APIModules"] = API_MODULES
    named = {"MetricsHost": seat.metrics.host, "NodeKeyFile": seat.key_file}
    if any(named.values()):
        settings["StatusFleet"] = {key: text for key, text in named.items() if text}
    if isinstance(role, NodeRoleSpec):
        settings["MaxPeers"] = role.max_peers
        waku["MinimumPoW"] = role.min_pow
    if isinstance(role, Mailserver):
        waku["EnableMailServer"] = True
        waku["MailServerDataRetention"] = role.retention_days
        waku["MailServerRateLimit"] = role.rate_limit.whole_seconds
    return settings


def peer_settings(
    *,
    static: Sequence[str],
    mailservers: Sequence[str],
    fleet_peers: Sequence[str],
    canary: str,
    record: str,
) -> dict[str, JsonValue]:
    """Return what the other members, the canary and the member's own record decide."""
    fleet: dict[str, JsonValue] = {"FleetPeers": list(fleet_peers)}
    fleet.update({key: text for key, text in (("Canary", canary), ("Record", record)) if text})
    return {
        "ClusterConfig": {
            "StaticNodes": list(static),
            "TrustedMailServers": list(mailservers),
        },
        "StatusFleet": fleet,
    }


def split_live(settings: JsonObject) -> tuple[dict[str, JsonValue], dict[str, JsonValue]]:
    """Part settings into those of the start and those that statusd reads again: (startup, live)."""
    startup: dict[str, JsonValue] = {}
    live: dict[str, JsonValue] = {}
    for key, value in settings.items():
        if key in LIVE_PATHS:
            live[key] = value
        elif isinstance(value, dict):
            reread = {name: part for name, part in value.items() if f"{key}.{name}" in LIVE_PATHS}
            rest = {name: part for name, part in value.items() if name not in reread}
            live.update({key: reread} if reread else {})
            startup.update({key: rest} if rest else {})
        else:
            startup[key] = value
    return startup, live


def restart_hash(startup: JsonObject, secret: JsonObject, key: PrivateKey, program: str) -> str:
    """Return the text that changes exactly when the member must be started anew.

    It may be shown: what is secret enters by a keyed digest only, under the member's own key, so
    that a password cannot be guessed from it.
    """
    sealed = hmac.new(key.data, _canonical(secret), hashlib.sha256).hexdigest()
    public = key.public_key.data.hex()
    text = _canonical({"startup": dict(startup), "secret": sealed, "key": public, "runs": program})
    return hashlib.sha256(text).hexdigest()[:32]


def bind_address(endpoint: Endpoint) -> str:
    """Return the text that Go's net.Listen takes: `:30303`, `127.0.0.1:30303`, `[::1]:30303`."""
    try:
        version = ipaddress.ip_address(endpoint.host).version if endpoint.host else 4
    except ValueError:
        version = 4
    host = f"[{endpoint.host}]" if version == 6 else endpoint.host
    return f"{host}:{endpoint.tcp}"


def _canonical(value: JsonObject) -> bytes:
    return json.dumps(value, sort_keys=True, separators=(",", ":")).encode()
