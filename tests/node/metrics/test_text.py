"""The page of metrics, as Prometheus' own client for Go writes it.

# HELP waku_envelopes_rejected_total Number of packets rejected.
# TYPE waku_envelopes_rejected_total counter
waku_envelopes_rejected_total{reason="invalid_data"} 3
"""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from statusnode.metrics.text import (
    Family,
    Sample,
    counter,
    counters_by,
    gauge,
    histogram,
    number,
    page,
)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "0"),
        (7, "7"),
        (262144, "262144"),
        (1048576, "1.048576e+06"),
        (67108864, "6.7108864e+07"),
        (36253696.0, "3.6253696e+07"),
        (1e6, "1e+06"),
        (0.005, "0.005"),
        (2.5, "2.5"),
        (1.79526088731e9, "1.79526088731e+09"),
        (0.00001, "1e-05"),
        (-1, "-1"),
        (math.inf, "+Inf"),
        (math.nan, "NaN"),
    ],
)
def test_numbers_are_written_as_go_writes_them(value: float, text: str) -> None:
    assert number(value) == text


@given(st.floats(allow_nan=False))
def test_a_number_that_was_written_is_read_back_the_same(value: float) -> None:
    assert float(number(value)) == value


def test_a_page_has_a_head_for_each_family() -> None:
    text = page([counter("a_total", "A.", 1), gauge("b", "B.", 2.5, (("kind", "x"),))])
    assert text == (
        "# HELP a_total A.\n# TYPE a_total counter\na_total 1\n"
        '# HELP b B.\n# TYPE b gauge\nb{kind="x"} 2.5\n'
    )


def test_a_family_without_samples_is_left_out() -> None:
    assert page([Family("a", "gauge", "A.", ())]) == ""


def test_one_label_gives_a_sample_each() -> None:
    family = counters_by("a_total", "A.", "reason", {"y": 2, "x": 1})
    assert family.samples == (Sample(1, (("reason", "x"),)), Sample(2, (("reason", "y"),)))


def test_a_histogram_counts_upwards() -> None:
    lines = page([histogram("s", "S.", (256, 1048576), (1, 2, 3), 99)]).splitlines()[2:]
    assert lines == [
        's_bucket{le="256"} 1',
        's_bucket{le="1.048576e+06"} 3',
        's_bucket{le="+Inf"} 6',
        "s_sum 99",
        "s_count 6",
    ]


def test_texts_are_escaped() -> None:
    text = page([gauge("a", "back\\slash\nline", 1, (("name", 'quote"\\\n'),))])
    assert "# HELP a back\\\\slash\\nline\n" in text
    assert 'a{name="quote\\"\\\\\\n"} 1\n' in text
