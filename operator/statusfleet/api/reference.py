"""The reference of the manifest in Markdown, made from the same schema as the CRD."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from statusfleet.api.crd import Schema, default_text, root_schema
from statusfleet.api.fleet import API_VERSION, KIND

_INTRODUCTION: Final = f"""\
<!-- Made from the models by `statusfleet crd --output markdown`; do not edit. -->
# Reference of the manifest

Every field of a `{KIND}` (`{API_VERSION}`): what it means, its default, its bounds, and the rules
that `statusfleet validate`, `kubectl apply` and the operator hold it to. `kubectl explain
statusfleet.spec --recursive` shows the same on a cluster.

The smallest spec is `roles: {{relayer: {{replicas: 2}}}}`. Durations are written as Go writes them
(`500ms`, `30s`, `1m30s`, `24h`). Secret values stand in Secrets, which may be further documents of
the same file.
"""


def reference() -> str:
    """Return the whole page."""
    return "\n".join([_INTRODUCTION, *_sections()])


def _sections() -> Iterator[str]:
    schema = root_schema()
    for part, title in (("spec", "What the fleet should be"), ("status", "What the operator sees")):
        yield f"## `{part}`: {title}\n"
        yield from _section(part, schema["properties"][part], top=True)


def _section(path: str, schema: Schema, *, top: bool = False) -> Iterator[str]:
    """A heading, the rules, a table of the fields, then the sections of what stands inside."""
    if not top:
        yield f"### `{path}`\n"
    yield f"{schema['description']}\n"
    yield "| field | type | default | meaning |"
    yield "|---|---|---|---|"
    required = schema.get("required", [])
    for name, field in schema["properties"].items():
        told = default_text(field)
        default = "required" if name in required else f"`{told}`" if told else ""
        yield f"| `{name}` | {_type(field)} | {default} | {_cell(_meaning(field))} |"
    yield ""
    rules = [*_rules(schema)]
    if rules:
        yield from [*rules, ""]
    for name, field in schema["properties"].items():
        inner, suffix = (field["items"], "[]") if field["type"] == "array" else (field, "")
        if "properties" in inner:
            yield from _section(f"{path}.{name}{suffix}", inner)


def _rules(schema: Schema) -> Iterator[str]:
    for rule in schema.get("x-kubernetes-validations", ()):
        where = rule.get("fieldPath", "").lstrip(".")
        yield f"- {f'`{where}`: ' if where else ''}{rule['message']}"


def _meaning(field: Schema) -> str:
    texts = [field.get("description", "")]
    for schema in (field, field.get("items", {})):
        if "properties" not in schema:
            texts += [
                rule["message"][0].upper() + rule["message"][1:] + "."
                for rule in schema.get("x-kubernetes-validations", ())
            ]
    return " ".join(text for text in texts if text)


def _type(field: Schema) -> str:
    if "enum" in field:
        return " \\| ".join(f"`{choice}`" for choice in field["enum"])
    if field["type"] == "array":
        return f"list of {_type(field['items'])}, at most {field['maxItems']}"
    if field["type"] == "object":
        if field.get("x-kubernetes-preserve-unknown-fields"):
            return "object, any fields"
        return "object" if "properties" in field else "map of texts"
    return _scalar_type(field)


def _scalar_type(field: Schema) -> str:
    names = {"string": "text", "integer": "whole number", "number": "number", "boolean": "boolean"}
    text = names[field["type"]]
    low, high = field.get("minimum"), field.get("maximum")
    if low is not None and high is not None:
        return f"{text}, {low} to {high}"
    return f"{text}, at least {low}" if low is not None else text


def _cell(text: str) -> str:
    return text.replace("|", "\\|")
