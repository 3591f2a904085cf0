"""From flags and files to one `NodeConfig`, merged in status-go's order.

Defaults, the fleet of `-fleet`, `-mailserver`, then a check; each file, then a check; the flags
that override last. Reads the files it is told to and nothing else; starts nothing, changes nothing.
Source: status-go 0.68.4, `cmd/statusd/main.go` and `params/config.go`.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from pydantic import ValidationError

from statusnode.config import gojson
from statusnode.config.errors import ConfigError, Problem
from statusnode.config.fleets import FLEET_NAMES, fleet_layer
from statusnode.config.model import NodeConfig
from statusnode.config.validation import check

CLIENT_NAME: Final = "Statusd"
DEFAULT_IPC_FILE: Final = "geth.ipc"
WHISPER_TOPIC: Final = "whisper"
MAILSERVER_TOPIC: Final = "whispermail"
_MAILSERVER_PASSWORD: Final = "status-offline-inbox"  # noqa: S105 - public: the protocol's own
_UINT64: Final = 2**64

# Topics of light servers: "LES2@" and the first eight bytes of the network's genesis hash.
_LES_TOPICS: Final = {
    1: "LES2@d4e56740f876aef8",
    3: "LES2@41941023680923e0",
    4: "LES2@6341fd3daf94b748",
}
_TOPIC_LIMITS: Final = {"Min": 2, "Max": 2}


@dataclass(frozen=True, slots=True)
class Sources:
    """Where a configuration comes from: the flags that have a part in it."""

    data_dir: str
    network_id: int = 3
    fleet: str = ""
    mailserver: bool = False
    register: bool = False
    files: tuple[Path, ...] = ()
    listen_addr: str = ""
    ipc: bool = False
    ipc_file: str = ""
    log_level: str = ""


@dataclass(frozen=True, slots=True)
class Loaded:
    """A checked configuration and what was read but means nothing."""

    config: NodeConfig
    unknown_keys: tuple[Problem, ...]


def load(sources: Sources, read: Callable[[Path], bytes] = Path.read_bytes) -> Loaded:
    """Merge and check everything that `sources` names.

    Raises:
        ConfigError: a file cannot be read or says something that no node can start from; every
            problem of the first bad layer is in it.
    """
    document = _defaults(sources.data_dir, sources.network_id % _UINT64)
    if sources.fleet:
        if sources.fleet not in FLEET_NAMES:
            known = ", ".join(FLEET_NAMES)
            message = f"there is no fleet {sources.fleet!r}; known are {known}, and none at all"
            raise ConfigError([Problem("", message, "-fleet")])
        gojson.overlay(document, fleet_layer(sources.fleet), NodeConfig)
    if sources.mailserver:
        whisper = {
            "Enabled": True,
            "EnableMailServer": True,
            "MailServerPassword": _MAILSERVER_PASSWORD,
        }
        gojson.overlay(document, {"WhisperConfig": whisper}, NodeConfig)
    _require_topics(document)
    _checked(document, "flags")

    unknown: list[Problem] = []
    for file in sources.files:
        unknown += _merge_file(document, file, read)
    _require_topics(document)
    config = _checked(document, str(sources.files[0]) if len(sources.files) == 1 else "")
    return Loaded(_with_flags(config, sources), tuple(unknown))


def parse_model(document: gojson.Document, source: str) -> NodeConfig:
    """Make the value of a merged document.

    Raises:
        ConfigError: values have the wrong type; one problem each, with its path.
    """
    try:
        return NodeConfig.model_validate(document)
    except ValidationError as error:
        raise ConfigError(
            [
                Problem(_path(found["loc"]), _sentence(found["type"], found["input"]), source)
                for found in error.errors(include_url=False)
            ]
        ) from None  # pydantic's own text would show the values


def _defaults(data_dir: str, network_id: int) -> gojson.Document:
    document = NodeConfig().model_dump(by_alias=True)
    document["NetworkId"] = network_id
    document["DataDir"] = data_dir
    document["ShhextConfig"]["BackupDisabledDataDir"] = data_dir
    if data_dir:
        # Derived once, from the flag alone: a file that moves DataDir does not move these.
        document["KeyStoreDir"] = _join(data_dir, "keystore")
        document["WhisperConfig"]["DataDir"] = _join(data_dir, "wnode")
        document["WakuConfig"]["DataDir"] = _join(data_dir, "waku")
    return document


def _join(folder: str, name: str) -> str:
    """Join as Go's filepath.Join does: without dots and doubled slashes."""
    joined = os.path.normpath(f"{folder}/{name}")
    return "/" + joined.lstrip("/") if joined.startswith("/") else joined


