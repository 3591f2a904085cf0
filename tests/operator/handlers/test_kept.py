"""What is kept of a fleet between passes: all that a pass needs, and each text once."""

from __future__ import annotations

import json
from typing import Any

from statusfleet.handlers.kept import is_news, once, slim

BODY: dict[str, Any] = {
    "metadata": {"name": "eddy", "generation": 1, "managedFields": [{"manager": "kubectl"}]},
    "spec": {"roles": {"relayer": {"replicas": 2, "members": [{"ordinal": 0, "note": "first"}]}}},
    "status": {"phase": "Ready", "conditions": [{"type": "Ready", "message": "all is well"}]},
}


def sent() -> dict[str, Any]:
    """The fleet as a server sends it: all of it anew."""
    copy: dict[str, Any] = json.loads(json.dumps(BODY))
    return copy


def seen(status: object = None, **metadata: object) -> dict[str, Any]:
    return {"metadata": {"generation": 1, **metadata}, "status": status or {}}


def test_all_is_kept_but_who_set_which_field() -> None:
    kept = slim(sent(), {})
    assert kept == {**BODY, "metadata": {"name": "eddy", "generation": 1}}


def test_a_status_that_is_known_is_kept_once() -> None:
    known = once(sent()["status"])
    assert slim(sent(), known)["status"] is known
    assert slim(sent(), {"phase": "Pending"})["status"] == known
    assert slim({"metadata": {}}, {})["status"] == {}


def test_two_fleets_that_say_the_same_share_each_text() -> None:
    one, other = once(sent()), once(sent())
    assert one == other == BODY
    assert one["status"]["conditions"][0]["message"] is other["status"]["conditions"][0]["message"]
    assert next(iter(one["spec"])) is next(iter(other["spec"]))


def test_a_pass_depends_on_our_annotations_alone() -> None:
    before = seen(annotations={"statusfleet.io/restart": "1"})
    noted = seen(annotations={"statusfleet.io/restart": "1", "somebody.example/note": "x"})
    assert not is_news(before, noted, ())
    assert is_news(before, seen(annotations={}), ())


def test_a_status_is_news_unless_it_is_our_own_also_without_what_the_server_left_out_of_it() -> (
    None
):
    before, sent, kept = {"phase": "Pending"}, {"phase": "Ready", "new": 1}, {"phase": "Ready"}
    for ours in (before, sent, kept):
        assert not is_news(seen(before), seen(ours), (sent, kept))
    assert is_news(seen(before), seen({"phase": "Paused"}), (sent, kept))
    assert is_news(seen(before), seen(kept), (None, None))
