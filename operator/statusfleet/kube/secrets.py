"""Values out of Secrets."""

from __future__ import annotations

import base64
import binascii

from statusfleet.kube.kinds import JsonDict


def secret_text(secret: JsonDict | None, key: str) -> str | None:
    """Return one value of a Secret as text, None where there is none, or none that is text."""
    data: JsonDict = (secret or {}).get("data") or {}
    if key not in data:
        return None
    try:
        return base64.b64decode(data[key], validate=True).decode()
    except (binascii.Error, TypeError, ValueError):
        return None