def _merge_file(
    document: gojson.Document, file: Path, read: Callable[[Path], bytes]
) -> list[Problem]:
    source = str(file)
    try:
        text = read(file).decode("utf-8", "replace")
        paths = gojson.merge(document, gojson.parse(text), NodeConfig)
        parse_model(document, source)
    except OSError as error:
        raise ConfigError([Problem("", f"cannot be read: {error.strerror}", source)]) from error
    except ConfigError as error:
        raise ConfigError(
            [Problem(problem.path, problem.message, source) for problem in error.problems]
        ) from error
    return [Problem(path, "unknown key, ignored", source) for path in paths]


def _checked(document: gojson.Document, source: str) -> NodeConfig:
    config = parse_model(document, source)
    problems = check(config)
    if problems:
        raise ConfigError([Problem(path, text, source) for path, text in problems])
    return config


def _require_topics(document: gojson.Document) -> None:
    """Have discovery look for what the node speaks, as status-go does."""
    if document["NoDiscovery"] and not document["Rendezvous"]:
        return
    topics = dict(document["RequireTopics"] or {})
    if document["WhisperConfig"]["Enabled"]:
        topics[WHISPER_TOPIC] = _TOPIC_LIMITS
    if document["LightEthConfig"]["Enabled"]:
        topics[_LES_TOPICS.get(document["NetworkId"], "")] = _TOPIC_LIMITS
    if topics:
        document["RequireTopics"] = dict(sorted(topics.items()))


def _with_flags(config: NodeConfig, sources: Sources) -> NodeConfig:
    changes: dict[str, object] = {"name": CLIENT_NAME}
    if sources.listen_addr:
        changes["listen_addr"] = sources.listen_addr
    if sources.register:
        topic = MAILSERVER_TOPIC if sources.mailserver else WHISPER_TOPIC
        changes["register_topics"] = [*(config.register_topics or []), topic]
    if sources.ipc:
        changes |= {"ipc_enabled": True, "ipc_file": sources.ipc_file}
    if sources.log_level:
        changes["log_level"] = sources.log_level
    return config.model_copy(update=changes)


def _path(location: Sequence[int | str]) -> str:
    path = ""
    for part in location:
        path += f"[{part}]" if isinstance(part, int) else f".{part}" if path else part
    return path


_WANTED: Final = {
    "bool_type": "true or false",
    "string_type": "a string",
    "int_type": "an integer",
    "int_from_float": "an integer",
    "float_type": "a number",
    "finite_number": "a number that a float can hold",
    "list_type": "an array",
    "dict_type": "an object",
    "model_type": "an object",
    "none_required": "null",
    "greater_than_equal": "an integer in the range of its type",
    "less_than_equal": "an integer in the range of its type",
    "int_parsing_size": "an integer in the range of its type",
}


def _sentence(error_type: str, value: object) -> str:
    if error_type in {"greater_than_equal", "less_than_equal", "finite_number"}:
        return f"want {_WANTED[error_type]}, got {value}"
    return f"want {_WANTED.get(error_type, 'another value')}, got {gojson.kind_of(value)}"
