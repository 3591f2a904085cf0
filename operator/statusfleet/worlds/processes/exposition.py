"""Reading numbers out of a page of metrics (Prometheus text exposition format, version 0.0.4).

Only what a supervisor asks for: the sum of a metric's samples over all its labels. A line that is
none is passed over, since a page that is cut short is no reason to call a member dead.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from typing import Final

_SAMPLE: Final = re.compile(r"([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{[^\n]*\})?[ \t]+(\S+)")


def totals(page: str, names: Iterable[str]) -> dict[str, int]:
    """Return the sum of each metric of `names` that the page has."""
    wanted = frozenset(names)
    sums: dict[str, float] = {}
    for line in page.splitlines():
        match = _SAMPLE.match(line)
        if match is None or match[1] not in wanted:
            continue
        try:
            value = float(match[2])
        except ValueError:
            continue
        if math.isfinite(value):
            sums[match[1]] = sums.get(match[1], 0.0) + value
    return {name: int(value) for name, value in sums.items()}
