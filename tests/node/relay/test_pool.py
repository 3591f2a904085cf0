"""The pool: what is alive, until when, and who has it."""

from __future__ import annotations

from statusnode.relay.pool import Pool
from support.relay_peers import NOW, envelope


def test_an_envelope_lives_through_the_second_of_its_expiry() -> None:
    pool = Pool(1 << 20)
    one = envelope(ttl=5)
    pool.add(one, 0)
    assert pool.expire(NOW + 5) == 0
    assert one.hash in pool
    assert pool.expire(NOW + 6) == 1
    assert one.hash not in pool
    assert (len(pool), pool.size_bytes) == (0, 0)


def test_a_clock_that_jumps_expires_all_that_is_past() -> None:
    pool = Pool(1 << 20)
    for ttl in (3, 1, 2, 50):
        pool.add(envelope(ttl=ttl), 0)
    assert pool.expire(NOW + 10) == 3
    assert len(pool) == 1


def test_above_the_limit_who_lives_longest_goes_first() -> None:
    pool = Pool(400)
    short, long = [envelope(ttl=5, size=100) for _ in range(3)], envelope(ttl=5000, size=100)
    for one in [long, *short]:
        pool.add(one, 0)
    assert pool.shrink() == 1
    assert [one.hash in pool for one in [long, *short]] == [False, True, True, True]
    assert pool.expire(NOW + 6000) == 3


def test_a_walk_meets_everything_and_survives_change() -> None:
    pool = Pool(1 << 20)
    late, soon, gone = envelope(ttl=9), envelope(ttl=3), envelope(ttl=5)
    for one in (late, soon, gone):
        pool.add(one, 0)
    walk = pool.walk()
    assert next(walk) is soon
    pool.expire(NOW + 6)
    pool.add(added := envelope(ttl=9), 0)
    assert list(walk) == [late, added]


def test_holders_are_marked_and_unmarked_by_seat() -> None:
    pool = Pool(1 << 20)
    first, second = pool.take_seat(), pool.take_seat()
    one = envelope()
    pool.add(one, first | second)
    pool.unmark(one.hash, first)
    pool.unmark(b"unknown", first)
    assert pool.holders[one.hash] == second


def test_a_seat_is_taken_again_only_when_nothing_remembers_who_sat_there() -> None:
    pool = Pool(1 << 20)
    stays = pool.take_seat()
    one = envelope()
    pool.add(one, stays)
    taken = set()
    for _ in range(200):
        seat = pool.take_seat()
        taken.add(seat)
        assert not pool.holders[one.hash] & seat
        pool.holders[one.hash] |= seat
        pool.leave_seat(seat)
    assert stays not in taken
    assert len(taken) <= 65
    assert pool.holders[one.hash] & stays
