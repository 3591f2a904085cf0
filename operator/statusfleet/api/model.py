"""The base of all models of the manifest, and the small values that many of them share."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict
from pydantic.alias_generators import to_camel

from statusfleet.api.text import DataKey, ObjectName


class Model(BaseModel):
    """A part of the manifest: immutable, in camel case, refusing what it does not know.

    `strict` keeps `"3"` from becoming 3; documents are read in pydantic's JSON mode, in which a
    list may still become a tuple and a text a choice.
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


class SecretSource(Model):
    """Where a secret value comes from; it never stands in the manifest of the fleet itself."""

    secret_key_ref: SecretKeyRef
    """The Secret's value."""
