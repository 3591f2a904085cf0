"""What can go wrong between a plan and its processes."""

from __future__ import annotations

from statusfleet.worlds.errors import WorldError


class PortTakenError(WorldError):
    """Another program listens on a port that belongs to a member."""

    def __init__(self, port: int, holder: str) -> None:
        super().__init__(
            f"TCP port {port} is used by {holder or 'another program'}; "
            "stop that program, or remove the port from the data folder to have another one chosen"
        )
        self.port = port
        self.holder = holder
