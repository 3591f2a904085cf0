"""The table of edits knows every field: a new one needs a row that says what editing it does."""

from __future__ import annotations

from statusfleet.api.crd import root_schema
from support import field_edits_of_fleets, field_edits_of_pods, field_edits_while_running
from support.field_edits import Surroundings, leaves
from support.field_edits_refused import refusals

AROUND = Surroundings("repository:tag", "class", "runtime", 53)
# Seen when a fleet is deleted, by those who ask for the list of its nodes, or by nobody yet.
TRIED_BY_THEMSELVES = {
    "datacenter",
    "deletion.drain",
    "deletion.identities",
    "deletion.tree",
    "roles.mailserver.members[].address.udp",
    "roles.relayer.members[].address.udp",
}


def test_every_field_of_the_manifest_has_an_edit() -> None:
    modules = (field_edits_of_pods, field_edits_while_running, field_edits_of_fleets)
    courses = [course for module in modules for course in module.courses(AROUND)]
    rows = {field for course in courses for edit in course.edits for field in edit.fields}
    rows |= {field for refusal in refusals() for field in refusal.fields}
    rows |= TRIED_BY_THEMSELVES
    whole = tuple(row for row in rows if row.endswith("."))
    fields = set(leaves(root_schema()["properties"]["spec"]))
    assert sorted(f for f in fields - rows if not f.startswith(whole)) == []
    assert sorted(row for row in rows - fields if row not in whole) == []
    names = [course.name for course in courses]
    assert len(names) == len(set(names))
