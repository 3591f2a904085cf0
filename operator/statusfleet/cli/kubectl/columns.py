"""Columns of text, as kubectl writes them. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

_GAP: Final = "  "
_MINUTE: Final = 60
_HOUR: Final = 60 * _MINUTE
_DAY: Final = 24 * _HOUR


def columns(titles: Sequence[str], rows: Sequence[Sequence[str | int]]) -> Iterator[str]:
    """Yield a line of titles and one a row, each column as wide as it must be.

    Numbers stand at the right. A cell of "" is shown as a dash, so that every line has as many
    words as the first.
    """
    cells = [[str(cell) or "-" for cell in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(titles, *cells, strict=True)]
    numeric = [
        bool(rows) and all(isinstance(row[i], int) for row in rows) for i in range(len(titles))
    ]
    for line in (list(titles), *cells):
        yield _GAP.join(
            cell.rjust(width) if right else cell.ljust(width)
            for cell, width, right in zip(line, widths, numeric, strict=True)
        ).rstrip()


def age(seconds: float) -> str:
    """Return a span of time as kubectl shows it: 95s, 12m, 5h, 12d."""
    whole = max(0, int(seconds))
    if whole < 2 * _MINUTE:
        return f"{whole}s"
    if whole < 2 * _HOUR:
        return f"{whole // _MINUTE}m"
    if whole < 2 * _DAY:
        return f"{whole // _HOUR}h"
    return f"{whole // _DAY}d"
