"""What an earlier operator's status still tells."""

from __future__ import annotations

from typing import Any

import pytest

from statusfleet.handlers.recollection import namesakes, reached, served


def status(truth: str) -> dict[str, Any]:
    rows = [
        {"name": "relayer-0", "ready": True, "enode": "enode://a@203.0.113.7:443"},
        {"name": "relayer-1", "ready": False, "enode": "enode://b@203.0.113.8:443"},
    ]
    return {"conditions": [{"type": "Reachable", "status": truth}], "members": rows}


def test_fleets_whose_tree_has_one_url_are_named_but_for_the_one_that_asks() -> None:
    statuses: dict[tuple[str, str], dict[str, Any]] = {
        ("a", "eth"): {"tree": {"url": "enrtree://K@x"}},
        ("b", "eth"): {"tree": {"url": "enrtree://K@x"}},
        ("c", "eth"): {"tree": {"url": "enrtree://L@x"}},
        ("d", "eth"): {},
    }
    assert namesakes(statuses, ("a", "eth"), "enrtree://K@x") == ["b/eth"]


def test_of_members_that_were_all_reached_the_ready_ones_need_no_new_dial() -> None:
    assert reached(status("True")) == {"relayer-0": "enode://a@203.0.113.7:443"}


def test_where_one_was_not_reached_all_are_dialed_anew() -> None:
    assert reached(status("False")) == {}
    assert reached(status("Unknown")) == {}
    assert reached({}) == {}


@pytest.mark.parametrize(
    ("tree", "number"),
    [
        ({"url": "enrtree://K@x", "seq": 4, "publishedAt": "2026-01-01T00:00:00Z"}, 4),
        ({"url": "enrtree://K@x", "seq": 4}, 0),
        (None, 0),
    ],
)
def test_a_tree_was_served_if_its_status_says_when(tree: Any, number: int) -> None:
    assert served({"tree": tree} if tree else {}) == number
