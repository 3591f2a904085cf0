"""Where one JSON value ends and the next begins, on a connection that carries one after another.

Only brackets and quotes are looked at: whether a value is JSON, its parser says. What was looked
at once is not looked at again when more of a value comes, so a long one costs no more in small
pieces.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from statusnode.rpc.errors import ParseError

_STRUCTURE: Final = re.compile(rb'["{}\[\]]')
_IN_STRING: Final = re.compile(rb'["\\]')
_SCALAR: Final = re.compile(rb"[-+.0-9A-Za-z]*")
_SPACE: Final = b" \t\r\n"
_BEGINNING: Final = b'{["'
_SCALAR_START: Final = b"-0123456789tfn"


class JsonStream:
    """Cuts a stream of bytes into JSON values."""

    def __init__(self, max_size: int) -> None:
        """`max_size` is what a value may have, in bytes."""
        self._max_size = max_size
        self._buffer = bytearray()
        self._reset()

    def _reset(self) -> None:
        self._position = 0
        self._depth = 0
        self._in_string = False

    def feed(self, data: bytes) -> Iterator[bytes]:
        """Take the next bytes and yield the values that end in them.

        Raises:
            ParseError: no value can begin like this, or one is too long.
        """
        self._buffer += data
        while (end := self._find_end()) is not None:
            value = bytes(self._buffer[:end])
            del self._buffer[:end]
            self._reset()
            yield value
        if len(self._buffer) > self._max_size:
            raise ParseError(f"a request has at most {self._max_size} bytes")

    def _find_end(self) -> int | None:
        buffer = self._buffer
        if self._depth == 0 and not self._in_string:
            del buffer[: len(buffer) - len(buffer.lstrip(_SPACE))]
            if not buffer:
                return None
            if buffer[0] in _SCALAR_START:
                return self._end_of_scalar()
            if buffer[0] not in _BEGINNING:
                shown = chr(buffer[0])
                raise ParseError(f"invalid character '{shown}' looking for beginning of value")
        while True:
            pattern = _IN_STRING if self._in_string else _STRUCTURE
            match = pattern.search(buffer, self._position)
            if match is None:
                self._position = len(buffer)
                return None
            mark = match[0]
            if mark == b"\\":
                if match.end() == len(buffer):
                    self._position = match.start()
                    return None
                self._position = match.end() + 1
                continue
            self._position = match.end()
            if mark == b'"':
                self._in_string = not self._in_string
            else:
                self._depth += 1 if mark in {b"{", b"["} else -1
            if self._depth == 0 and not self._in_string:
                return self._position

    def _end_of_scalar(self) -> int | None:
        match = _SCALAR.match(self._buffer)
        end = match.end() if match else 0
        return end if end < len(self._buffer) else None
