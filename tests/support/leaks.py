"""Looks for secrets in places where none may be."""

from __future__ import annotations

import base64
import zipfile
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path


def leaks(archive: Path, values: Iterable[bytes]) -> list[str]:
    """Return where in a zip a value stands: raw, in hex or in base64, also within more base64."""
    with zipfile.ZipFile(archive) as opened:
        return leaks_in({name: opened.read(name) for name in opened.namelist()}, values)


def leaks_in(places: Mapping[str, bytes], values: Iterable[bytes]) -> list[str]:
    """Return by name in which of these a value stands, in any of its forms."""
    small = {name: data.lower() for name, data in places.items()}
    return [
        f"{name}: {form!r}"
        for value in values
        for form in forms(value)
        for name, data in small.items()
        if form in data
    ]


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
