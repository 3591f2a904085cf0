"""What is wrong with a manifest: a path such as `spec.roles.relayer.replicas`, and a sentence.

Pydantic finds; this module says it in words that a person can act on. A value is quoted only where
it stands in the fleet's own document, which holds no secrets.
"""

from __future__ import annotations

import difflib
import inspect
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, get_args

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

MAX_PROBLEMS: Final = 100
_MAX_QUOTED: Final = 60
_HIDDEN: Final = object()

Step = str | int
Path = tuple[Step, ...]


@dataclass(frozen=True, slots=True, order=True)
class Problem:
    """One thing that is wrong. `line` counts from 1; 0 means that no line can be named."""

    path: str
    message: str
    file: str = ""
    line: int = 0

    def __str__(self) -> str:
        place = f"{self.file}:{self.line}" if self.line else self.file
        return ": ".join(part for part in (place, self.path, self.message) if part)


class ManifestError(ValueError):
    """A manifest that cannot be used, with everything that is wrong with it."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        super().__init__("\n".join(str(problem) for problem in problems))
        self.problems = tuple(problems)


def path_text(path: Iterable[Step]) -> str:
    """Write a path: names with dots between them, places of a list in brackets."""
    text = ""
    for step in path:
        if isinstance(step, int) or "." in step or "/" in step:
            text += f"[{step}]"
        else:
            text += f".{step}" if text else step
    return text


def from_pydantic(
    error: ValidationError, root: type[BaseModel], *, secret: bool = False
) -> list[tuple[Path, str]]:
    """Say in words what pydantic found in a document for the model `root`.

    With `secret`, no value of the document is repeated.
    """
    found = error.errors(include_url=False)[:MAX_PROBLEMS]
    return [_translate(details, root, secret=secret) for details in found]


def _translate(details: ErrorDetails, root: type[BaseModel], *, secret: bool) -> tuple[Path, str]:
    if secret and not isinstance(details["input"], dict | list | None):
        details["input"] = _HIDDEN
    path: Path = tuple(details["loc"])
    kind, context = details["type"], details.get("ctx", {})
    if len(path) >= 2 and path[-1] == "[key]":  # a key of a map, not its value
        return path[:-2], f'the key "{path[-2]}" {_sentence(kind, context, details)}'
    if kind == "extra_forbidden":
        return path, _unknown_field(path, root)
    return path, _sentence(kind, context, details)


def _sentence(kind: str, context: Mapping[str, Any], details: ErrorDetails) -> str:
    value = details["input"]
    if kind in _EXPECTED:
        return f"must be {_EXPECTED[kind]}, not {describe(value)}"
    match kind:
        case "missing":
            return "is required"
        case "literal_error":
            choices = context["expected"].replace("'", "").replace(" or ", ", ")
            word = "one of " if "," in choices else ""
            return f"must be {word}{choices}, not {describe(value)}"
        case "greater_than_equal":
            return f"must be at least {context['ge']}, not {describe(value)}"
        case "less_than_equal":
            return f"must be at most {context['le']}, not {describe(value)}"
        case "too_long":
            return f"may have at most {context['max_length']} entries"
        case "too_short":
            return f"needs at least {context['min_length']} entry"
        case _:
            return details["msg"]


_EXPECTED: Final = {
    "bool_type": "true or false",
    "dict_type": "an object",
    "finite_number": "a finite number",
    "float_type": "a number",
    "int_from_float": "a whole number",
    "int_type": "a whole number",
    "list_type": "a list",
    "model_attributes_type": "an object",
    "model_type": "an object",
    "string_type": "a text",
    "tuple_type": "a list",
}


def describe(value: object) -> str:
    """Say what a value of a document is, shortened."""
    match value:
        case None:
            return "nothing"
        case bool():
            return "true" if value else "false"
        case int() | float():
            return str(value)[:_MAX_QUOTED]
        case str():
            return f'the text "{value[:_MAX_QUOTED]}{"…" if len(value) > _MAX_QUOTED else ""}"'
        case Mapping():
            return "an object"
        case list():
            return "a list"
        case _:
            return "what stands here"


def _unknown_field(path: Path, root: type[BaseModel]) -> str:
    model = _model_at(root, path[:-1])
    known = [] if model is None else [f.alias or n for n, f in model.model_fields.items()]
    near = difflib.get_close_matches(str(path[-1]), known, n=1, cutoff=0.6)
    return "is not a field that exists here" + (f"; did you mean {near[0]}?" if near else "")


def _model_at(model: type[BaseModel], path: Path) -> type[BaseModel] | None:
    """Return the model that stands at `path` below `model`."""
    present: type[BaseModel] | None = model
    for step in path:
        if isinstance(step, int):
            continue
        if present is None:
            return None
        fields = present.model_fields
        annotation = next((f.annotation for n, f in fields.items() if (f.alias or n) == step), None)
        present = next(models_in(annotation), None)
    return present


def models_in(annotation: object) -> Iterator[type[BaseModel]]:
    """Yield the models that an annotation mentions, outermost first."""
    if inspect.isclass(annotation) and issubclass(annotation, BaseModel):
        yield annotation
    for argument in get_args(annotation):
        yield from models_in(argument)
