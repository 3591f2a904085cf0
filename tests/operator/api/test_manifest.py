"""Files: fleets, the Secrets beside them, and everything that is wrong told with its place."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from statusfleet.api import ManifestError, load_manifest, load_manifests, not_applicable
from statusfleet.api.manifest import parse_manifests
from statusfleet.api.secrets import missing_values
from support.manifest_tables import manifest, relayer, tree

EXAMPLES = sorted((Path(__file__).parents[3] / "examples").glob("*.yaml"))
NODE_KEY = "5d" * 32
HIDDEN = "do-not-show-me"


def secret(name: str = "old", **values: Any) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": name},
        "stringData": values,
    }


def adopting(ordinal: int = 0, key: str = "nodekey") -> dict[str, Any]:
    return {"ordinal": ordinal, "nodeKeySecret": {"name": "old", "key": key}}


def text(*documents: dict[str, Any]) -> bytes:
    return yaml.safe_dump_all(documents).encode()


def problems(data: bytes) -> list[tuple[str, str]]:
    with pytest.raises(ManifestError) as refused:
        parse_manifests(data, "fleet.yaml")
    assert HIDDEN not in str(refused.value)
    assert all(problem.file == "fleet.yaml" for problem in refused.value.problems)
    return [(problem.path, problem.message) for problem in refused.value.problems]


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.name)
def test_every_example_is_valid(path: Path) -> None:
    assert load_manifests(path)


def test_the_example_for_a_laptop_is_wholly_used_there() -> None:
    path = next(path for path in EXAMPLES if path.name == "local.yaml")
    found = load_manifest(path)
    assert not_applicable(found.fleet.spec, "processes") == []
    assert not list(missing_values(found.fleet.spec, found.secrets))
    roles = found.fleet.spec.roles
    assert roles.relayer is not None
    assert roles.mailserver is not None
    assert (roles.relayer.replicas, roles.mailserver.replicas) == (2, 1)
    assert found.fleet.spec.tree is not None
    assert found.fleet.spec.tree.ttl.root.seconds <= 10
    assert found.fleet.spec.canary.interval.seconds <= 10


def test_a_problem_names_file_line_path_and_sentence(tmp_path: Path) -> None:
    path = tmp_path / "fleet.yaml"
    path.write_text(
        "apiVersion: statusfleet.io/v1alpha1\n"
        "kind: StatusFleet\n"
        "metadata: {name: x}\n"
        "spec:\n"
        "  roles:\n"
        "    relayer:\n"
        "      replicas: two\n"
    )
    with pytest.raises(ManifestError) as refused:
        load_manifest(path)
    assert str(refused.value) == (
        f'{path}:7: spec.roles.relayer.replicas: must be a whole number, not the text "two"'
    )


def test_secrets_may_stand_in_the_same_file() -> None:
    spec = relayer(members=[adopting()])
    (found,) = parse_manifests(text(secret(nodekey=NODE_KEY), manifest(spec)), "")
    assert found.secrets["old", "nodekey"].get_secret_value() == NODE_KEY
    assert NODE_KEY not in repr(found)
    assert list(missing_values(found.fleet.spec, found.secrets)) == []


def test_a_secret_may_have_dots_in_its_name() -> None:
    (found,) = parse_manifests(text(secret("a.b", k=NODE_KEY), manifest(relayer())), "")
    assert found.secrets["a.b", "k"].get_secret_value() == NODE_KEY


def test_data_is_base64_and_string_data_wins() -> None:
    document = secret(a="1") | {
        "data": {k: base64.b64encode(v.encode()).decode() for k, v in {"a": "2", "b": "3"}.items()}
    }
    (found,) = parse_manifests(text(document, manifest(relayer())), "")
    assert {key: value.get_secret_value() for key, value in found.secrets.items()} == {
        ("old", "a"): "1",
        ("old", "b"): "3",
    }


def test_a_secret_of_another_namespace_is_not_the_fleet_s() -> None:
    document = secret(nodekey=NODE_KEY)
    document["metadata"]["namespace"] = "elsewhere"
    (found,) = parse_manifests(text(document, manifest(relayer(members=[adopting()]))), "")
    missing = list(missing_values(found.fleet.spec, found.secrets))
    assert [path for path, _ in missing] == [
        ("spec", "roles", "relayer", "members", 0, "nodeKeySecret")
    ]
    assert "there is no Secret old with a key nodekey" in missing[0][1]


@pytest.mark.parametrize(
    ("documents", "path", "sentence"),
    [
        ([], "", "holds no StatusFleet"),
        ([secret(a="b")], "", "holds no StatusFleet"),
        ([{"kind": "StatusFleet"}], "apiVersion", "must be statusfleet.io/v1alpha1 for a "),
        ([{"apiVersion": "v1"}], "kind", "is required: StatusFleet or Secret"),
        (
            [{"apiVersion": "v1", "kind": "ConfigMap"}],
            "kind",
            "ConfigMap is not understood here; a manifest holds StatusFleet and Secret",
        ),
        (
            [manifest(relayer()), manifest(relayer())],
            "metadata.name",
            "a fleet called eth-dev stands in this file already",
        ),
        (
            [manifest(relayer()), secret(a="b"), secret(c="d")],
            "metadata.name",
            "a Secret called old stands in this file already",
        ),
        ([manifest(relayer()), secret(a=3)], "stringData.a", "must be a text, not what stands"),
        (
            [manifest(relayer()), secret() | {"data": {"a": HIDDEN}}],
            "data",
            "the value of a is no base64 of a text",
        ),
        (
            [manifest(relayer()), secret() | {"dat": {"a": HIDDEN}}],
            "dat",
            "is not a field that exists here; did you mean data?",
        ),
        (
            [manifest(relayer(members=[adopting()])), secret(nodekey=HIDDEN)],
            "spec.roles.relayer.members[0].nodeKeySecret",
            "the node key in Secret old is not 64 hex digits",
        ),
        (
            [
                manifest(relayer(members=[adopting(0, "a"), adopting(1, "b")])),
                secret(a=NODE_KEY, b=f"0x{NODE_KEY}"),
            ],
            "spec.roles.relayer.members[1].nodeKeySecret",
            "this key has another use in the fleet already",
        ),
        (
            [
                manifest(tree(signingKey={"secretKeyRef": {"name": "old", "key": "k"}})),
                secret(k=""),
            ],
            "spec.tree.signingKey.secretKeyRef",
            "the tree key in Secret old is empty",
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_wrong_file_is_refused(documents: list[dict[str, Any]], path: str, sentence: str) -> None:
    ((found_path, found_sentence),) = problems(text(*documents))
    assert found_path == path
    assert found_sentence.startswith(sentence)


def test_a_document_that_is_no_object_is_refused() -> None:
    assert problems(b"- 1\n") == [("", "a document must be an object, not a list")]


def test_problems_of_all_documents_are_told_together() -> None:
    bad = [manifest(relayer(replicas=-1), name) for name in ("a", "b")]
    assert len(problems(text(*bad))) == 2


def test_a_file_that_is_not_there_is_refused_with_the_system_s_reason(tmp_path: Path) -> None:
    with pytest.raises(ManifestError, match="cannot be read: No such file"):
        load_manifest(tmp_path / "none.yaml")


def test_one_fleet_a_file_where_one_is_wanted(tmp_path: Path) -> None:
    path = tmp_path / "two.yaml"
    path.write_bytes(text(manifest(relayer(), "a"), manifest(relayer(), "b")))
    assert [found.fleet.name for found in load_manifests(path)] == ["a", "b"]
    with pytest.raises(ManifestError, match=r"holds 2 fleets \(a, b\)"):
        load_manifest(path)


def test_what_kubectl_prints_is_a_manifest_too() -> None:
    document = manifest(relayer())
    document["metadata"] |= {
        "uid": "1",
        "resourceVersion": "2",
        "generation": 3,
        "creationTimestamp": "2026-01-01T00:00:00Z",
        "finalizers": ["statusfleet.io/cleanup"],
    }
    document["status"] = {
        "observedGeneration": 3,
        "phase": "Ready",
        "conditions": [
            {
                "type": "Ready",
                "status": "True",
                "reason": "AllReady",
                "lastTransitionTime": "2026-01-01T00:00:00Z",
            }
        ],
        "roles": {"relayer": {"desired": 2, "ready": 2, "published": 2}},
    }
    (found,) = parse_manifests(json.dumps(document).encode(), "")
    assert found.fleet.metadata.generation == 3


def test_what_a_laptop_cannot_use_is_told() -> None:
    spec = tree(
        publish=[{"embedded": {"service": {"type": "NodePort"}}}, {"dnsEndpoint": {}}],
    )
    spec |= {"image": {"tag": "v1"}, "datacenter": "do-ams3", "rollout": {}, "deletion": {}}
    spec["roles"]["relayer"] |= {
        "expose": {"type": "LoadBalancer", "port": 443, "addressScope": "Private"},
        "storage": {},
        "resources": {},
        "template": {},
        "members": [
            {"ordinal": 0, "address": {"ip": "203.0.113.7", "tcp": 443}},
            {"ordinal": 1, "address": {"ip": "127.0.0.1", "tcp": 30303, "udp": 30303}},
            {"ordinal": 7},
        ],
    }
    (found,) = parse_manifests(text(manifest(spec)), "")
    assert {path for path, _ in not_applicable(found.fleet.spec, "processes")} == {
        "spec.image",
        "spec.datacenter",
        "spec.rollout",
        "spec.deletion",
        "spec.roles.relayer.expose.type",
        "spec.roles.relayer.expose.port",
        "spec.roles.relayer.storage",
        "spec.roles.relayer.resources",
        "spec.roles.relayer.template",
        "spec.roles.relayer.members[0].address",
        "spec.roles.relayer.members[1].address.udp",
        "spec.roles.relayer.members[2]",
        "spec.tree.publish[0].embedded.service",
        "spec.tree.publish[1]",
    }
    assert [path for path, _ in not_applicable(found.fleet.spec, "kubernetes")] == [
        "spec.roles.relayer.members[2]",
        "spec.roles.relayer.members[1].address.udp",
    ]
