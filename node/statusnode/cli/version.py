"""What `-version` prints: who the node is and the configuration it would start with."""

from __future__ import annotations

import platform

import statusnode
from statusnode.config import gojson
from statusnode.config.model import NodeConfig
from statusnode.config.redaction import document_of


def version_text(config: NodeConfig) -> str:
    """Return the text in statusd's layout; the JSON is Go's, and whole, secrets included.

    The version of this program stands where the configuration leaves it empty, and Python's where
    status-go prints Go's.
    """
    name = config.name[:1].upper() + config.name[1:]
    return "\n".join(
        (
            name,
            f"Version: {config.version or statusnode.__version__}",
            f"Network ID: {config.network_id}",
            f"Python Version: {platform.python_version()}",
            f"OS: {platform.system().lower()}",
            f"Loaded Config:  {gojson.dump(document_of(config))}",
        )
    )
