"""Which wishes an object's managed fields cover. The fields are as a real API server wrote them."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from statusfleet.worlds.kubernetes.ownership import holds, owned_fields

BODY: dict[str, Any] = {
    "apiVersion": "apps/v1",
    "kind": "StatefulSet",
    "metadata": {
        "name": "eth-relayer-0",
        "namespace": "status",
        "labels": {"statusfleet.io/fleet": "eth"},
        "ownerReferences": [{"kind": "StatusFleet", "name": "eth", "uid": "1-2"}],
    },
    "spec": {
        "replicas": 1,
        "template": {
            "spec": {
                "containers": [
                    {
                        "name": "statusd",
                        "args": ["-c", "x"],
                        "ports": [{"containerPort": 30303, "name": "p2p"}],
                        "resources": {"limits": {}},
                    }
                ],
                "tolerations": [{"key": "relay"}],
            }
        },
    },
}
FIELDS: dict[str, Any] = {
    "f:metadata": {
        "f:labels": {"f:statusfleet.io/fleet": {}},
        "f:ownerReferences": {'k:{"uid":"1-2"}': {}},
    },
    "f:spec": {
        "f:replicas": {},
        "f:template": {
            "f:spec": {
                "f:containers": {
                    'k:{"name":"statusd"}': {
                        ".": {},
                        "f:name": {},
                        "f:args": {},
                        "f:ports": {
                            'k:{"containerPort":30303,"protocol":"TCP"}': {
                                ".": {},
                                "f:containerPort": {},
                                "f:name": {},
                            }
                        },
                        "f:resources": {"f:limits": {}},
                    }
                },
                "f:tolerations": {},
            }
        },
    },
}


def metadata(fields: dict[str, Any], **entry: Any) -> dict[str, Any]:
    ours = {"manager": "statusfleet", "operation": "Apply", "fieldsV1": fields, **entry}
    other = {"manager": "kubectl-edit", "operation": "Update", "fieldsV1": {"f:spec": {}}}
    return {"managedFields": [other, ours]}


def test_a_wish_that_nobody_touched_is_ours() -> None:
    assert holds(owned_fields(metadata(FIELDS)), BODY)


@pytest.mark.parametrize(
    "path",
    [
        ("f:metadata", "f:labels", "f:statusfleet.io/fleet"),
        ("f:metadata", "f:ownerReferences"),
        ("f:spec", "f:replicas"),
        ("f:spec", "f:template", "f:spec", "f:tolerations"),
        ("f:spec", "f:template", "f:spec", "f:containers", 'k:{"name":"statusd"}', "f:args"),
        ("f:spec", "f:template", "f:spec", "f:containers", 'k:{"name":"statusd"}', "f:ports"),
    ],
)
def test_a_field_that_somebody_took_or_took_out_is_missed(path: tuple[str, ...]) -> None:
    fields = copy.deepcopy(FIELDS)
    part = fields
    for name in path[:-1]:
        part = part[name]
    # Another stays, as what has nothing below it is owned as a whole.
    del part[path[-1]]
    part["f:other"] = {}
    assert not holds(owned_fields(metadata(fields)), BODY)


def test_what_others_add_is_theirs() -> None:
    fields = copy.deepcopy(FIELDS)
    fields["f:spec"]["f:paused"] = {}
    assert holds(owned_fields(metadata(fields)), BODY)


def test_entries_that_are_their_own_keys_are_compared() -> None:
    body = {"metadata": {"name": "c", "finalizers": ["a/b", "c/d"]}}
    own = {"f:metadata": {"f:finalizers": {".": {}, 'v:"a/b"': {}, 'v:"c/d"': {}}}}
    assert holds(owned_fields(metadata(own)), body)
    del own["f:metadata"]["f:finalizers"]['v:"c/d"']
    assert not holds(owned_fields(metadata(own)), body)


@pytest.mark.parametrize(
    "found",
    [{}, metadata({}), metadata(FIELDS, subresource="status"), metadata(FIELDS, manager="helm")],
)
def test_where_nothing_is_ours_nothing_holds(found: dict[str, Any]) -> None:
    assert owned_fields(found) == ""
    assert not holds("", BODY)


def test_objects_of_two_fleets_have_the_same_text() -> None:
    other = copy.deepcopy(FIELDS)
    other["f:metadata"]["f:ownerReferences"] = {'k:{"uid":"3-4"}': {}}
    assert owned_fields(metadata(other)) is owned_fields(metadata(FIELDS))
