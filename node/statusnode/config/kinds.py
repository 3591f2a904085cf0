"""Go's number types and the base of every section, as pydantic sees them.

Strict on purpose: Go refuses 1.0 where it wants an integer, and a node that guesses what a file
means starts with something else than its operator wrote. Never converts.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

Int = Annotated[int, Field(ge=-(2**63), le=2**63 - 1)]
UInt32 = Annotated[int, Field(ge=0, le=2**32 - 1)]
UInt64 = Annotated[int, Field(ge=0, le=2**64 - 1)]
# Go's nil slice prints as null and its empty one as []; both mean "none".
Strings = list[str] | None


class Section(BaseModel):
    """One JSON object of the configuration; the aliases are the keys that status-go reads."""

    model_config = ConfigDict(
        strict=True, frozen=True, extra="forbid", populate_by_name=True, allow_inf_nan=False
    )
