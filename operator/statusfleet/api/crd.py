"""The CustomResourceDefinition, made from the models: structural, with defaults and CEL rules.

Descriptions are the models' docstrings, bounds and defaults their fields', rules the table of
`statusfleet.api.rules` and the patterns of `statusfleet.api.text`, so nothing is written twice.
Every list, map and text has a maximum, as the API server's estimate of a rule's cost needs it.
Source: Kubernetes API reference, apiextensions.k8s.io/v1.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

import yaml
from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined, to_jsonable_python

from statusfleet.api.duration import Duration
from statusfleet.api.fleet import GROUP, KIND, PLURAL, VERSION, StatusFleet
from statusfleet.api.model import Model
from statusfleet.api.problems import models_in
from statusfleet.api.rules import Rule, rules_for
from statusfleet.api.text import FORMATS

Schema = dict[str, Any]

_HEADER: Final = (
    "# Made from the models by `make crds`; do not edit. `make lint` fails when it is stale.\n"
)
_KEPT: Final = (
    "enum",
    "format",
    "maxItems",
    "maxLength",
    "maximum",
    "minItems",
    "minimum",
    "pattern",
)
_MAX_INT32: Final = 2**31 - 1


def crd() -> Schema:
    """Return the whole definition."""
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{PLURAL}.{GROUP}"},
        "spec": {
            "group": GROUP,
            "names": {
                "kind": KIND,
                "listKind": f"{KIND}List",
                "plural": PLURAL,
                "singular": KIND.lower(),
                "shortNames": ["sfleet"],
                "categories": ["all"],
            },
            "scope": "Namespaced",
            "versions": [
                {
                    "name": VERSION,
                    "served": True,
                    "storage": True,
                    "additionalPrinterColumns": _columns(),
                    "subresources": {
                        "status": {},
                        # One number can be scaled: that of the relayers, who carry the load.
                        "scale": {
                            "specReplicasPath": ".spec.roles.relayer.replicas",
                            "statusReplicasPath": ".status.roles.relayer.ready",
                            "labelSelectorPath": ".status.selector",
                        },
                    },
                    "schema": {"openAPIV3Schema": _explained_schema()},
                }
            ],
        },
    }


def crd_yaml() -> str:
    """Return the definition as it stands in `crds/`."""
    return _HEADER + yaml.dump(
        crd(), Dumper=_Dumper, sort_keys=False, width=100, allow_unicode=True
    )


def root_schema() -> Schema:
    """Return the schema of a StatusFleet document."""
    schema = object_schema(StatusFleet)
    # The API server owns these three and refuses most of what a schema could say of them.
    schema["properties"] |= {
        "apiVersion": {"type": "string"},
        "kind": {"type": "string"},
        "metadata": {"type": "object"},
    }
    schema["required"] = ["spec"]
    return schema


def default_text(field: Schema) -> str:
    """Return a field's default as a person would write it, or "" if there is none to speak of."""
    value: Any = field.get("default")
    if value is None or value in ("", [], {}) or "properties" in field:
        return ""
    if isinstance(value, float):
        return f"{value:.12f}".rstrip("0").rstrip(".")
    return json.dumps(value).strip('"')


def object_schema(model: type[Model]) -> Schema:
    """Return the schema of a model, with its rules."""
    leaves = model.model_json_schema(by_alias=True)
    required = [f.alias or n for n, f in model.model_fields.items() if f.is_required()]
    schema: Schema = {"type": "object", "description": _one_line(model.__doc__)}
    if required:
        schema["required"] = required
    schema["properties"] = {
        field.alias or name: _field_schema(
            field, leaves["properties"][field.alias or name], leaves.get("$defs", {})
        )
        for name, field in model.model_fields.items()
    }
    rules = [_rule(rule) for rule in rules_for(model) if rule.cel]
    if rules:
        schema["x-kubernetes-validations"] = rules
    return schema


def _explained_schema() -> Schema:
    """Return the schema with defaults in the descriptions, the only text of `kubectl explain`."""
    schema = root_schema()
    _tell_defaults(schema["properties"]["spec"])
    return schema


def _tell_defaults(schema: Schema) -> None:
    if text := default_text(schema):
        schema["description"] += f" Default: {text}."
    inside = [*schema.get("properties", {}).values(), schema.get("items")]
    for child in filter(None, inside):
        _tell_defaults(child)


def _field_schema(field: FieldInfo, leaf: Schema, definitions: Mapping[str, Schema]) -> Schema:
    model = next(models_in(field.annotation), None)
    schema = _node(leaf, definitions, model)
    if field.description:
        schema = {"description": _one_line(field.description)} | {
            key: value for key, value in schema.items() if key != "description"
        }
    if field.default is not None and field.default is not PydanticUndefined:
        schema["default"] = _plain(field.default)
    return schema


