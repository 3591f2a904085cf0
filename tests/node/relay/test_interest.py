"""What a peer wants, from what it has told."""

from __future__ import annotations

import math

import pytest

from statusnode.messages.bloom import FULL_BLOOM, bloom_bytes, bloom_of
from statusnode.relay.interest import Interest
from statusnode.relay.status import StatusError, StatusOptions
from support.relay_peers import envelope

A, B = bytes.fromhex("01010101"), bytes.fromhex("02020202")
FIRST = Interest()


def test_who_tells_nothing_wants_all_topics_of_the_default_proof_of_work() -> None:
    assert FIRST.changed_by(StatusOptions()) == Interest(0.001, None, FULL_BLOOM)
    assert FIRST.wants_all_topics
    assert not FIRST.wants(envelope(A, size=2000, nonce=1))


def test_topics_win_over_a_bloom_filter() -> None:
    told = StatusOptions(0.0, bloom_filter=b"\xff" * 64, topic_interest=(A,))
    interest = FIRST.changed_by(told)
    assert interest.wants_topic(A)
    assert not interest.wants_topic(B)


def test_a_bloom_filter_and_topics_replace_each_other() -> None:
    by_topics = FIRST.changed_by(StatusOptions(topic_interest=(A,)))
    by_bloom = by_topics.changed_by(StatusOptions(bloom_filter=bloom_bytes(bloom_of([B]))))
    assert not by_bloom.wants_topic(A)
    assert by_bloom.wants_topic(B)
    assert by_bloom.changed_by(StatusOptions(topic_interest=(A,))) == by_topics


def test_topics_are_exact_where_a_bloom_filter_is_vague() -> None:
    topic, same_bloom = bytes.fromhex("0a141e00"), bytes.fromhex("1e140a00")
    bloom = FIRST.changed_by(StatusOptions(bloom_filter=bloom_bytes(bloom_of([topic]))))
    assert bloom.wants_topic(same_bloom)
    assert not FIRST.changed_by(StatusOptions(topic_interest=(topic,))).wants_topic(same_bloom)


def test_no_topics_and_an_empty_filter_want_nothing() -> None:
    assert not FIRST.changed_by(StatusOptions(topic_interest=())).wants_topic(A)
    assert not FIRST.changed_by(StatusOptions(bloom_filter=bytes(64))).wants_topic(A)


def test_a_filter_without_bytes_wants_everything() -> None:
    interest = FIRST.changed_by(StatusOptions(topic_interest=()))
    assert interest.changed_by(StatusOptions(bloom_filter=b"")).wants_all_topics


def test_an_update_changes_only_what_it_names() -> None:
    interest = FIRST.changed_by(StatusOptions(topic_interest=(A,)))
    assert interest.changed_by(StatusOptions(0.5)) == Interest(0.5, frozenset([A]))
    assert interest.changed_by(StatusOptions(light_node=True)) == interest


@pytest.mark.parametrize("requirement", [math.nan, math.inf, -math.inf, -1.0, -5e-324])
def test_a_requirement_that_makes_no_sense_is_refused(requirement: float) -> None:
    with pytest.raises(StatusError):
        FIRST.changed_by(StatusOptions(requirement))


@pytest.mark.parametrize("size", [1, 63, 65])
def test_a_filter_of_the_wrong_size_is_refused(size: int) -> None:
    with pytest.raises(StatusError):
        FIRST.changed_by(StatusOptions(bloom_filter=bytes(size)))
