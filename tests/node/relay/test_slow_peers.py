"""A peer that stops reading loses only its own traffic, and only what expires meanwhile."""

from __future__ import annotations

import random

import pytest

from statusnode.messages.envelope import Envelope
from statusnode.relay.outbox import OUTBOX_BYTES
from statusnode.relay.packets import PacketCode
from statusnode.relay.settings import RelaySettings
from statusnode.relay.status import WAKU_1, StatusOptions
from support.relay_peers import EVERYTHING, FakePeer, RelayWorld, envelope


def pause(peer: FakePeer) -> None:
    assert peer.handler is not None
    peer.handler.writing_paused()


def resume(peer: FakePeer) -> None:
    assert peer.handler is not None
    peer.handler.writing_resumed()


def flood(world: RelayWorld, sender: FakePeer, total_bytes: int, ttl: int = 60) -> list[Envelope]:
    sent = [envelope(size=10_000, ttl=ttl) for _ in range(total_bytes // 10_000)]
    for one in sent:
        sender.messages(one)
    world.advance()
    return sent


def test_while_it_does_not_read_it_is_sent_nothing_and_others_everything() -> None:
    world = RelayWorld()
    sender, slow, quick = world.connect(), world.connect(), world.connect()
    world.advance()
    pause(slow)
    sent = flood(world, sender, 1 << 20)
    assert slow.received == []
    assert sorted(quick.received) == sorted(one.raw for one in sent)
    resume(slow)
    world.advance()
    assert sorted(slow.received) == sorted(one.raw for one in sent)


def test_what_waits_for_it_is_withdrawn_when_it_shows_to_have_it() -> None:
    world = RelayWorld()
    sender, slow = world.connect(), world.connect()
    world.advance()
    pause(slow)
    sent = flood(world, sender, 100_000)
    slow.messages(*sent[2:])
    resume(slow)
    world.advance()
    assert slow.received == [one.raw for one in sent[:2]]


def test_beyond_the_outbox_it_catches_up_from_the_pool() -> None:
    world = RelayWorld()
    sender, slow = world.connect(), world.connect()
    world.advance()
    pause(slow)
    lost = flood(world, sender, 1 << 20, ttl=5)
    kept = flood(world, sender, 2 * OUTBOX_BYTES, ttl=60)
    assert world.host.counters.envelopes_deferred > 0
    world.advance(10)
    resume(slow)
    world.advance()
    assert len(lost) > 0
    assert sorted(slow.received) == sorted(one.raw for one in kept)


def test_an_outbox_given_up_holds_nothing() -> None:
    world = RelayWorld()
    sender, slow = world.connect(), world.connect()
    world.advance()
    pause(slow)
    flood(world, sender, 3 * OUTBOX_BYTES)
    (link,) = [link for link in world.host.links() if link.node_id == slow.node_id]
    assert link.outbox.behind
    assert not link.outbox._queue


def test_what_it_sent_itself_meanwhile_is_not_sent_back() -> None:
    world = RelayWorld()
    sender, slow = world.connect(), world.connect()
    world.advance()
    pause(slow)
    sent = flood(world, sender, 2 * OUTBOX_BYTES)
    slow.messages(*sent[:50])
    resume(slow)
    world.advance()
    assert sorted(slow.received) == sorted(one.raw for one in sent[50:])


def test_a_new_interest_while_behind_counts_when_it_reads_again() -> None:
    world = RelayWorld()
    sender, slow = world.connect(), world.connect()
    world.advance()
    pause(slow)
    flood(world, sender, 2 * OUTBOX_BYTES)
    wanted = envelope(b"good")
    sender.messages(wanted)
    update = StatusOptions(topic_interest=(b"good",))
    slow.packet(PacketCode.STATUS_UPDATE, WAKU_1.encode_update(update))
    world.advance()
    assert slow.received == []
    resume(slow)
    world.advance()
    assert slow.received == [wanted.raw]


def test_a_peer_lost_while_behind_leaves_nothing_planned() -> None:
    world = RelayWorld()
    sender, slow = world.connect(), world.connect()
    pause(slow)
    flood(world, sender, 2 * OUTBOX_BYTES)
    assert slow.handler is not None
    slow.handler.connection_lost(None)
    sender.messages(envelope())
    world.advance(1)
    assert slow.received == []
    assert len(world.host.links()) == 1


def test_a_peer_that_pauses_before_its_status_is_not_written_to() -> None:
    world = RelayWorld()
    sender, slow = world.connect(), world.connect(None)
    sender.messages(one := envelope())
    pause(slow)
    slow.packet(PacketCode.STATUS, WAKU_1.encode_status(EVERYTHING))
    world.advance()
    assert slow.received == []
    resume(slow)
    world.advance()
    assert slow.received == [one.raw]


@pytest.mark.parametrize("seed", range(8))
def test_whatever_happens_nothing_is_sent_twice_or_back_and_nothing_is_missed(seed: int) -> None:
    """Peers connect, send, pause, resume, change interest and leave at random."""
    rng = random.Random(seed)
    topics = [bytes([number] * 4) for number in range(6)]
    world = RelayWorld(RelaySettings(max_message_size=5000, min_pow=0.0))
    peers: list[FakePeer] = []
    shown: dict[int, set[bytes]] = {}
    everything: list[Envelope] = []

    def options() -> StatusOptions:
        if rng.random() < 0.5:
            return EVERYTHING
        return StatusOptions(0.0, topic_interest=tuple(rng.sample(topics, rng.randint(0, 4))))

    for _ in range(400):
        action = rng.random()
        if action < 0.08 or len(peers) < 2:
            peers.append(world.connect(options()))
            shown[id(peers[-1])] = set()
        peer = rng.choice(peers)
        if action < 0.6:
            fresh = [envelope(rng.choice(topics), size=rng.randint(1, 600), ttl=900)]
            known = rng.sample(everything, min(len(everything), rng.randint(0, 3)))
            everything += fresh
            shown[id(peer)] |= {one.raw for one in fresh + known} - set(peer.received)
            peer.messages(*fresh, *known)
        elif action < 0.7:
            pause(peer)
        elif action < 0.8:
            resume(peer)
        elif action < 0.86:
            update = WAKU_1.encode_update(StatusOptions(topic_interest=tuple(topics[:3])))
            peer.packet(PacketCode.STATUS_UPDATE, update)
        elif action < 0.9 and len(peers) > 3:
            peers.remove(peer)
            assert peer.handler is not None
            peer.handler.connection_lost(None)
        world.advance(rng.choice([0.0, 0.001, 0.004]))
    for peer in peers:
        resume(peer)
        update = WAKU_1.encode_update(StatusOptions(bloom_filter=b""))
        peer.packet(PacketCode.STATUS_UPDATE, update)
    world.advance(1)
    for peer in peers:
        assert len(set(peer.received)) == len(peer.received)
        assert not set(peer.received) & shown[id(peer)]
        assert set(peer.received) | shown[id(peer)] == {one.raw for one in everything}
