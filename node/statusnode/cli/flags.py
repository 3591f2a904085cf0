"""The flags of statusd, read as Go's flag package reads them.

`-x`, `--x`, `-x value` and `-x=value` are one and the same; a switch takes a value only after `=`;
the first argument that is no flag ends them, and statusd wants none. Adds `-recover`, which
status-go does not have. Source: status-go 0.68.4, `cmd/statusd`; Go 1.13, package flag.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from statusnode.config.fleets import FLEET_NAMES

_TRUE: Final = {"1", "t", "T", "TRUE", "true", "True"}
_FALSE: Final = {"0", "f", "F", "FALSE", "false", "False"}
_OLD_OCTAL: Final = re.compile(r"[-+]?0[0-7_]+")
_BLANK: Final = re.compile(r"\s")
_INT64: Final = range(-(2**63), 2**63)


class FlagError(ValueError):
    """A command line that statusd does not understand; usage and exit code 2 follow."""


class HelpRequestError(FlagError):
    """-h or -help was given."""


class ExtraArgumentsError(ValueError):
    """Something follows the flags; usage and exit code 1 follow."""


@dataclass(frozen=True, slots=True)
class Flags:
    """The values of all flags; the defaults are those of statusd."""

    dir: str
    addr: str = ""
    c: tuple[Path, ...] = ()
    fleet: str = "eth.prod"
    ipc: bool = False
    ipcfile: str = ""
    log: str = ""
    log_without_color: bool = False
    mailserver: bool = False
    metrics: bool = False
    metrics_port: int = 9305
    network_id: int = 3
    pprof: bool = False
    pprof_port: int = 52525
    recover: bool = False
    register: bool = False
    sync_and_exit: int = -1
    version: bool = False


@dataclass(frozen=True, slots=True)
class _Flag:
    name: str
    kind: str
    help: str

    @property
    def attribute(self) -> str:
        return self.name.replace("-", "_")


_FLAGS: Final = (
    _Flag("addr", "string", "host:port to listen on, instead of the configuration's ListenAddr"),
    _Flag("c", "value", "JSON configuration file; repeatable, each is merged over those before"),
    _Flag("dir", "string", "folder of the node's data"),
    _Flag("fleet", "string", f'fleet to join: {", ".join(FLEET_NAMES)}, or "" for none'),
    _Flag("ipc", "", "serve JSON-RPC on a Unix socket"),
    _Flag("ipcfile", "string", "name of that socket inside the folder of data, or its path"),
    _Flag("log", "string", "log level: ERROR, WARN, INFO, DEBUG or TRACE"),
    _Flag("log-without-color", "", "accepted; the log has no colors"),
    _Flag("mailserver", "", "be a Whisper mailserver (not in this version)"),
    _Flag("metrics", "", "serve /metrics, /health and /ready over HTTP"),
    _Flag("metrics-port", "int", "the port of metrics, on every address; 0: any free one"),
    _Flag("network-id", "int", "Ethereum network: 1 Mainnet, 3 Ropsten, 4 Rinkeby, 5 Goerli"),
    _Flag("pprof", "", "profile Go (not in this version)"),
    _Flag("pprof-port", "int", "port of the Go profiler"),
    _Flag("recover", "", "move a corrupt archive aside and start with an empty one"),
    _Flag("register", "", "announce the node by discovery (not in this version)"),
    _Flag("sync-and-exit", "int", "minutes to sync a blockchain (not in this version)"),
    _Flag("version", "", "print version and effective configuration"),
)
_BY_NAME: Final = {flag.name: flag for flag in _FLAGS}

_USAGE: Final = """
Usage: statusd [options]
Examples:
  statusd -fleet "" -dir ./node                # a node on its own: it dials nobody
  statusd -fleet "" -c ./node.json             # settings from a file; -version shows the outcome
  statusd -fleet "" -c ./node.json -c ./my.json -metrics   # a second file on top, and metrics

