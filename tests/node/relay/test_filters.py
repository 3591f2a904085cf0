"""Which messages a filter lets through, and what it keeps of them."""

from __future__ import annotations

import pytest

from statusnode.crypto.keys import PrivateKey, PublicKey
from statusnode.messages import payload, sealing
from statusnode.messages.envelope import Envelope
from statusnode.relay import filters
from statusnode.relay.filters import Criteria, FilterRegistry, Message, UnknownFilterError

KEY = bytes(range(32))
OTHER_KEY = bytes(range(1, 33))
OWNER = PrivateKey(b"\x22" * 32)
SIGNER = PrivateKey(b"\x11" * 32)
TOPIC = bytes.fromhex("cd423760")
OTHER_TOPIC = bytes.fromhex("01020300")


def envelope(
    content: bytes = b"content",
    *,
    key: bytes | PublicKey = KEY,
    topic: bytes = TOPIC,
    signer: PrivateKey | None = SIGNER,
    ttl: int = 10,
) -> Envelope:
    plaintext = payload.encode(content, signer=signer)
    if isinstance(key, bytes):
        data = sealing.seal_symmetric(plaintext, key)
    else:
        data = sealing.seal_asymmetric(plaintext, key)
    return Envelope.build(1_600_000_000, ttl, topic, data, 0)


@pytest.fixture
def registry() -> FilterRegistry:
    return FilterRegistry()


def contents(messages: list[Message]) -> list[bytes]:
    return [message.payload.content for message in messages]


@pytest.mark.parametrize(
    ("criteria", "offered", "direct", "passes"),
    [
        (Criteria(KEY, frozenset({TOPIC})), {}, False, True),
        (Criteria(KEY), {}, False, True),
        (Criteria(KEY, frozenset({OTHER_TOPIC})), {}, False, False),
        (Criteria(KEY, frozenset({OTHER_TOPIC, TOPIC})), {}, False, True),
        (Criteria(OTHER_KEY, frozenset({TOPIC})), {}, False, False),
        (Criteria(OWNER), {"key": OWNER.public_key}, False, True),
        (Criteria(OWNER), {"key": SIGNER.public_key}, False, False),
        (Criteria(OWNER), {}, False, False),
        (Criteria(KEY), {"key": OWNER.public_key}, False, False),
        (Criteria(KEY, signer=SIGNER.public_key), {}, False, True),
        (Criteria(KEY, signer=OWNER.public_key), {}, False, False),
        (Criteria(KEY, signer=SIGNER.public_key), {"signer": None}, False, False),
        (Criteria(KEY, min_pow=1e-9), {}, False, True),
        (Criteria(KEY, min_pow=1e9), {}, False, False),
        (Criteria(KEY), {}, True, False),
        (Criteria(KEY, allow_direct=True), {}, True, True),
        (Criteria(KEY, allow_direct=True), {}, False, True),
        (Criteria(KEY, allow_direct=True, min_pow=1e-9), {}, True, False),
    ],
    ids=[
        "its topic",
        "every topic",
        "another topic",
        "one of its topics",
        "another key",
        "addressed to it",
        "addressed to another",
        "symmetric data for a key pair",
        "asymmetric data for a symmetric key",
        "the wanted signer",
        "another signer",
        "no signer",
        "enough work",
        "too little work",
        "direct, not allowed",
        "direct, allowed",
        "direct allowed, but relayed",
        "direct messages have no work",
    ],
)
def test_a_filter_lets_through_what_it_names(
    registry: FilterRegistry, criteria: Criteria, offered: dict, direct: bool, passes: bool
) -> None:
    filter_id = registry.install(criteria)

    registry.offer(envelope(**offered), direct)

    messages = registry.drain(filter_id)
    assert contents(messages) == ([b"content"] if passes else [])
    assert all(message.direct is direct for message in messages)


def test_a_message_knows_its_envelope_its_signer_and_whom_it_is_for(
    registry: FilterRegistry,
) -> None:
    filter_id = registry.install(Criteria(OWNER))
    sent = envelope(key=OWNER.public_key)

    registry.offer(sent, False)

    (message,) = registry.drain(filter_id)
    assert message.envelope is sent
    assert message.payload.signer == SIGNER.public_key
    assert message.recipient == OWNER.public_key


