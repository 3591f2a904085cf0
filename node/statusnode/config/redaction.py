"""A configuration as a document: whole, or with its secrets struck out for logs and RPC.

Whatever shows a configuration to anybody but the person who typed `-version` uses `redacted`.
"""

from __future__ import annotations

from typing import Final

from statusnode.config.gojson import Document
from statusnode.config.model import NodeConfig

STRUCK_OUT: Final = "***"
SECRET_PATHS: Final = (
    ("NodeKey",),
    ("UpstreamConfig", "URL"),
    ("WhisperConfig", "MailServerPassword"),
    ("WhisperConfig", "MailServerAsymKey"),
    ("WhisperConfig", "DatabaseConfig", "PGConfig", "URI"),
    ("WakuConfig", "MailServerPassword"),
    ("WakuConfig", "DatabaseConfig", "PGConfig", "URI"),
)


def document_of(config: NodeConfig) -> Document:
    """Return the JSON form, secrets included; `StatusFleet` only where it is set."""
    document = config.model_dump(by_alias=True)
    if document["StatusFleet"] is None:
        del document["StatusFleet"]
    return document


def redacted(config: NodeConfig) -> Document:
    """Return the JSON form with every secret that is set struck out."""
    document = document_of(config)
    for *sections, key in SECRET_PATHS:
        section = document
        for name in sections:
            section = section[name]
        if section[key]:
            section[key] = STRUCK_OUT
    return document
