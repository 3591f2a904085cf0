"""Where texts are kept: nothing is lost, nothing is too big, and a small change writes little."""

from __future__ import annotations

from collections.abc import Mapping

from hypothesis import given
from hypothesis import strategies as st

from statusfleet.store.texts import (
    LOOSE_BYTES,
    MOST_SHARDS,
    SHARD_BYTES,
    Arrangement,
    Texts,
    arrange,
)

TEXTS = st.dictionaries(
    st.integers(0, 4000).map(str), st.integers(1, 3000).map(lambda n: "x" * n), max_size=300
)


def made(count: int, start: int = 0, size: int = 300) -> dict[str, str]:
    return {str(i): "x" * size for i in range(start, start + count)}


def after(arrangement: Arrangement, shards: Mapping[str, Texts], turn: int) -> dict[str, Texts]:
    kept = {name: shards[name] for name in arrangement.kept}
    return kept | {f"{turn}-{i}": texts for i, texts in enumerate(arrangement.new)}


def held(arrangement: Arrangement, shards: Mapping[str, Texts]) -> dict[str, str]:
    found = dict(arrangement.loose)
    for texts in after(arrangement, shards, 0).values():
        found |= texts
    return found


def test_a_small_fleet_needs_no_shard() -> None:
    assert arrange(made(100), {}) == Arrangement((), (), made(100))


def test_many_texts_are_cut_into_shards_below_the_limit() -> None:
    texts = made(5000)
    arrangement = arrange(texts, {})
    assert len(arrangement.new) == 3
    assert all(sum(len(t) + 1 for t in s.values()) <= SHARD_BYTES for s in arrangement.new)
    assert {label for shard in arrangement.new for label in shard} == texts.keys()
    assert not arrangement.loose


def test_a_small_change_of_a_large_tree_stands_in_the_head_alone() -> None:
    texts = made(5000)
    shards = after(arrange(texts, {}), {}, 1)
    changed = {k: v for k, v in texts.items() if k != "7"} | {"new": "y" * 300}
    arrangement = arrange(changed, shards)
    assert (arrangement.kept, arrangement.new) == (tuple(shards), ())
    assert arrangement.loose == {"new": "y" * 300}


def test_a_shard_that_is_mostly_forgotten_goes() -> None:
    shards = {"a": made(1000), "b": made(1000, 1000)}
    arrangement = arrange(made(1400, 600), shards)
    assert arrangement.kept == ("b",)
    assert {label for shard in arrangement.new for label in shard} == made(400, 600).keys()


def test_nothing_wanted_keeps_nothing() -> None:
    assert arrange({}, {"a": made(10)}) == Arrangement((), (), {})


def test_too_many_shards_are_made_anew() -> None:
    shards = {str(i): made(5, 5 * i) for i in range(MOST_SHARDS)}
    wanted = made(5 * MOST_SHARDS) | made(400, 10_000)
    arrangement = arrange(wanted, shards)
    assert arrangement.kept == ()
    assert {label for shard in arrangement.new for label in shard} == wanted.keys()


@given(st.lists(TEXTS, min_size=1, max_size=6))
def test_over_any_history_all_that_is_wanted_is_there(history: list[dict[str, str]]) -> None:
    shards: dict[str, Texts] = {}
    known: dict[str, str] = {}
    for turn, texts in enumerate(history):
        # A text never changes under its label.
        wanted = {label: known.setdefault(label, text) for label, text in texts.items()}
        arrangement = arrange(wanted, shards)
        assert wanted.items() <= held(arrangement, shards).items()
        assert sum(len(t) + 1 for t in arrangement.loose.values()) <= LOOSE_BYTES
        assert len(arrangement.kept) + len(arrangement.new) <= MOST_SHARDS
        shards = after(arrangement, shards, turn)
        assert arrange(wanted, shards).new == ()
