"""Metrics as values, and their page in Prometheus' text exposition format, version 0.0.4.

Numbers are gathered when somebody asks, from plain counters that the rest of the node keeps: what
nobody scrapes costs nothing. Numbers are written as Go writes them, since `le` labels are text and
dashboards made for status-go name them.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

CONTENT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"
_EXPONENT_FROM: Final = 1e6
_EXPONENT_BELOW: Final = 1e-4

Labels = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Sample:
    """One line: what is behind the family's name, the labels, the number."""

    value: float
    labels: Labels = ()
    suffix: str = ""


@dataclass(frozen=True, slots=True)
class Family:
    """All samples of one metric."""

    name: str
    kind: str
    """counter, gauge or histogram."""
    help: str
    samples: tuple[Sample, ...]


def counter(name: str, text: str, value: float) -> Family:
    """Make a counter without labels."""
    return Family(name, "counter", text, (Sample(value),))


def gauge(name: str, text: str, value: float, labels: Labels = ()) -> Family:
    """Make a gauge of one sample."""
    return Family(name, "gauge", text, (Sample(value, labels),))


def counters_by(name: str, text: str, label: str, values: Mapping[str, float]) -> Family:
    """Make a counter with one label, a sample for each of its values."""
    samples = (Sample(value, ((label, key),)) for key, value in sorted(values.items()))
    return Family(name, "counter", text, tuple(samples))


def histogram(
    name: str,
    text: str,
    bounds: Sequence[float],
    counts: Sequence[int],
    total: float,
    labels: Labels = (),
) -> Family:
    """Make a histogram of the counts of each bucket, not yet summed; the last has no bound."""
    samples: list[Sample] = []
    reached = 0
    for bound, count in zip((*bounds, math.inf), counts, strict=True):
        reached += count
        samples.append(Sample(reached, (*labels, ("le", number(bound))), "_bucket"))
    samples += (Sample(total, labels, "_sum"), Sample(reached, labels, "_count"))
    return Family(name, "histogram", text, tuple(samples))


def page(families: Iterable[Family]) -> str:
    """Write the whole page; families without samples are left out."""
    lines = (line for family in families if family.samples for line in _lines(family))
    return "".join(lines)


def _lines(family: Family) -> Iterator[str]:
    yield f"# HELP {family.name} {_escape(family.help)}\n"
    yield f"# TYPE {family.name} {family.kind}\n"
    for sample in family.samples:
        labels = ",".join(f'{key}="{_escape_value(value)}"' for key, value in sample.labels)
        braced = f"{{{labels}}}" if labels else ""
        yield f"{family.name}{sample.suffix}{braced} {number(sample.value)}\n"


def number(value: float) -> str:
    """Write a number as Go's shortest %g does."""
    if math.isinf(value):
        return "+Inf" if value > 0 else "-Inf"
    if math.isnan(value):
        return "NaN"
    if value == 0 or _EXPONENT_BELOW <= abs(value) < _EXPONENT_FROM:
        return repr(value).removesuffix(".0")
    # Seventeen digits tell every float from its neighbours; fewer do for most.
    forms = (f"{value:.{places}e}" for places in range(17))
    return next(form for form in forms if float(form) == value)


def _escape(text: str) -> str:
    return text.replace("\\", "\\\\").replace("\n", "\\n")


def _escape_value(text: str) -> str:
    return _escape(text).replace('"', '\\"')
