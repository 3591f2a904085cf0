"""Kopf's watch of fleets is dead when it does not tell what another watch has seen."""

from __future__ import annotations

from typing import Any

import pytest

from statusfleet.handlers.lag import FleetLag


def fleet(version: int, uid: str = "1") -> dict[str, Any]:
    return {"metadata": {"uid": uid, "resourceVersion": str(version)}}


class Scene:
    """Two watches of the same fleets, and a clock."""

    def __init__(self) -> None:
        self.time = 0.0
        self.lag = FleetLag(lambda: self.time)
        self.lag.start()

    def after(self, seconds: float) -> float:
        """Return for how long Kopf's watch is silent so many seconds later."""
        self.time += seconds
        return self.lag.silent_seconds


@pytest.fixture
def scene() -> Scene:
    """A fleet that both watches have told of."""
    scene = Scene()
    scene.lag.begin()
    scene.lag.seen(fleet(5))
    scene.lag.complete()
    scene.lag.told(fleet(5))
    return scene


def test_where_nothing_happens_there_is_nothing_to_tell(scene: Scene) -> None:
    assert scene.after(1e6) == 0.0


def test_what_only_our_own_watch_has_seen_is_missed_until_it_is_told(scene: Scene) -> None:
    scene.lag.seen(fleet(6))
    assert scene.after(7.0) == 7.0
    scene.lag.seen(fleet(7))
    assert scene.after(1.0) == 8.0
    scene.lag.told(fleet(7))
    assert scene.after(9.0) == 0.0


def test_who_is_told_first_misses_nothing(scene: Scene) -> None:
    scene.lag.told(fleet(8))
    scene.lag.seen(fleet(8))
    assert scene.after(9.0) == 0.0


def test_a_watch_that_is_behind_and_goes_on_is_not_dead(scene: Scene) -> None:
    for number in range(10, 20):
        scene.lag.seen(fleet(5, str(number)))
    for number in range(10, 19):
        assert scene.after(50.0) == 50.0
        scene.lag.told(fleet(5, str(number)))
    scene.lag.told(fleet(4, "19"))  # of an earlier moment
    assert scene.after(60.0) == 60.0


def test_a_fleet_that_ends_must_be_told_of_too(scene: Scene) -> None:
    scene.lag.gone(fleet(9))
    assert scene.after(3.0) == 3.0
    scene.lag.told(fleet(9), gone=True)
    assert scene.after(3.0) == 0.0


def test_an_end_that_was_told_first_is_missed_by_nobody(scene: Scene) -> None:
    scene.lag.told(fleet(9), gone=True)
    scene.lag.seen(fleet(8))
    scene.lag.gone(fleet(9))
    assert scene.after(3.0) == 0.0


def test_a_fleet_that_is_missing_in_a_list_has_ended(scene: Scene) -> None:
    scene.lag.seen(fleet(3, "of no consequence"))
    scene.lag.told(fleet(3, "of no consequence"))
    scene.lag.begin()
    scene.lag.seen(fleet(3, "of no consequence"))
    scene.lag.complete()
    assert scene.after(3.0) == 3.0
    scene.lag.told(fleet(5), gone=True)
    assert scene.after(3.0) == 0.0


def test_before_kopf_starts_nothing_is_missed() -> None:
    lag = FleetLag(lambda: 100.0)
    lag.seen(fleet(1))
    assert lag.silent_seconds == 0.0


def test_a_watch_that_begins_anew_must_tell_of_everything_again(scene: Scene) -> None:
    scene.lag.seen(fleet(9, "2"))
    scene.lag.start()
    scene.lag.told(fleet(9, "2"))
    assert scene.after(4.0) == 4.0
    scene.lag.start()  # and so it goes on: to begin alone is no word
    assert scene.after(4.0) == 8.0
    scene.lag.told(fleet(5))
    scene.lag.told(fleet(9, "2"))
    assert scene.after(4.0) == 0.0


def test_a_watch_that_begins_anew_need_not_tell_what_went_before(scene: Scene) -> None:
    scene.lag.gone(fleet(6))
    scene.lag.start()
    assert scene.after(4.0) == 0.0
    scene.lag.told(fleet(7, "2"))
    scene.lag.seen(fleet(7, "2"))
    scene.lag.start()
    scene.lag.gone(fleet(8, "2"))
    assert scene.after(4.0) == 0.0


def test_a_watch_that_may_rest_misses_nothing_until_it_starts(scene: Scene) -> None:
    scene.lag.seen(fleet(6))
    scene.lag.rest()
    assert scene.after(1000.0) == 0.0
    scene.lag.start()
    assert scene.after(4.0) == 4.0
