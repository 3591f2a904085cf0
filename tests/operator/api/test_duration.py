"""Durations as Go writes them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from statusfleet.api.duration import Duration, DurationError


@pytest.mark.parametrize(
    ("text", "nanoseconds"),
    [
        ("0s", 0),
        ("1ns", 1),
        ("1.5us", 1500),
        ("1µs", 1000),
        ("250ms", 250_000_000),
        ("1m30s", 90 * 10**9),
        ("1.5h", 5400 * 10**9),
        ("24h", 86_400 * 10**9),
        ("30s1m", 90 * 10**9),
        ("0.3333333333333s", 333_333_333),
    ],
)
def test_a_duration_means_what_it_means_in_go(text: str, nanoseconds: int) -> None:
    assert Duration.parse(text).nanoseconds == nanoseconds


@pytest.mark.parametrize(
    "text", ["", "5", "5 s", "-5s", "s", "1.s", ".5s", "1d", "1S", "1s\n", "٣s", "9" * 40 + "s"]
)
def test_what_is_no_duration_is_refused(text: str) -> None:
    with pytest.raises(DurationError, match="must be a duration"):
        Duration.parse(text)


def test_a_duration_beyond_go_s_64_bits_is_refused() -> None:
    assert Duration.parse("2562047h47m16.854775807s").nanoseconds == 2**63 - 1
    with pytest.raises(DurationError, match="292 years"):
        Duration.parse("2562047h47m16.854775808s")


@pytest.mark.parametrize("text", ["0s", "1ns", "1.5us", "250ms", "1s", "1m30s", "24h", "1h0.5s"])
def test_a_duration_is_written_in_the_shortest_form(text: str) -> None:
    assert str(Duration.parse(text)) == text


@given(st.integers(0, 2**63 - 1))
def test_every_duration_is_read_back_as_it_was_written(nanoseconds: int) -> None:
    assert Duration.parse(str(Duration(nanoseconds))).nanoseconds == nanoseconds


@given(st.text(alphabet="0123456789.hmnsuµ", max_size=40))
def test_any_text_is_a_duration_or_refused(text: str) -> None:
    try:
        assert Duration.parse(text).nanoseconds >= 0
    except DurationError:
        return


def test_whole_seconds_are_rounded_up() -> None:
    assert [Duration.parse(t).whole_seconds for t in ("0s", "1ms", "1s", "1.001s")] == [0, 1, 1, 2]
