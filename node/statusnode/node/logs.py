"""The node's log: logfmt lines to standard error or to a file that is rotated.

`t=2026-01-31T12:00:00+0000 lvl=info msg="HTTP endpoint opened" url=http://127.0.0.1:8545`, as
go-ethereum writes files. Modules log through the standard library; the facts of a line stand in
`extra`. Levels are status-go's. Nothing here looks for secrets: whoever logs must not hand them
over (see `config.redaction`).
"""

from __future__ import annotations

import gzip
import logging
import shutil
import sys
import threading
import time
from logging.handlers import BaseRotatingHandler
from pathlib import Path
from typing import Final

from statusnode.config.model import NodeConfig

TRACE: Final = 5
_LEVELS: Final = {
    "CRIT": logging.CRITICAL,
    "EROR": logging.ERROR,
    "ERROR": logging.ERROR,
    "WARN": logging.WARNING,
    "INFO": logging.INFO,
    "DBUG": logging.DEBUG,
    "DEBUG": logging.DEBUG,
    "TRCE": TRACE,
    "TRACE": TRACE,
}
_SHORT_NAMES: Final = (
    (logging.CRITICAL, "crit"),
    (logging.ERROR, "eror"),
    (logging.WARNING, "warn"),
    (logging.INFO, "info"),
    (logging.DEBUG, "dbug"),
)
# What every record has: the rest came through `extra`.
_STANDARD: Final = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime"}
_MEGABYTE: Final = 1024 * 1024
_DEFAULT_MAX_MEGABYTES: Final = 100
_QUOTED: Final = frozenset(' ="\\\n\r\t')


class LogError(ValueError):
    """The log cannot be written as configured."""


def level_of(text: str) -> int:
    """Return the standard library's level for a name of status-go's, in any case.

    Raises:
        LogError: there is no such level.
    """
    try:
        return _LEVELS[text.upper() or "INFO"]
    except KeyError:
        raise LogError(f"unknown log level {text!r}: ERROR, WARN, INFO, DEBUG or TRACE") from None


class LogfmtFormatter(logging.Formatter):
    """One line a record; what stands in quotes is escaped, so a line stays a line."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line, without its end."""
        moment = time.strftime("%Y-%m-%dT%H:%M:%S%z", time.localtime(record.created))
        parts = [f"t={moment}", f"lvl={_short_name(record.levelno)}"]
        parts.append(f"msg={_value(record.getMessage())}")
        facts = vars(record)
        parts += [f"{key}={_value(facts[key])}" for key in facts if key not in _STANDARD]
        if record.exc_info:
            parts.append(f"stack={_value(self.formatException(record.exc_info))}")
        return " ".join(parts)


def _short_name(level: int) -> str:
    return next((name for least, name in _SHORT_NAMES if level >= least), "trce")


def _value(value: object) -> str:
    text = str(value)
    if text and text.isprintable() and _QUOTED.isdisjoint(text):
        return text
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    escaped = escaped.replace("\n", "\\n").replace("\r", "\\r").replace("\t", "\\t")
    return '"' + "".join(c if c.isprintable() else f"\\u{ord(c):04x}" for c in escaped) + '"'


class RotatedFileHandler(BaseRotatingHandler):
    """A log file that is set aside, and packed, when it has grown to a size.

    A full file becomes `name-<time>.log` beside the new one, and `.gz` in a thread, because
    packing a hundred megabytes would hold up the relay. The oldest beyond `backups` are removed;
    0 keeps all.
    """

    def __init__(self, path: Path, max_bytes: int, backups: int, *, compress: bool) -> None:
        """Open the file for appending.

        Raises:
            OSError: it cannot be written.
        """
        super().__init__(str(path), "a", encoding="utf-8")
        self._path = path
        self._max_bytes = max_bytes
        self._backups = backups
        self._compress = compress
        self._packer: threading.Thread | None = None

    def shouldRollover(self, record: logging.LogRecord) -> bool:  # noqa: N802 - a hook of logging
        """Tell whether the line would make the file too large."""
        size = self._size()
        return size > 0 and size + len(self.format(record)) + 1 > self._max_bytes

    def doRollover(self) -> None:  # noqa: N802 - a hook of logging
        """Set the full file aside and open a new one."""
        super().close()
        seconds, rest = divmod(time.time_ns(), 10**9)
        stamp = time.strftime("%Y-%m-%dT%H-%M-%S", time.gmtime(seconds))
        stem, suffix = self._path.stem, self._path.suffix
        aside = self._path.with_name(f"{stem}-{stamp}.{rest:09d}{suffix}")
        self._path.replace(aside)
        self.stream = self._open()
        if self._packer is not None:
            self._packer.join()
        self._packer = threading.Thread(target=self._put_away, args=(aside,), name="log rotation")
        self._packer.start()

    def _size(self) -> int:
        return self.stream.tell() if self.stream else 0

    def _put_away(self, aside: Path) -> None:
        if self._compress:
            packed = aside.with_name(aside.name + ".gz")
            with aside.open("rb") as source, gzip.open(packed, "wb") as target:
                shutil.copyfileobj(source, target)
            aside.unlink()
        if self._backups:
            pattern = f"{self._path.stem}-*{self._path.suffix}*"
            for old in sorted(self._path.parent.glob(pattern))[: -self._backups]:
                old.unlink(missing_ok=True)

    def close(self) -> None:
        """Close the file, after the packing that is under way."""
        if self._packer is not None:
            self._packer.join()
            self._packer = None
        super().close()


def start_logging(config: NodeConfig) -> None:
    """Send the log of the whole process where the configuration says.

    Raises:
        LogError: the level is unknown or the file cannot be written.
    """
    root = logging.getLogger()
    for handler in list(root.handlers):
        root.removeHandler(handler)
        handler.close()
    logging.disable(logging.NOTSET if config.log_enabled else logging.CRITICAL)
    root.setLevel(level_of(config.log_level))
    # What libraries say at these levels is about their own insides.
    for name in ("asyncio", "aiohttp", "aiohttp.access"):
        logging.getLogger(name).setLevel(logging.WARNING)
    logging.getLogger("aiohttp.server").addFilter(_is_our_fault)
    handler = _handler(config)
    handler.setFormatter(LogfmtFormatter())
    root.addHandler(handler)


def _is_our_fault(record: logging.LogRecord) -> bool:
    """Keep out what aiohttp says, with a stack, of strangers who speak no HTTP."""
    error = record.exc_info[1] if record.exc_info else None
    return type(error).__module__ != "aiohttp.http_exceptions"


def _handler(config: NodeConfig) -> logging.Handler:
    if not config.log_file:
        return logging.StreamHandler(sys.stderr)
    megabytes = config.log_max_size or _DEFAULT_MAX_MEGABYTES
    path = Path(config.log_file).absolute()
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        return RotatedFileHandler(
            path,
            megabytes * _MEGABYTE,
            config.log_max_backups,
            compress=config.log_compress_rotated,
        )
    except OSError as error:
        raise LogError(f"LogFile {path} cannot be written: {error.strerror}") from error
