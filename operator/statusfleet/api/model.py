"""The base of all models of the manifest, and the small values that many of them share."""

from __future__ import annotations

from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, JsonValue
from pydantic.alias_generators import to_camel
from pydantic_core import PydanticCustomError

from statusfleet.api.text import DataKey, ObjectName

T = TypeVar("T")


def _not_null(value: Any) -> Any:  # noqa: ANN401 - whatever stands in the document
    if value is None:
        raise PydanticCustomError("null", "is empty; leave it out, or give it a value")
    return value


Maybe = Annotated[T | None, BeforeValidator(_not_null)]
"""A field that may be left out, and then is None, but may not be null.

A role written as `relayer:` with nothing after it would otherwise be no role at all.
"""


def entries(at_most: int, *, at_least: int | None = None, key: str = "") -> Any:  # noqa: ANN401
    """Return the annotation of a list: its bounds, and the field by which an entry is known.

    The one place that is not strict, since a document's list becomes a tuple here.
    """
    known: dict[str, JsonValue] = {"x-kubernetes-list-type": "map" if key else "atomic"}
    if key:
        known["x-kubernetes-list-map-keys"] = [key]
    return Field(strict=False, max_length=at_most, min_length=at_least, json_schema_extra=known)


class Model(BaseModel):
    """A part of the manifest: immutable, in camel case, refusing what it does not know.

    `strict` keeps `"3"` from becoming 3.
    """

    model_config = ConfigDict(
        alias_generator=to_camel,
        allow_inf_nan=False,
        extra="forbid",
        frozen=True,
        populate_by_name=True,
        strict=True,
        use_attribute_docstrings=True,
    )


class SecretKeyRef(Model):
    """One value of a Secret in the fleet's namespace."""

    name: ObjectName
    """Name of the Secret."""
    key: DataKey
    """Key of the value in the Secret's data."""

    @property
    def value_id(self) -> tuple[str, str]:
        """Name and key, by which values of Secrets are looked up."""
        return self.name, self.key


class SecretSource(Model):
    """Where a secret value comes from; it never stands in the manifest of the fleet itself."""

    secret_key_ref: SecretKeyRef
    """The Secret's value."""
