"""The definition as an API server takes it, and its rules against those of our own validator.

The judge is `tests/interop/crdcheck`: the API server's own code for definitions and objects.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer import Typer
from typer.testing import CliRunner

from statusfleet.api.crd import crd, crd_yaml, root_schema
from statusfleet.api.exposure import Expose
from statusfleet.api.reference import reference
from statusfleet.api.rules import RULES
from statusfleet.cli.crd import crd as crd_command
from support.go import go_binary
from support.manifest_tables import RIGHT, WRONG, Wrong, manifest, relayer

ROOT = Path(__file__).parents[3]
CRD = ROOT / "crds/statusfleets.statusfleet.io.yaml"


def _nodes(schema: dict[str, Any], path: str) -> Iterator[tuple[str, dict[str, Any]]]:
    yield path, schema
    for name, child in schema.get("properties", {}).items():
        yield from _nodes(child, f"{path}.{name}")
    for key in ("items", "additionalProperties"):
        if isinstance(schema.get(key), dict):
            yield from _nodes(schema[key], f"{path}[]")


NODES = [(path, node) for path, node in _nodes(root_schema(), "") if path.startswith(".s")]


def test_the_definition_in_the_repository_is_not_stale() -> None:
    assert CRD.read_text() == crd_yaml(), "run: make crds"


def test_the_reference_in_the_repository_is_not_stale() -> None:
    page = ROOT / "docs/reference-manifest.md"
    command = "statusfleet crd --output markdown > docs/reference-manifest.md"
    assert page.read_text() == reference(), f"run: {command}"


def test_the_command_prints_what_is_in_the_repository() -> None:
    app = Typer()
    app.command()(crd_command)
    assert CliRunner().invoke(app, []).output == CRD.read_text()
    assert CliRunner().invoke(app, ["--output", "markdown"]).output == reference()


def test_the_definition_reads_back_as_it_was_made() -> None:
    assert yaml.safe_load(crd_yaml()) == json.loads(json.dumps(crd()))


def test_every_text_list_and_map_has_a_maximum() -> None:
    without = [
        path
        for path, node in NODES
        if (node["type"] == "array" and "maxItems" not in node)
        or (node["type"] == "string" and "maxLength" not in node and "enum" not in node)
        or (node["type"] == "object" and "properties" not in node and "maxProperties" not in node)
    ]
    assert without == []


def test_every_field_of_the_spec_is_described() -> None:
    assert [p for p, node in NODES if not p.endswith("[]") and not node.get("description")] == []


def test_a_description_tells_the_default_since_kubectl_explain_shows_nothing_else() -> None:
    schema = crd()["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"]
    told = {path: node["description"] for path, node in _nodes(schema, "") if "default" in node}
    assert told[".roles.relayer.maxPeers"].endswith(" Default: 100.")
    assert told[".roles.mailserver.maxPeers"].endswith(" Default: 5000.")
    assert told[".roles.relayer.minPow"].endswith(" Default: 0.000002.")
    assert told[".paused"].endswith(" Default: false.")
    assert told[".canary.interval"].endswith(" Default: 1m.")
    assert told[".image.tag"] == "Tag."


def test_the_schema_is_structural() -> None:
    allowed = {
        *("type", "description", "required", "properties", "items", "additionalProperties"),
        *("enum", "format", "maxItems", "maxLength", "maximum", "minItems", "minimum", "pattern"),
        *("maxProperties", "default", "nullable"),
    }
    for path, node in NODES:
        unknown = {key for key in node if key not in allowed and "x-kubernetes-" not in key}
        assert not unknown, path
        assert not ({"properties", "additionalProperties"} <= set(node)), path


def test_every_rule_points_at_a_field_that_exists() -> None:
    for rule in RULES:
        names = {field.alias or name for name, field in rule.model.model_fields.items()}
        assert not rule.field or rule.field.split(".")[0] in names, rule


def test_a_default_is_the_same_in_schema_and_model() -> None:
    expose = root_schema()["properties"]["spec"]["properties"]["roles"]["properties"]["relayer"]
    assert expose["properties"]["expose"]["default"] == Expose().model_dump(
        by_alias=True, exclude_none=True, mode="json"
    )


@pytest.fixture(scope="module")
def server() -> dict[str, Any]:
    """Everything that the API server says of the definition and of all manifests of the tables."""
    program = go_binary(ROOT / "tests/interop/crdcheck", "crdcheck")
    questions = [{"name": f"right {n}", "object": manifest(spec)} for n, spec in enumerate(RIGHT)]
    questions += [
        {
            "name": f"wrong {n}",
            "object": manifest(case.spec, case.name),
            "before": None if case.before is None else manifest(case.before, case.name),
        }
        for n, case in enumerate(WRONG)
    ]
    questions += [
        {"name": path.name, "object": document}
        for path in sorted((ROOT / "examples").glob("*.yaml"))
        for document in yaml.safe_load_all(path.read_text())
        if document["kind"] == "StatusFleet"
    ]
    questions += [
        {
            "name": f"same {n}",
            "object": manifest(spec),
            "before": manifest(spec),
        }
        for n, spec in enumerate(RIGHT)
    ]
    same_ordinal = relayer(members=[{"ordinal": 1}, {"ordinal": 1}])
    questions.append({"name": "same ordinal", "object": manifest(same_ordinal)})
    ran = subprocess.run(
        [program, CRD], input=json.dumps(questions), capture_output=True, text=True, check=True
    )
    answer: dict[str, Any] = json.loads(ran.stdout)
    return answer


@pytest.mark.timeout(900)
def test_the_api_server_takes_the_definition(server: dict[str, Any]) -> None:
    assert server["definition"] == []


@pytest.mark.timeout(900)
def test_the_api_server_takes_every_right_manifest(server: dict[str, Any]) -> None:
    refused = {
        name: found
        for name, found in server["objects"].items()
        if found and not name.startswith(("wrong", "same ordinal"))
    }
    assert refused == {}


@pytest.mark.timeout(900)
@pytest.mark.parametrize(
    "n", [n for n, case in enumerate(WRONG) if case.server], ids=lambda n: WRONG[n].label
)
def test_the_api_server_refuses_with_the_same_sentence(server: dict[str, Any], n: int) -> None:
    case: Wrong = WRONG[n]
    # A text that is no duration also fails the rules that compare it.
    (complaint,) = (
        found for found in server["objects"][f"wrong {n}"] if found["detail"] == case.sentence
    )
    # The server's path may stop at the list, ours names the entry; at the top it has none.
    assert case.path.startswith(complaint["field"].replace("<nil>", ""))


@pytest.mark.timeout(900)
def test_the_api_server_refuses_an_ordinal_that_stands_twice(server: dict[str, Any]) -> None:
    (complaint,) = server["objects"]["same ordinal"]
    assert complaint["field"] == "spec.roles.relayer.members[1]"
