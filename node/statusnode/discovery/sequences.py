"""Memory of the trees that were seen, so that an old one is not taken for new.

EIP-1459 wants a reader to refuse a root whose number is lower than one it has seen. An equal number
over other content breaks the rule too, but real publishers do so (one that Status fleets used
numbers every tree 1), so it is a warning only.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from statusnode.records.tree import Link, Root, TreeError

_MAX_TREES: Final = 1000


class StaleTreeError(TreeError):
    """A root older than one that was seen at the same URL."""


class SequenceMemory:
    """The last root seen at each URL, of the last 1,000 URLs."""

    def __init__(self, roots: Mapping[str, str] | None = None) -> None:
        """Begin with what `dump` gave.

        Raises:
            TreeError: a root among it is none.
        """
        self._roots = {url: Root.parse(text) for url, text in (roots or {}).items()}

    def dump(self) -> dict[str, str]:
        """Return the roots by URL, to be kept until the next run."""
        return {url: str(root) for url, root in self._roots.items()}

    def check(self, link: Link, root: Root) -> str | None:
        """Remember a root; return a warning where its number does not go with its content.

        Raises:
            StaleTreeError: a higher number was seen before; the memory stays as it is.
        """
        seen = self._roots.get(str(link))
        if seen is not None and root.seq < seen.seq:
            raise StaleTreeError(
                f"the tree at {link.domain} has the sequence number {root.seq}, "
                f"but {seen.seq} was seen before: it is an old copy, or was begun anew"
            )
        self._roots.pop(str(link), None)
        self._roots[str(link)] = root
        if len(self._roots) > _MAX_TREES:
            del self._roots[next(iter(self._roots))]
        if seen is None or seen.seq != root.seq:
            return None
        if (seen.nodes, seen.links) == (root.nodes, root.links):
            return None
        return f"the tree at {link.domain} changed, but kept the sequence number {root.seq}"
