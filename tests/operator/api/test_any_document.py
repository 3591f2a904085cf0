"""Whatever stands in a document, the answer is a fleet or sentences: never a crash."""

from __future__ import annotations

import copy
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from statusfleet.api import not_applicable
from statusfleet.api.manifest import parse_fleet
from statusfleet.api.problems import path_text
from support.manifest_tables import RIGHT, manifest

values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | st.sampled_from(["", "1s", "x" * 3000, "127.0.0.1", "NodePort", "é\n"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["name", "key", "replicas", "Ω", "a.b"]), inner, max_size=3
        )
    ),
    max_leaves=6,
)


def _places(part: Any, path: tuple[str | int, ...] = ()) -> list[tuple[str | int, ...]]:
    found = [path] if path else []
    children = (
        part if isinstance(part, dict) else dict(enumerate(part if isinstance(part, list) else ()))
    )
    for step, child in children.items():
        found += _places(child, (*path, step))
    return found


@given(st.data(), st.sampled_from(RIGHT), values)
def test_one_part_replaced_by_anything_is_taken_or_told(
    data: st.DataObject, spec: dict[str, Any], value: object
) -> None:
    document = copy.deepcopy(manifest(spec))
    place = data.draw(st.sampled_from(_places(document)))
    part: Any = document
    for step in place[:-1]:
        part = part[step]
    part[place[-1]] = value
    fleet, problems = parse_fleet(document)
    assert all(text and "\n" not in path_text(path) for path, text in problems)
    if fleet is None:
        assert problems
    else:
        not_applicable(fleet.spec, "processes")


@given(values)
def test_anything_at_all_is_taken_or_told(value: object) -> None:
    fleet, problems = parse_fleet(value)
    assert fleet is None
    assert problems
