"""Leaping over topics that a bloom filter cannot let through."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from statusnode.mailserver.topicscan import CandidateTopics
from statusnode.messages.bloom import FULL_BLOOM, bloom_bytes, bloom_of

topics = st.binary(min_size=4, max_size=4)


def number(topic: bytes) -> int:
    return int.from_bytes(topic, "big")


def is_candidate(candidates: CandidateTopics, topic: bytes) -> bool:
    return candidates.at_or_after(number(topic)) == number(topic)


@given(st.lists(topics, min_size=1, max_size=5))
def test_every_topic_of_a_filter_is_a_candidate(chosen: list[bytes]) -> None:
    candidates = CandidateTopics(bloom_bytes(bloom_of(chosen)))
    assert all(is_candidate(candidates, topic) for topic in chosen)


@given(chosen=st.lists(topics, max_size=5), start=topics, others=st.lists(topics, max_size=20))
def test_no_candidate_lies_between_a_topic_and_the_next_candidate(
    chosen: list[bytes], start: bytes, others: list[bytes]
) -> None:
    candidates = CandidateTopics(bloom_bytes(bloom_of(chosen)))
    found = candidates.at_or_after(number(start))
    known = [number(t) for t in (*chosen, *others) if is_candidate(candidates, t)]
    nearest = min((n for n in known if n >= number(start)), default=None)
    if nearest is not None:
        assert found is not None
        assert number(start) <= found <= nearest
    if found is not None:
        assert candidates.at_or_after(found) == found


def test_the_filter_of_one_chat_leaves_one_topic_in_a_thousand() -> None:
    candidates = CandidateTopics(bloom_bytes(bloom_of([bytes.fromhex("aabbcc07")])))
    place = sum(candidates._next[value] == value for value in range(256))
    assert place == 24


def test_the_empty_filter_has_no_candidates_and_the_full_one_leaves_none_out() -> None:
    assert CandidateTopics(bytes(64)).at_or_after(0) is None
    full = CandidateTopics(bloom_bytes(FULL_BLOOM))
    assert full.at_or_after(0xFFFFFFFF) == 0xFFFFFFFF
    assert full.at_or_after(0x100000000) is None
