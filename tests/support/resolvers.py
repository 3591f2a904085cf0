"""A DNS of one's own for tests of tree reading: names and texts in a dictionary."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Mapping

from statusnode.discovery.resolver import ResolutionError


class FakeResolver:
    """Answers from a dictionary, in the next round of the loop, and counts who was asked for."""

    def __init__(self, *trees: Mapping[str, str]) -> None:
        self.records: dict[str, str | list[str]] = {}
        for tree in trees:
            self.records.update(tree)
        self.asked: Counter[str] = Counter()
        self.busy = 0
        self.most_busy = 0

    async def texts(self, name: str) -> list[str]:
        self.asked[name] += 1
        self.busy += 1
        self.most_busy = max(self.most_busy, self.busy)
        await asyncio.sleep(0)
        self.busy -= 1
        if name not in self.records:
            raise ResolutionError("there is no such name")
        found = self.records[name]
        return [found] if isinstance(found, str) else found