def test_messages_come_once_and_in_order(registry: FilterRegistry) -> None:
    filter_id = registry.install(Criteria(KEY))
    first, second = envelope(b"first"), envelope(b"second")

    for offered in (first, second, first):
        registry.offer(offered, False)

    assert contents(registry.drain(filter_id)) == [b"first", b"second"]
    assert registry.drain(filter_id) == []


def test_every_filter_that_wants_a_message_gets_it(registry: FilterRegistry) -> None:
    ids = [
        registry.install(criteria)
        for criteria in (
            Criteria(OTHER_KEY),
            Criteria(KEY),
            Criteria(OWNER),
            Criteria(KEY, frozenset({TOPIC})),
        )
    ]

    registry.offer(envelope(), False)

    assert [len(registry.drain(filter_id)) for filter_id in ids] == [0, 1, 0, 1]


def test_a_listener_gets_messages_as_they_come(registry: FilterRegistry) -> None:
    heard: list[Message] = []
    filter_id = registry.install(Criteria(KEY), heard.append)

    registry.offer(envelope(), False)

    assert contents(heard) == [b"content"]
    assert registry.drain(filter_id) == []


def test_a_listener_may_remove_its_filter(registry: FilterRegistry) -> None:
    ids: list[str] = []
    ids.append(registry.install(Criteria(KEY), lambda _: registry.uninstall(ids[0])))
    other = registry.install(Criteria(KEY))

    registry.offer(envelope(b"first"), False)
    registry.offer(envelope(b"second"), False)

    assert contents(registry.drain(other)) == [b"first", b"second"]


def test_a_removed_filter_gets_nothing_and_is_unknown(registry: FilterRegistry) -> None:
    kept = registry.install(Criteria(KEY, frozenset({TOPIC})))
    gone = registry.install(Criteria(KEY, frozenset({TOPIC, OTHER_TOPIC})))
    registry.uninstall(gone)

    registry.offer(envelope(), False)
    registry.offer(envelope(topic=OTHER_TOPIC), False)

    assert len(registry.drain(kept)) == 1
    with pytest.raises(UnknownFilterError, match="filter not found"):
        registry.drain(gone)
    with pytest.raises(UnknownFilterError, match="failed to unsubscribe: invalid ID"):
        registry.uninstall(gone)


@pytest.mark.parametrize(("limit", "value"), [("MAX_MESSAGES", 2), ("MAX_BYTES", 700)])
def test_a_filter_that_nobody_drains_loses_its_oldest(
    registry: FilterRegistry, monkeypatch: pytest.MonkeyPatch, limit: str, value: int
) -> None:
    monkeypatch.setattr(filters, limit, value)
    filter_id = registry.install(Criteria(KEY))

    for content in (b"first", b"second", b"third"):
        registry.offer(envelope(content), False)

    assert contents(registry.drain(filter_id)) == [b"second", b"third"]
    assert registry.lost == 1


def test_an_envelope_whose_topic_nobody_wants_is_not_even_looked_into(
    registry: FilterRegistry, monkeypatch: pytest.MonkeyPatch
) -> None:
    registry.install(Criteria(KEY, frozenset({TOPIC})))
    monkeypatch.setattr(filters, "_open", lambda *_: pytest.fail("a key was tried"))

    registry.offer(envelope(topic=OTHER_TOPIC), False)


def test_data_that_holds_no_message_is_passed_over(registry: FilterRegistry) -> None:
    filter_id = registry.install(Criteria(KEY))
    no_payload = sealing.seal_symmetric(b"\x03\x01", KEY)

    for data in (b"", b"garbage", bytes(300), no_payload):
        registry.offer(Envelope.build(1_600_000_000, 10, TOPIC, data, 0), False)

    assert registry.drain(filter_id) == []


def test_criteria_never_show_their_key() -> None:
    assert repr(KEY) not in repr(Criteria(KEY))
