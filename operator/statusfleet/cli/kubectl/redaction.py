"""Strikes out of any text what only the cluster should know. Pure.

Two nets, one behind the other: the values themselves, as far as they are known, in every form in
which a program is likely to print them; and what looks like a secret wherever it stands.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Iterable, Iterator
from typing import Any, Final
from urllib.parse import quote, unquote, urlsplit

from statusfleet.kube.kinds import Body

STRUCK_OUT: Final = "[redacted]"
_SHORT: Final = 8
"""Forms of fewer characters are struck out as whole words only."""
_CORE: Final = 12
"""Shortest part of a longer base64 text by which a value within it is known."""
_KEY_BYTES: Final = 32
_NAMES: Final = (
    r"[\w.-]*(?:password|passwd|secret|token|nodekey|privatekey|signingkey|asymkey|uri|dsn)"
)
_SENSITIVE_NAME: Final = re.compile(rf"(?i){_NAMES}$")
_PATTERNS: Final = (
    # "NodeKey": "…", also within JSON that is itself a text of JSON: the quote that ends a text is
    # escaped as often as the one that began it.
    (
        re.compile(rf'(?i)((\\*)"{_NAMES}\2"\s*:\s*\2")(?!\2").+?(?<!\\)(?=\2")'),
        rf"\1{STRUCK_OUT}",
    ),
    (
        re.compile(r"(?i)\b(password|passwd|secret|token)\s*=\s*(?:'[^']*'|[^\s&\"']+)"),
        rf"\1={STRUCK_OUT}",
    ),
    # postgresql://user:…@host
    (re.compile(r"(?i)\b([a-z][a-z0-9+.-]*://[^\s/:@\"]*):[^\s/\"]+@"), rf"\1:{STRUCK_OUT}@"),
    (re.compile(r"(?i)\b(bearer\s+)[\w.~+/-]{8,}=*"), rf"\1{STRUCK_OUT}"),
    (re.compile(r"\beyJ[\w-]{8,}\.[\w-]{8,}\.[\w-]+"), STRUCK_OUT),
    (
        re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(?:-----END [A-Z ]*-----|\Z)", re.DOTALL),
        STRUCK_OUT,
    ),
)
_DSN_PASSWORD: Final = re.compile(r"(?i)\bpassword\s*=\s*(?:'([^']*)'|([^\s&']+))")
"""The password of a libpq connection string, quoted or not."""
_ANY_KEY: Final = re.compile(r"(?<![0-9a-fA-F:])(?:0x)?[0-9a-fA-F]{64}(?![0-9a-fA-F])")
"""Anything that may be a key; a digest of an image has a colon before it."""


class Redactor:
    """Knows what must not be told."""

    def __init__(self, values: Iterable[bytes], *, suspicious: bool = False) -> None:
        """Take the values; where not all are known (`suspicious`), what may be a key goes too."""
        found = {form for value in values for form in forms(value)}
        self._forms = sorted(found, key=lambda form: (-len(form), form))
        self._suspicious = suspicious

    def text(self, text: str) -> str:
        """Return the text without what must not be told."""
        for form in self._forms:
            if form not in text:
                continue
            if len(form) < _SHORT:
                text = re.sub(rf"(?<!\w){re.escape(form)}(?!\w)", STRUCK_OUT, text)
            else:
                text = text.replace(form, STRUCK_OUT)
        for pattern, instead in _PATTERNS:
            text = pattern.sub(instead, text)
        return _ANY_KEY.sub(STRUCK_OUT, text) if self._suspicious else text


def secret_values(secret: Body) -> Iterator[bytes]:
    """Yield what of a Secret nobody may see: its values, and what is secret within them."""
    for encoded in (secret.get("data") or {}).values():
        try:
            value = base64.b64decode(encoded, validate=True)
        except (binascii.Error, TypeError, ValueError):
            continue
        inner = _parsed(value)
        if isinstance(inner, dict | list):
            yield from _leaves(inner, "")
        else:
            yield from _with_parts(value)


def forms(value: bytes) -> Iterator[str]:
    """Yield the ways in which a value may be written."""
    for raw in {*_readings(value), *_readings(value.strip())}:
        text = _decoded(raw)
        if text is not None:
            escaped = json.dumps(text)[1:-1]
            plain = json.dumps(text, ensure_ascii=False)[1:-1]
            yield from (text, escaped, plain, json.dumps(escaped)[1:-1], quote(text, safe=""))
        yield from (raw.hex(), raw.hex().upper())
        yield from _in_base64(raw)


def _readings(value: bytes) -> Iterator[bytes]:
    """Yield a value, and the bytes that it stands for where it is hex or base64 itself."""
    if not value:
        return
    yield value
    text = _decoded(value)
    if text is None:
        return
    digits = text.removeprefix("0x")
    if re.fullmatch(r"[0-9a-fA-F]+", digits) and len(digits) == 2 * _KEY_BYTES:
        yield bytes.fromhex(digits)
        yield from (digits.lower().encode(), digits.upper().encode())
        return
    if len(value) >= _CORE and re.fullmatch(r"[A-Za-z0-9+/]+={0,2}", text) and not len(text) % 4:
        yield base64.b64decode(text)


def _in_base64(raw: bytes) -> Iterator[str]:
    """Yield a value in base64, alone and as it looks within the base64 of something longer."""
    alone = base64.b64encode(raw).decode()
    found = [alone, alone.rstrip("=")]
    for shift in range(3):
        bits = 8 * (shift + len(raw))
        core = base64.b64encode(bytes(shift) + raw).decode()[(0, 2, 3)[shift] : bits // 6]
        if len(core) >= _CORE:
            found.append(core)
    for form in found:
        yield from (form, form.translate(str.maketrans("+/", "-_")))


def _with_parts(value: bytes) -> Iterator[bytes]:
    """Yield a value, and the password within it where it is the address of a database."""
    yield value
    text = _decoded(value)
    if text is None:
        return
    for quoted, plain in _DSN_PASSWORD.findall(text):
        yield (quoted or plain).encode()
    try:
        password = urlsplit(text.strip()).password if "://" in text else None
    except ValueError:
        password = None  # no address after all
    if password:
        yield from (password.encode(), unquote(password).encode())


def _leaves(value: Any, name: str) -> Iterator[bytes]:  # noqa: ANN401 - any JSON
    """Yield the texts whose names say that they are secret; members' addresses stand beside."""
    if isinstance(value, dict):
        for key, part in value.items():
            yield from _leaves(part, key)
    elif isinstance(value, list):
        for part in value:
            yield from _leaves(part, name)
    elif isinstance(value, str) and value and _SENSITIVE_NAME.search(name):
        yield from _with_parts(value.encode())


def _parsed(value: bytes) -> Any:  # noqa: ANN401 - any JSON
    try:
        return json.loads(value)
    except ValueError:
        return None


def _decoded(value: bytes) -> str | None:
    try:
        return value.decode()
    except UnicodeDecodeError:
        return None