Options:
"""


def parse_flags(arguments: Sequence[str], environment: Mapping[str, str] = os.environ) -> Flags:
    """Read a command line without its first word.

    Raises:
        HelpRequestError: -h or -help was given and is no flag of ours.
        FlagError: a flag is unknown or its value is none.
        ExtraArgumentsError: something follows the flags.
    """
    values: dict[str, object] = {"dir": default_data_dir(environment)}
    files: list[Path] = []
    for flag, text in _split(arguments):
        value = _READERS[flag.kind](flag, text)
        if flag.name == "c":
            assert isinstance(value, Path)  # noqa: S101 - narrows for the type checker
            files.append(value)
        else:
            values[flag.attribute] = value
    # Each value has the type of its field, since the reader of that flag made it.
    return Flags(c=tuple(files), **values)  # type: ignore[arg-type]


def default_data_dir(environment: Mapping[str, str]) -> str:
    """Return where a node keeps its data when nobody says so."""
    home = environment.get("HOME")
    return str(Path(home, ".statusd")) if home else "./statusd-data"


def usage(environment: Mapping[str, str] = os.environ) -> str:
    """Return the help text, flags as Go lists them."""
    defaults = Flags(dir=default_data_dir(environment))
    lines = [_USAGE]
    for flag in _FLAGS:
        default = getattr(defaults, flag.attribute)
        shown = ""
        if default and flag.name != "c":
            shown = f' (default "{default}")' if flag.kind == "string" else f" (default {default})"
        lines.append(f"  -{flag.name} {flag.kind}".rstrip() + f"\n    \t{flag.help}{shown}\n")
    return "".join(lines)


def _split(arguments: Sequence[str]) -> Iterator[tuple[_Flag, str | None]]:
    """Cut a command line into flags and the texts of their values."""
    rest = list(arguments)
    while rest:
        argument = rest[0]
        if len(argument) <= 1 or not argument.startswith("-"):
            break
        del rest[0]
        if argument == "--":
            break
        body = argument[2:] if argument.startswith("--") else argument[1:]
        if body.startswith(("-", "=")):
            raise FlagError(f"bad flag syntax: {argument}")
        name, equals, text = body.partition("=")
        flag = _BY_NAME.get(name)
        if flag is None:
            if name in {"h", "help"}:
                raise HelpRequestError("help")
            raise FlagError(f"flag provided but not defined: -{name}")
        value: str | None = text if equals else None
        if flag.kind and value is None:
            if not rest:
                raise FlagError(f"flag needs an argument: -{name}")
            value = rest.pop(0)
        yield flag, value
    if rest:
        raise ExtraArgumentsError(f"extra arguments after the flags: {' '.join(rest)}")


def _read_switch(flag: _Flag, text: str | None) -> bool:
    if text is None or text in _TRUE:
        return True
    if text in _FALSE:
        return False
    raise FlagError(f"invalid boolean value {_quote(text)} for -{flag.name}: parse error")


def _read_string(_flag: _Flag, text: str | None) -> str:
    return text or ""


def _read_int(flag: _Flag, text: str | None) -> int:
    written = text or ""
    try:
        # Go reads a leading zero as octal, which Python no longer does; only Python skips blanks.
        number = int(_BLANK.sub("?", written), 8 if _OLD_OCTAL.fullmatch(written) else 0)
    except ValueError:
        raise _invalid(flag, written, "parse error") from None
    if number not in _INT64:
        raise _invalid(flag, written, "value out of range")
    return number


def _read_file(flag: _Flag, text: str | None) -> Path:
    path = Path.cwd() / (text or "")
    try:
        is_folder = path.stat() and path.is_dir()
    except OSError as error:
        # Go's words for the error, so that scripts which look for them still find them.
        reason = f"stat {path}: {(error.strerror or str(error)).lower()}"
        raise _invalid(flag, text or "", reason) from None
    except ValueError:
        raise _invalid(flag, text or "", "invalid argument") from None
    if is_folder:
        raise _invalid(flag, text or "", f"path does not represent a file: {path}")
    return path


def _invalid(flag: _Flag, text: str, reason: str) -> FlagError:
    return FlagError(f"invalid value {_quote(text)} for flag -{flag.name}: {reason}")


def _quote(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


_READERS: Final[dict[str, Callable[[_Flag, str | None], object]]] = {
    "": _read_switch,
    "string": _read_string,
    "int": _read_int,
    "value": _read_file,
}
