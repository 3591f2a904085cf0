"""Which envelopes are taken: the rules, their edges and their order."""

from __future__ import annotations

import pytest

from statusnode.messages.bloom import EMPTY_BLOOM, bloom_of
from statusnode.messages.envelope import Envelope
from statusnode.relay.acceptance import Acceptance, Rules
from support.relay_peers import NOW, envelope

TOPIC, OTHER = bytes.fromhex("01020304"), bytes.fromhex("09080706")
RULES = Rules(max_size=1000, min_pow=0.0)


@pytest.mark.parametrize(
    ("sent", "verdict"),
    [
        (NOW, Acceptance.NEW),
        (NOW + 10, Acceptance.NEW),
        (NOW + 11, Acceptance.FROM_FUTURE),
        (NOW - 20, Acceptance.NEW),
        (NOW - 21, Acceptance.EXPIRED),
        (NOW - 40, Acceptance.EXPIRED),
        (NOW - 41, Acceptance.VERY_OLD),
    ],
)
def test_clocks_may_differ_a_little(sent: int, verdict: Acceptance) -> None:
    assert RULES.judge(envelope(sent=sent, ttl=20), NOW) is verdict


def test_an_expiry_before_the_ttl_wraps_into_the_future() -> None:
    assert RULES.judge(envelope(expiry=10, ttl=11), NOW) is Acceptance.FROM_FUTURE


def test_a_ttl_of_nothing_is_worth_any_proof_of_work() -> None:
    assert Rules(1000, 1e300).judge(envelope(ttl=0), NOW) is Acceptance.NEW


@pytest.mark.parametrize(("size", "verdict"), [(980, "NEW"), (981, "OVERSIZED")])
def test_the_size_is_the_data_and_twenty(size: int, verdict: str) -> None:
    assert RULES.judge(envelope(size=size), NOW) is Acceptance[verdict]


def test_proof_of_work_must_reach_the_least_that_is_tolerated() -> None:
    one = envelope()
    assert Rules(1000, one.pow).judge(one, NOW) is Acceptance.NEW
    assert Rules(1000, one.pow * 1.001).judge(one, NOW) is Acceptance.LOW_POW


def test_a_fast_clock_costs_proof_of_work() -> None:
    ahead = envelope(sent=NOW + 9, ttl=10)
    fair = ahead.pow
    assert Rules(1000, fair).judge(ahead, NOW) is Acceptance.LOW_POW
    assert ahead.pow == fair / 2


@pytest.mark.parametrize(
    ("rules", "verdict"),
    [
        (Rules(1000, 0.0, None, None), Acceptance.NEW),
        (Rules(1000, 0.0, frozenset({TOPIC})), Acceptance.NEW),
        (Rules(1000, 0.0, frozenset({OTHER})), Acceptance.NO_TOPIC_INTEREST_MATCH),
        (Rules(1000, 0.0, frozenset()), Acceptance.NO_TOPIC_INTEREST_MATCH),
        (Rules(1000, 0.0, None, (bloom_of([TOPIC]),)), Acceptance.NEW),
        (Rules(1000, 0.0, None, (EMPTY_BLOOM, bloom_of([TOPIC]))), Acceptance.NEW),
        (Rules(1000, 0.0, None, (EMPTY_BLOOM, bloom_of([OTHER]))), Acceptance.NO_BLOOM_MATCH),
        (Rules(1000, 0.0, frozenset({TOPIC}), (EMPTY_BLOOM,)), Acceptance.NEW),
    ],
)
def test_interest_is_topics_or_else_any_of_the_filters(rules: Rules, verdict: Acceptance) -> None:
    assert rules.judge(envelope(TOPIC), NOW) is verdict


def test_the_first_rule_that_fails_is_named() -> None:
    """Each envelope breaks the rule it is named for and all that come later."""
    strict = Rules(100, 1e300, frozenset())
    broken: dict[Acceptance, Envelope] = {
        Acceptance.FROM_FUTURE: envelope(OTHER, size=500, sent=NOW + 50),
        Acceptance.VERY_OLD: envelope(OTHER, size=500, sent=NOW - 500),
        Acceptance.EXPIRED: envelope(OTHER, size=500, sent=NOW - 21),
        Acceptance.OVERSIZED: envelope(OTHER, size=500),
        Acceptance.LOW_POW: envelope(OTHER, size=50),
        Acceptance.NO_TOPIC_INTEREST_MATCH: envelope(OTHER, size=50, ttl=0),
    }
    assert {verdict: strict.judge(one, NOW) for verdict, one in broken.items()} == {
        verdict: verdict for verdict in broken
    }


def test_only_what_stays_out_and_is_not_merely_late_is_complained_of() -> None:
    silent = {verdict for verdict in Acceptance if verdict.complaint is None}
    assert silent == {Acceptance.NEW, Acceptance.KNOWN, Acceptance.EXPIRED}
    assert {verdict for verdict in Acceptance if verdict.accepted} == {
        Acceptance.NEW,
        Acceptance.KNOWN,
    }
