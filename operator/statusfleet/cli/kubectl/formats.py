"""The names of the forms that `directory` writes, for a command line that must be quick."""

from __future__ import annotations

from enum import StrEnum


class Format(StrEnum):
    """How the nodes are written."""

    ENODE = "enode"
    ENR = "enr"
    JSON = "json"
    FLEETS_JSON = "fleets-json"
    CLUSTER_CONFIG = "cluster-config"
