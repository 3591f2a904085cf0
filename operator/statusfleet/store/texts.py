"""Where long texts are kept when one object cannot hold them all: tree entries and records.

Each text is known by its label (EIP-1459: the hash of the text), so it never changes, and neither
does a *shard*: an object with many texts, written once. What no shard holds stands *loose* in the
head, the one object that changes; when that is too much, it becomes a shard. A shard of which less
than half is still wanted is given up, and what is wanted of it is kept anew. So a change of one
record writes a few hundred bytes, whether the tree has ten records or thousands.

Pure: decides what should stand where, and writes nothing. The limits leave room below the 1 MiB
that an object of Kubernetes may have.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

SHARD_BYTES: Final = 700 * 1024
LOOSE_BYTES: Final = 96 * 1024
MOST_SHARDS: Final = 24

Texts = Mapping[str, str]
"""Texts by label."""


@dataclass(frozen=True, slots=True)
class Arrangement:
    """Which shards stay, which are new, and what stands in the head."""

    kept: tuple[str, ...]
    new: tuple[Texts, ...]
    loose: Texts


def arrange(wanted: Texts, shards: Mapping[str, Texts]) -> Arrangement:
    """Decide where the texts `wanted` are kept; `shards` are those that are there, by name."""
    kept = [name for name, texts in shards.items() if _is_worth_keeping(texts, wanted)]
    arrangement = _with_kept(wanted, shards, kept)
    if len(arrangement.kept) + len(arrangement.new) > MOST_SHARDS:
        return _with_kept(wanted, shards, [])
    return arrangement


def _with_kept(wanted: Texts, shards: Mapping[str, Texts], kept: list[str]) -> Arrangement:
    held = {label for name in kept for label in shards[name]}
    loose = {label: text for label, text in wanted.items() if label not in held}
    if _size(loose.values()) <= LOOSE_BYTES:
        return Arrangement(tuple(kept), (), loose)
    return Arrangement(tuple(kept), tuple(_cut(loose)), {})


def _is_worth_keeping(texts: Texts, wanted: Texts) -> bool:
    live = _size(text for label, text in texts.items() if label in wanted)
    return live > 0 and 2 * live >= _size(texts.values())


def _cut(texts: Texts) -> list[Texts]:
    """Divide texts into shards, in their order."""
    cut: list[dict[str, str]] = [{}]
    room = SHARD_BYTES
    for label, text in texts.items():
        size = _size((text,))
        if size > room:
            cut.append({})
            room = SHARD_BYTES
        cut[-1][label] = text
        room -= size
    return list(cut)


def _size(texts: Iterable[str]) -> int:
    """Return the bytes that the texts take, one a line."""
    return sum(len(text) + 1 for text in texts)
