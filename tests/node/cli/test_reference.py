"""docs/reference-statusd.md says what the program does."""

from __future__ import annotations

from pathlib import Path

from statusnode.config.fleets import FLEET_NAMES
from support.statusd_reference import flag_rows, key_rows

REFERENCE = (Path(__file__).parents[3] / "docs" / "reference-statusd.md").read_text()


def test_every_flag_stands_in_the_reference() -> None:
    lines = REFERENCE.splitlines()
    assert [row for row in flag_rows() if row not in lines] == []


def test_every_key_stands_in_the_reference_with_its_default() -> None:
    lines = REFERENCE.splitlines()
    assert [row for row in key_rows() if row not in lines] == []


def test_the_reference_has_no_key_or_flag_that_is_gone() -> None:
    known = {*flag_rows(), *key_rows()}
    rows = [
        line for line in REFERENCE.splitlines() if line.startswith("| `-") or line.count(" | ") == 4
    ]
    heads = "| key | type | default | reload | meaning |"
    assert [row for row in rows if row not in known and row != heads] == []


def test_every_fleet_is_named_in_the_help() -> None:
    assert all(name in REFERENCE for name in FLEET_NAMES)