def _node(node: Schema, definitions: Mapping[str, Schema], model: type[BaseModel] | None) -> Schema:
    """Turn a node of pydantic's JSON schema into one of the API server's."""
    if "$ref" in node:
        definition = definitions[node["$ref"].rpartition("/")[2]]
        if "properties" in definition or definition.get("type") == "object":
            return _model_schema(model)
        return _node(definition, definitions, model)
    if "anyOf" in node:
        (inner,) = (part for part in node["anyOf"] if part.get("type") != "null")
        schema = _node(inner, definitions, model)
        return schema | ({"nullable": True} if node.get("nullable") else {})
    schema = {"type": node["type"]}
    schema |= {key: node[key] for key in _KEPT if key in node}
    schema |= {key: node[key] for key in node if key.startswith("x-kubernetes-")}
    if "const" in node:
        schema["enum"] = [node["const"]]
    match node["type"]:
        case "array":
            schema["items"] = _node(node["items"], definitions, model)
        case "object":
            schema |= _map(node, definitions)
        case "integer":
            small = node.get("maximum", _MAX_INT32 + 1) <= _MAX_INT32
            schema["format"] = "int32" if small else "int64"
        case "number":
            schema["format"] = "double"
    if "x-text" in node:
        schema["x-kubernetes-validations"] = [_text_rule(node["x-text"])]
    return schema


def _model_schema(model: type[BaseModel] | None) -> Schema:
    if model is None or not issubclass(model, Model):
        raise TypeError(f"the field of {model} is no part of the manifest")
    return object_schema(model)


def _map(node: Schema, definitions: Mapping[str, Schema]) -> Schema:
    """A map from texts; one whose values may be anything is left to the API server."""
    bounds = {"maxProperties": node["maxProperties"]} if "maxProperties" in node else {}
    values = node.get("additionalProperties", {})
    if not values or not definitions.get(values.get("$ref", "").rpartition("/")[2], values):
        return bounds | {"x-kubernetes-preserve-unknown-fields": True}
    keys = node.get("propertyNames", {}).get("x-text")
    rules = {"x-kubernetes-validations": [_key_rule(keys)]} if keys else {}
    return bounds | {"additionalProperties": _node(values, definitions, None)} | rules


def _rule(rule: Rule) -> Schema:
    found: Schema = {"rule": rule.cel, "message": rule.sentence}
    # The schema of metadata has no fields of its own, so no path can point into it.
    if rule.field and not rule.field.startswith("metadata."):
        found["fieldPath"] = f".{rule.field}"
    return found


def _text_rule(name: str) -> Schema:
    text = FORMATS[name]
    return {"rule": f"self.matches(r'{text.pattern}')", "message": text.sentence}


def _key_rule(name: str) -> Schema:
    text = FORMATS[name]
    fits = f"k.size() <= {text.max_length} && k.matches(r'{text.pattern}')"
    wrong = f"self.filter(k, !({fits}))[0]"
    rest = json.dumps(f'" {text.sentence}')
    return {
        "rule": f"self.all(k, {fits})",
        "message": f"each key {text.sentence}",
        "messageExpression": f"'the key \"' + {wrong} + {rest}",
    }


def _columns() -> list[Schema]:
    def condition(kind: str, part: str) -> str:
        return f'.status.conditions[?(@.type=="{kind}")].{part}'

    columns = (
        ("Ready", "string", condition("Ready", "status"), 0),
        ("Members", "string", ".status.ready", 0),
        ("Published", "integer", ".status.tree.records", 0),
        ("Seq", "integer", ".status.tree.seq", 0),
        ("Canary", "string", condition("CanaryPassing", "status"), 0),
        ("Reason", "string", condition("Ready", "reason"), 1),
        ("Reachable", "string", condition("Reachable", "status"), 1),
        ("Propagated", "string", condition("TreePropagated", "status"), 1),
        ("Tree", "string", ".status.tree.url", 1),
        ("Image", "string", ".status.image", 1),
        ("Age", "date", ".metadata.creationTimestamp", 0),
    )
    return [
        {"name": name, "type": kind, "jsonPath": path} | ({"priority": rank} if rank else {})
        for name, kind, path, rank in columns
    ]


def _plain(value: object) -> Any:  # noqa: ANN401 - JSON
    """Write a default out in full: the API server checks rules against it as it stands."""
    if isinstance(value, Duration):
        return str(value)
    return to_jsonable_python(value, by_alias=True, exclude_none=True)


def _one_line(text: str | None) -> str:
    return " ".join((text or "").split())


class _Dumper(yaml.SafeDumper):
    """Writes small numbers as people do, and lists inside their key."""

    def ignore_aliases(self, data: object) -> bool:
        """Write everything out; a reader of a CRD expects no anchors."""
        return True


def _represent_float(dumper: yaml.SafeDumper, value: float) -> yaml.ScalarNode:
    text = f"{value:.12f}".rstrip("0")
    return dumper.represent_scalar(
        "tag:yaml.org,2002:float", text + ("0" if text[-1] == "." else "")
    )


_Dumper.add_representer(float, _represent_float)
