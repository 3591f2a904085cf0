"""What is wrong with a configuration, said with the place where it stands."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong; the message never repeats a value that may be a secret."""

    path: str
    """The JSON path, such as `WakuConfig.MaxMessageSize`; "" for the whole document."""
    message: str
    source: str = ""
    """The file or flag that says so; "" when it is the sum of all."""

    def __str__(self) -> str:
        return ": ".join(part for part in (self.source, self.path, self.message) if part)


class ConfigError(ValueError):
    """A configuration that no node can start from."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        """Take at least one problem."""
        super().__init__("; ".join(str(problem) for problem in problems))
        self.problems = tuple(problems)
