"""What every world can say about its failures."""

from __future__ import annotations


class WorldError(Exception):
    """A world cannot do what was asked; the message says why."""
