"""What `roles.*.config` may say: any setting of statusd but those that the fleet itself decides.

Checked as statusd will check it, before any process starts: names, types, and what this version of
the node cannot do. Keys must be spelled exactly, since the parts of a member's configuration are
merged by name.
"""

from __future__ import annotations

import difflib
import json
from collections.abc import Iterator, Mapping
from typing import Final

from pydantic import BaseModel, JsonValue

from statusfleet.api.problems import Path, models_in
from statusnode.config import gojson
from statusnode.config.errors import ConfigError
from statusnode.config.load import parse_model
from statusnode.config.model import NodeConfig
from statusnode.config.unsupported import unsupported
from statusnode.config.validation import check

_WORLD: Final = "is decided by the fleet itself, which knows where the member runs"

RESERVED: Final[Mapping[str, str]] = {
    "AdvertiseAddr": "is not used; the address goes into members[].address",
    "ClusterConfig.Enabled": "is decided by the fleet itself",
    "ClusterConfig.Fleet": "is fleetName",
    "ClusterConfig.StaticNodes": "is peers.static",
    "ClusterConfig.TrustedMailServers": "is peers.trustedMailservers",
    "DataDir": _WORLD,
    "HTTPEnabled": _WORLD,
    "HTTPHost": _WORLD,
    "HTTPPort": _WORLD,
    "IPCEnabled": _WORLD,
    "IPCFile": _WORLD,
    "KeyStoreDir": _WORLD,
    "ListenAddr": _WORLD,
    "LogDir": _WORLD,
    "LogFile": _WORLD,
    "MaxPeers": "is maxPeers of the role",
    "NodeKey": "is a secret; it goes into members[].nodeKeySecret",
    "ShhextConfig.BackupDisabledDataDir": _WORLD,
    "StatusFleet": "is decided by the fleet itself",
    "WakuConfig.DataDir": _WORLD,
    "WakuConfig.DatabaseConfig": "is database of the role mailserver",
    "WakuConfig.EnableMailServer": "is decided by the role",
    "WakuConfig.Enabled": "is protocols.waku of the role",
    "WakuConfig.MailServerDataRetention": "is retentionDays of the role mailserver",
    "WakuConfig.MailServerPassword": "is a secret; it goes into password of the role mailserver",
    "WakuConfig.MailServerRateLimit": "is rateLimit of the role mailserver",
    "WakuConfig.MinimumPoW": "is minPow of the role",
    "WhisperConfig.DataDir": _WORLD,
    "WhisperConfig.MailServerAsymKey": "is a secret, and this version has no Whisper",
    "WhisperConfig.MailServerPassword": "is a secret, and this version has no Whisper",
}
"""Settings that may not stand in `config`, and where they belong."""


def config_problems(config: Mapping[str, JsonValue]) -> Iterator[tuple[Path, str]]:
    """Yield what is wrong with a role's `config`, by path within it."""
    misplaced = list(_misplaced(config, NodeConfig, ()))
    yield from misplaced
    if not misplaced:
        yield from _refused_by_node(config)


def _misplaced(
    part: Mapping[str, JsonValue], model: type[BaseModel], path: Path
) -> Iterator[tuple[Path, str]]:
    fields = {field.alias or name: field for name, field in model.model_fields.items()}
    for key, value in part.items():
        place = (*path, key)
        dotted = ".".join(map(str, place))
        if dotted in RESERVED:
            yield place, RESERVED[dotted]
        elif key not in fields:
            near = difflib.get_close_matches(key.lower(), map(str.lower, fields), n=1)
            known = next((name for name in fields if near and name.lower() == near[0]), "")
            hint = f"; did you mean {known}?" if known else ""
            yield place, f"is not a setting of statusd{hint}"
        else:
            section = next(models_in(fields[key].annotation), None)
            if section is not None and isinstance(value, dict):
                yield from _misplaced(value, section, place)


def _refused_by_node(config: Mapping[str, JsonValue]) -> Iterator[tuple[Path, str]]:
    document = NodeConfig().model_dump(by_alias=True)
    # Any folder will do: where the member's really is, its world decides.
    document |= {"DataDir": "/", "KeyStoreDir": "/", "ClusterConfig": {"Enabled": True}}
    try:
        gojson.merge(document, gojson.parse(json.dumps(config)), NodeConfig)
        node = parse_model(document, "")
    except ConfigError as error:
        yield from ((_steps(problem.path), problem.message) for problem in error.problems)
        return
    for place, message in check(node):
        yield _steps(place), message
    for problem in unsupported(node):
        yield _steps(problem.path), problem.message


def _steps(path: str) -> Path:
    return tuple(path.split(".")) if path else ()
