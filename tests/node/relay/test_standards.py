"""What the node itself asks for, and how long it still takes what it asked for before."""

from __future__ import annotations

import pytest

from statusnode.messages.bloom import FULL_BLOOM, BloomError, bloom_bytes, bloom_of
from statusnode.relay.acceptance import Rules
from statusnode.relay.settings import RelaySettings
from statusnode.relay.standards import Standards, StandardsError
from statusnode.relay.status import StatusOptions

A, B = bytes.fromhex("01010101"), bytes.fromhex("02020202")
START = 1000.0


def standards(**settings: object) -> Standards:
    return Standards(RelaySettings(**settings), START)  # type: ignore[arg-type]


def test_a_default_node_takes_everything_of_the_least_proof_of_work() -> None:
    assert standards().rules(START) == Rules(1 << 20, 0.000002)


def test_a_lower_proof_of_work_holds_at_once_and_a_higher_one_after_ten_seconds() -> None:
    ours = standards(min_pow=0.1)
    assert ours.set_min_pow(0.5, START) == StatusOptions(pow_requirement=0.5)
    assert ours.rules(START + 9.9).min_pow == 0.1
    assert ours.rules(START + 10).min_pow == 0.5
    ours.set_min_pow(0.2, START + 20)
    assert ours.rules(START + 20).min_pow == 0.2


def test_each_change_is_tolerated_from_its_own_time() -> None:
    ours = standards(min_pow=0.1)
    ours.set_min_pow(0.3, START)
    ours.set_min_pow(0.5, START + 5)
    assert [ours.rules(START + at).min_pow for at in (6, 11, 15)] == [0.1, 0.3, 0.5]


@pytest.mark.parametrize("value", [-1.0, float("nan"), float("inf")])
def test_a_proof_of_work_that_makes_no_sense_is_refused(value: float) -> None:
    with pytest.raises(StandardsError):
        standards().set_min_pow(value, START)


def test_the_first_topics_hold_at_once_and_later_ones_beside_the_old() -> None:
    ours = standards()
    ours.set_topics([A], START)
    assert ours.rules(START).topics == {A}
    ours.set_topics([B], START + 20)
    assert ours.rules(START + 20).topics == {A, B}
    assert ours.rules(START + 30).topics == {B}


def test_a_filter_narrows_everything_to_its_topics_and_further_ones_widen() -> None:
    ours = standards()
    assert ours.add_topics([A], START) == StatusOptions(topic_interest=(A,))
    assert ours.add_topics([B, A], START) == StatusOptions(topic_interest=(A, B))
    assert ours.rules(START).topics == {A, B}


def test_a_filter_without_topics_changes_nothing() -> None:
    ours = standards()
    assert ours.add_topics([], START) is None
    assert ours.rules(START).topics is None


def test_a_full_node_goes_on_taking_everything() -> None:
    ours = standards(full_node=True)
    assert ours.add_topics([A], START) is None
    assert ours.set_topics([A], START) is None
    assert ours.set_bloom(bytes(64), START) is None
    assert ours.rules(START + 60) == Rules(1 << 20, 0.000002)
    assert ours.advertised().bloom_filter == b"\xff" * 64
    assert ours.bloom == FULL_BLOOM


def test_a_light_client_still_takes_everything_for_ten_seconds() -> None:
    ours = standards(light_client=True)
    assert ours.rules(START + 9).blooms is None
    assert ours.rules(START + 10).blooms == (0, 0)
    assert ours.advertised().bloom_filter is None


def test_in_bloom_filter_mode_the_filter_is_told_once_there_is_one() -> None:
    assert standards(bloom_filter_mode=True).advertised().bloom_filter is None
    light = standards(bloom_filter_mode=True, light_client=True)
    assert light.advertised().bloom_filter == bytes(64)
    widened = light.add_topics([A], START)
    assert widened == StatusOptions(bloom_filter=bloom_bytes(bloom_of([A])))
    assert light.add_topics([A], START) is None


def test_in_bloom_filter_mode_without_a_filter_topics_change_nothing() -> None:
    ours = standards(bloom_filter_mode=True)
    assert ours.add_topics([A], START) is None
    assert ours.rules(START).blooms is None


def test_a_bloom_filter_ends_topics_and_topics_end_a_bloom_filter() -> None:
    ours = standards()
    ours.set_topics([A], START)
    bloom = bloom_bytes(bloom_of([B]))
    assert ours.set_bloom(bloom, START + 20) == StatusOptions(bloom_filter=bloom)
    assert ours.rules(START + 40) == Rules(1 << 20, 0.000002, None, (bloom_of([B]),) * 2)
    ours.set_topics([A], START + 60)
    assert ours.rules(START + 80).topics == {A}
    assert ours.bloom is None


def test_too_many_topics_too_large_messages_and_odd_filters_are_refused() -> None:
    ours = standards()
    with pytest.raises(StandardsError, match="invalid topic interest: 10001"):
        ours.set_topics((number.to_bytes(4, "big") for number in range(10_001)), START)
    with pytest.raises(StandardsError, match=r"message size too large \[10485761>10485760\]"):
        ours.set_max_message_size(10_485_761)
    with pytest.raises(BloomError):
        ours.set_bloom(bytes(63), START)
    assert ours.rules(START) == Rules(1 << 20, 0.000002)


def test_a_new_message_size_holds_at_once_for_bundles_too() -> None:
    ours = standards()
    assert ours.rules(START).max_size == 1 << 20
    ours.set_max_message_size(5000)
    assert ours.rules(START).max_size == 5000
    assert ours.bundle_bytes == 5000
