"""Secrets: the further documents of a manifest's file, and where a fleet refers to them.

No message here ever repeats a value.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import ConfigDict, Field, SecretStr
from pydantic_core import PydanticCustomError

from statusfleet.api.fleet import ObjectMeta
from statusfleet.api.model import Model, SecretKeyRef
from statusfleet.api.problems import Path
from statusfleet.api.roles import Mailserver
from statusfleet.api.spec import FleetSpec
from statusfleet.api.text import DataKey
from statusnode.crypto.keys import KeyFormatError, PrivateKey

SecretId = tuple[str, str]
"""Name of a Secret and key of a value in it."""
Purpose = Literal["node key", "tree key", "password", "TSIG key", "database URI"]
_KEYS: frozenset[Purpose] = frozenset({"node key", "tree key"})


class SecretDocument(Model):
    """A Kubernetes Secret, as it may stand beside the fleet in one file."""

    model_config = ConfigDict(hide_input_in_errors=True)

    api_version: Literal["v1"] = Field(alias="apiVersion")
    kind: Literal["Secret"]
    metadata: ObjectMeta
    type: Annotated[str, Field(max_length=253)] = "Opaque"
    immutable: bool = False
    data: Annotated[dict[DataKey, SecretStr], Field(max_length=100)] = Field(default_factory=dict)
    """Values in base64."""
    string_data: Annotated[dict[DataKey, SecretStr], Field(max_length=100)] = Field(
        default_factory=dict
    )
    """Values as they are; they win over `data`."""

    def values(self) -> Iterator[tuple[str, SecretStr]]:
        """Yield each key with its value, as text.

        Raises:
            PydanticCustomError: a value of `data` is no base64 of a UTF-8 text.
        """
        for key, value in self.data.items():
            try:
                raw = base64.b64decode(value.get_secret_value(), validate=True)
                yield key, SecretStr(raw.decode())
            except (binascii.Error, ValueError) as error:
                raise PydanticCustomError(
                    "base64", "the value of {key} is no base64 of a text", {"key": key}
                ) from error
        yield from self.string_data.items()


@dataclass(frozen=True, slots=True)
class SecretUse:
    """A place of the spec that refers to a Secret's value."""

    path: Path
    ref: SecretKeyRef
    purpose: Purpose


def secret_uses(spec: FleetSpec) -> Iterator[SecretUse]:
    """Yield every reference to a Secret, with its path below the document."""
    for role in spec.roles.present():
        base: Path = ("spec", "roles", role.role)
        for place, member in enumerate(role.members):
            if member.node_key_secret is not None:
                path = (*base, "members", place, "nodeKeySecret")
                yield SecretUse(path, member.node_key_secret, "node key")
        if isinstance(role, Mailserver):
            if role.password is not None:
                path = (*base, "password", "secretKeyRef")
                yield SecretUse(path, role.password.secret_key_ref, "password")
            if role.database is not None:
                path = (*base, "database", "postgresql", "secretKeyRef")
                yield SecretUse(path, role.database.postgresql.secret_key_ref, "database URI")
    if spec.tree is None:
        return
    if spec.tree.signing_key is not None:
        path = ("spec", "tree", "signingKey", "secretKeyRef")
        yield SecretUse(path, spec.tree.signing_key.secret_key_ref, "tree key")
    for place, sink in enumerate(spec.tree.publish):
        if sink.rfc2136 is not None:
            path = ("spec", "tree", "publish", place, "rfc2136", "tsig", "secretKeyRef")
            yield SecretUse(path, sink.rfc2136.tsig.secret_key_ref, "TSIG key")


def value_problems(
    spec: FleetSpec, secrets: Mapping[SecretId, SecretStr]
) -> Iterator[tuple[Path, str]]:
    """Yield what is wrong with the values that are there; those that are not are not judged."""
    owners: dict[bytes, Path] = {}
    for use in secret_uses(spec):
        value = secrets.get(use.ref.value_id)
        if value is None:
            continue
        if not value.get_secret_value():
            yield use.path, f"the {use.purpose} in Secret {use.ref.name} is empty"
        elif use.purpose in _KEYS:
            try:
                key = PrivateKey.from_hex(value.get_secret_value())
            except KeyFormatError:
                yield use.path, f"the {use.purpose} in Secret {use.ref.name} is not 64 hex digits"
            else:
                if owners.setdefault(key.public_key.data, use.path) != use.path:
                    yield use.path, "this key has another use in the fleet already"


def missing_values(
    spec: FleetSpec, secrets: Mapping[SecretId, SecretStr]
) -> Iterator[tuple[Path, str]]:
    """Yield the references that lead nowhere, for a world whose only Secrets are `secrets`."""
    for use in secret_uses(spec):
        if use.ref.value_id not in secrets and use.purpose != "TSIG key":
            text = f"there is no Secret {use.ref.name} with a key {use.ref.key}"
            yield use.path, f"{text}; put it into the same file as a further document"
