"""An upgrade of the operator restarts nobody; a change of the spec, or the user's word, does."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from statusfleet.api.fleet import StatusFleet
from statusfleet.api.roles import Relayer
from statusfleet.api.spec import Image
from statusfleet.api.template import Template
from statusfleet.plan import MemberId
from statusfleet.worlds.kubernetes.image import image_of
from statusfleet.worlds.kubernetes.pin import Choice, Pin, choose_pin
from support.fleet_observations import fleet

OLD, NEW = "registry.example/statusfleet:1.0", "registry.example/statusfleet:1.1"
MEMBER = MemberId("relayer", 0)


def spec(**relayer: Any) -> StatusFleet:
    return fleet({"roles": {"relayer": {"replicas": 2, **relayer}, "mailserver": {}}})


def asked(wanted: StatusFleet, **annotations: str) -> StatusFleet:
    named = {f"statusfleet.io/{key.replace('__', '.')}": v for key, v in annotations.items()}
    metadata = wanted.metadata.model_copy(update={"annotations": named})
    return wanted.model_copy(update={"metadata": metadata})


def pinned(wanted: StatusFleet, image: str = OLD, member: MemberId = MEMBER) -> Choice:
    return choose_pin(wanted, member, "", image)


def test_a_newer_operator_keeps_to_what_is_pinned_and_says_so() -> None:
    before = pinned(spec())
    after = choose_pin(spec(), MEMBER, before.pin.text, NEW)
    assert after == Choice(before.pin, newer=True)
    assert after.pin.image == OLD


def test_the_same_operator_has_nothing_newer() -> None:
    before = pinned(spec())
    assert choose_pin(spec(), MEMBER, before.pin.text, OLD) == before


@pytest.mark.parametrize(
    "change",
    [
        {"resources": {"limits": {"memory": "2Gi"}}},
        {"template": {"nodeSelector": {"disk": "fast"}}},
        {"expose": {"type": "HostPort"}},
        {"storage": {"size": "1Gi"}},
    ],
)
def test_a_change_of_the_role_takes_up_what_is_newer(change: dict[str, Any]) -> None:
    before = pinned(spec())
    after = choose_pin(spec(**change), MEMBER, before.pin.text, NEW)
    assert not after.newer
    assert after.pin.image == NEW
    assert after.pin.program != before.pin.program


@pytest.mark.parametrize("change", [{"replicas": 5}, {"maxPeers": 7}, {"minPow": 0.5}])
def test_what_a_running_member_takes_up_itself_pins_nothing_anew(change: dict[str, Any]) -> None:
    before = pinned(spec())
    assert choose_pin(spec(**change), MEMBER, before.pin.text, NEW).pin == before.pin


def test_a_change_of_one_role_leaves_the_others_as_they_are() -> None:
    mail = MemberId("mailserver", 0)
    before = pinned(spec(), member=mail)
    changed = spec(resources={"limits": {"memory": "2Gi"}})
    assert choose_pin(changed, mail, before.pin.text, NEW).pin == before.pin


def test_the_users_word_restarts_all_members_or_one() -> None:
    other = MemberId("relayer", 1)
    before = pinned(spec())
    everybody = asked(spec(), restart="2026-11-21")
    assert choose_pin(everybody, MEMBER, before.pin.text, OLD).pin.program != before.pin.program
    one = asked(spec(), **{"restart__relayer-0": "2026-11-21"})
    assert choose_pin(one, MEMBER, before.pin.text, NEW).pin.image == NEW
    assert choose_pin(one, other, before.pin.text, NEW).pin == before.pin


def test_to_take_an_asked_restart_out_again_restarts_nobody() -> None:
    one = {"restart__relayer-0": "Sat Nov 21"}
    before = choose_pin(asked(spec(), restart="now", **one), MEMBER, "", OLD)
    for left in ({}, {"restart": "now"}, one):
        assert choose_pin(asked(spec(), **left), MEMBER, before.pin.text, OLD) == before
    again = asked(spec(), restart="now", **{"restart__relayer-0": "Sun Nov 22"})
    assert choose_pin(again, MEMBER, before.pin.text, OLD).pin.program != before.pin.program


def test_a_field_that_a_newer_version_adds_is_no_change_of_the_spec() -> None:
    class NewerTemplate(Template):
        colour: str = "grey"

    class NewerRelayer(Relayer):
        template: NewerTemplate = NewerTemplate()
        mood: str = "good"

    before = pinned(spec())
    wanted = spec()
    for newer, is_kept in ((NewerRelayer(replicas=2), True), (NewerRelayer(mood="bad"), False)):
        roles = wanted.spec.roles.model_copy(update={"relayer": newer})
        renewed = wanted.spec.model_copy(update={"roles": roles})
        after = choose_pin(
            wanted.model_copy(update={"spec": renewed}), MEMBER, before.pin.text, NEW
        )
        assert (after.pin == before.pin) is is_kept


def test_what_statusd_is_told_at_its_start_is_kept_with_the_rest() -> None:
    made = replace(pinned(spec()).pin, startup={"APIModules": "net"})
    assert Pin.parse(made.text) == made
    assert choose_pin(spec(), MEMBER, made.text, NEW).pin.startup == {"APIModules": "net"}
    renamed = fleet({"roles": {"relayer": {"replicas": 2}, "mailserver": {}}, "fleetName": "eth.x"})
    for changed in (spec(config={"LogLevel": "DEBUG"}), asked(spec(), restart="now"), renamed):
        assert choose_pin(changed, MEMBER, made.text, OLD).pin.startup is None


@pytest.mark.parametrize("text", ["", "x", "[]", "{}", '{"said":"","restart":"","shape":{}}'])
def test_a_pin_that_somebody_spoiled_is_made_anew(text: str) -> None:
    assert choose_pin(spec(), MEMBER, text, OLD) == pinned(spec())


@pytest.mark.parametrize(
    ("wish", "own", "expected"),
    [
        ({}, "r:5000/a/b:1", "r:5000/a/b:1"),
        ({}, "r/a:1@sha256:" + "0" * 64, "r/a:1@sha256:" + "0" * 64),
        ({"tag": "2"}, "r:5000/a:1", "r:5000/a:2"),
        ({"tag": "2"}, "r/a:1@sha256:" + "0" * 64, "r/a:2"),
        ({"repository": "q/z"}, "r/a:1@sha256:" + "0" * 64, "q/z:1"),
        ({"digest": "sha256:" + "1" * 64}, "r/a:1", "r/a@sha256:" + "1" * 64),
        ({"repository": "q/z", "tag": "3"}, "r/a:1", "q/z:3"),
    ],
)
def test_an_image_is_the_operators_own_but_for_what_is_named(
    wish: dict[str, str], own: str, expected: str
) -> None:
    assert image_of(Image.model_validate(wish), own) == expected
