"""The rows of docs/reference-statusd.md, as the flags and the models have them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, get_args

from pydantic import BaseModel

from statusnode.cli.flags import usage
from statusnode.config import gojson
from statusnode.config.changes import LIVE_PATHS
from statusnode.config.model import NodeConfig
from statusnode.config.sections import Limits

_FLAG = re.compile(r"^  -(\S+) ?(\S*)\n    \t(.*)$", re.MULTILINE)
_TYPES = (("bool", "boolean"), ("list", "strings"), ("dict", "map"), ("str", "string"))


def flag_rows() -> Iterator[str]:
    """Return a row for each flag, in the order of the help text."""
    for name, kind, text in _FLAG.findall(usage({"HOME": "$HOME"})):
        value = f" {kind.upper()}" if kind else ""
        yield f"| `-{name}{value}` | {text} |"


def key_rows(model: type[BaseModel] = NodeConfig, prefix: str = "") -> Iterator[str]:
    """Return a row for each key that holds a value, in the order of `-version`."""
    for name, field in model.model_fields.items():
        path = f"{prefix}{field.alias or name}"
        section = _section(field.annotation)
        if section is not None:
            yield from key_rows(section, f"{path}.")
            continue
        default = gojson.dump(field.get_default()).replace("\n", "").replace("    ", "")
        live = "live" if path in LIVE_PATHS else ""
        meaning = field.description
        yield f"| `{path}` | {_kind(field.annotation)} | `{default}` | {live} | {meaning} |"


def _section(annotation: Any) -> type[BaseModel] | None:
    for part in (annotation, *get_args(annotation)):
        if isinstance(part, type) and issubclass(part, BaseModel) and part is not Limits:
            return part
    return None


def _kind(annotation: Any) -> str:
    text = str(annotation)
    for found, kind in _TYPES:
        if found in text:
            return kind
    return "number" if "float" in text else "integer" if "int" in text else "null"
