"""JSON schemas of every kind that an API server knows, as kubeconform reads them.

kubeconform's own come from the internet. These are made of what the server itself publishes, and
refuse unknown fields, as `kubectl apply --validate=strict` does.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

Schema = dict[str, Any]
LOCATION = "{{ .Group }}/{{ .ResourceKind }}_{{ .ResourceAPIVersion }}.json"
"""Where a kind's schema lies, as kubeconform fills it in; the core group is called v1 there."""
_OWN_FORMS: dict[str, Schema] = {
    "io.k8s.apimachinery.pkg.api.resource.Quantity": {"type": ["string", "number"]},
    "io.k8s.apimachinery.pkg.util.intstr.IntOrString": {"type": ["string", "integer"]},
}
"""What is written otherwise than its schema says."""


def write_schemas(openapi: Schema, folder: Path) -> list[str]:
    """Write the schemas of an OpenAPI document, version 2, and return the kinds in it."""
    named = {name: _strict(schema) for name, schema in openapi["definitions"].items()} | _OWN_FORMS
    (folder / "definitions.json").write_text(json.dumps({"definitions": named}))
    kinds = []
    for name, schema in openapi["definitions"].items():
        for kind in schema.get("x-kubernetes-group-version-kind", ()):
            group = folder / (kind["group"] or "v1")
            group.mkdir(exist_ok=True)
            path = group / f"{kind['kind'].lower()}_{kind['version']}.json"
            where = (folder / "definitions.json").as_uri()
            path.write_text(json.dumps({"$ref": f"{where}#/definitions/{name}"}))
            kinds.append(kind["kind"])
    return kinds


def _strict(schema: Any) -> Any:
    if isinstance(schema, list):
        return [_strict(one) for one in schema]
    if not isinstance(schema, dict):
        return schema
    result = {key: _strict(value) for key, value in schema.items()}
    open_ended = {"additionalProperties", "x-kubernetes-preserve-unknown-fields"}
    if isinstance(schema.get("properties"), dict) and not open_ended & schema.keys():
        result["additionalProperties"] = False
    return result
