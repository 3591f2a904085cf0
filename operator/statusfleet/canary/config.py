"""What a canary is told: one JSON file, read again before every run.

The file holds a password, and a key or the path of the file with it, so only its process may read
it. Its errors name the field, never a value.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    SecretStr,
    ValidationError,
    model_validator,
)
from pydantic.alias_generators import to_camel

from statusnode.crypto.keys import KeyFormatError, PrivateKey
from statusnode.records.enode import Enode, EnodeError


class CanaryConfigError(ValueError):
    """A canary's configuration that cannot be used."""


def _check_enode(text: str) -> str:
    Enode.parse(text)
    return text


def _check_key(text: SecretStr) -> SecretStr:
    PrivateKey.from_hex(text.get_secret_value())
    return text


class _Part(BaseModel):
    model_config = ConfigDict(
        alias_generator=to_camel, extra="forbid", frozen=True, populate_by_name=True, strict=True
    )


class Target(_Part):
    """A member that the canary talks to."""

    name: Annotated[str, Field(min_length=1, max_length=64)]
    enode: Annotated[str, AfterValidator(_check_enode)]

    @property
    def address(self) -> Enode:
        """Where to dial it."""
        return Enode.parse(self.enode)


Targets = Annotated[tuple[Target, ...], Field(max_length=2000)]


class CanaryConfig(_Part):
    """One fleet, as its canary sees it."""

    node_key: Annotated[SecretStr, AfterValidator(_check_key)] | None = None
    """The canary's own key, 64 hex digits; the members trust its public half."""
    node_key_file: str = ""
    """The file where that key stands, if it does not stand here; `load` reads it."""
    relayers: Targets = ()
    mailservers: Targets = ()
    interval_seconds: Annotated[float, Field(gt=0, le=86_400)]
    """From the start of one run to the start of the next; never less than a run takes."""
    timeout_seconds: Annotated[float, Field(gt=0, le=3_600)]
    """For all legs of one run together."""
    min_pow: Annotated[float, Field(ge=0, le=1_000_000)] = 0.000002
    """The highest proof of work that a member asks for."""
    mail_password: SecretStr
    """Password of mail requests."""

    @model_validator(mode="after")
    def _check_one_key(self) -> Self:
        if (self.node_key is None) == (not self.node_key_file):
            raise ValueError("either nodeKey or nodeKeyFile must be there")
        return self

    @property
    def key(self) -> PrivateKey:
        """The canary's own key."""
        assert self.node_key is not None  # noqa: S101 - `load` sees to it
        return PrivateKey.from_hex(self.node_key.get_secret_value())


def load(path: Path) -> CanaryConfig:
    """Read a canary's configuration.

    Raises:
        CanaryConfigError: the file cannot be read or used; the message names fields, not values.
    """
    try:
        config = CanaryConfig.model_validate_json(path.read_bytes())
        if not config.node_key_file:
            return config
        key = _check_key(SecretStr(Path(config.node_key_file).read_text(errors="replace")))
        return config.model_copy(update={"node_key": key})
    except OSError as error:
        raise CanaryConfigError(f"{error.filename}: {error.strerror}") from error
    except (ValidationError, EnodeError, KeyFormatError) as error:
        raise CanaryConfigError(f"{path}: {_describe(error)}") from None


def _describe(error: ValueError) -> str:
    if not isinstance(error, ValidationError):
        return str(error)
    problems = error.errors(include_input=False, include_url=False, include_context=False)
    return "; ".join(
        f"{'.'.join(map(str, problem['loc'])) or 'document'}: {problem['msg']}"
        for problem in problems
    )
