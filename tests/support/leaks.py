"""Looks for secrets in places where none may be."""

from __future__ import annotations

import base64
import zipfile
from collections.abc import Iterable, Iterator
from pathlib import Path


def leaks(archive: Path, values: Iterable[bytes]) -> list[str]:
    """Return where in a zip a value stands: raw, in hex or in base64, also within more base64."""
    found = []
    with zipfile.ZipFile(archive) as opened:
        files = {name: opened.read(name) for name in opened.namelist()}
    for value in values:
        for form in forms(value):
            found += [f"{name}: {form!r}" for name, data in files.items() if form in data.lower()]
    return found


def forms(value: bytes) -> Iterator[bytes]:
    """Yield the forms of a value, in small letters; base64 without what its neighbours decide."""
    yield value.lower()
    yield value.hex().encode()
    for shift in range(3):
        coded = base64.b64encode(bytes(shift) + value)
        whole = coded[(0, 2, 3)[shift] : 8 * (shift + len(value)) // 6].lower()
        yield whole
        yield whole.translate(bytes.maketrans(b"+/", b"-_"))


def bytes_of(hexadecimal: bytes) -> bytes:
    """Return the key that 64 hex digits stand for."""
    return bytes.fromhex(hexadecimal.decode())
