"""Which members of a fleet dial which: a deterministic ring with chords.

Up to five members, everybody is a neighbour of everybody. Beyond, members stand on two rings in an
order given by hashes of their names, and each is a neighbour of those beside it on either ring;
whoever has fewer than three that way also takes the next ones of the first ring. Being neighbours
is mutual, so both sides trust the connection and either can restore it. The first ring connects
all; the second keeps paths short (a fleet of 40 is crossed in four or five hops), and since a
name's place depends on nothing else, a member that comes or goes touches a handful of others.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from typing import Final

MIN_NEIGHBOURS: Final = 3
_SMALL: Final = 5


def neighbours(names: Iterable[str]) -> Mapping[str, tuple[str, ...]]:
    """Return the neighbours of each member, sorted, the same for any order of `names`."""
    members = sorted(set(names))
    found: dict[str, set[str]] = {name: set() for name in members}
    if len(members) <= _SMALL:
        return {name: tuple(other for other in members if other != name) for name in members}
    first, second = _ring(members, "first"), _ring(members, "second")
    _connect(found, first, 1)
    _connect(found, second, 1)
    sparse = frozenset(name for name, others in found.items() if len(others) < MIN_NEIGHBOURS)
    _connect(found, first, 2, only=sparse)
    return {name: tuple(sorted(others)) for name, others in found.items()}


def _ring(names: list[str], label: str) -> list[str]:
    return sorted(names, key=lambda name: hashlib.sha256(f"{label} {name}".encode()).digest())


def _connect(
    found: dict[str, set[str]], ring: list[str], distance: int, only: frozenset[str] | None = None
) -> None:
    for place, name in enumerate(ring):
        other = ring[(place + distance) % len(ring)]
        if only is None or name in only or other in only:
            found[name].add(other)
            found[other].add(name)
