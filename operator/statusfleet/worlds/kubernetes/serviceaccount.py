"""The account under which a fleet's pods run. It has no rights, and its token is not mounted."""

from __future__ import annotations

from statusfleet.kube.kinds import SERVICE_ACCOUNT, JsonDict
from statusfleet.worlds.kubernetes.names import Owner


def service_account(owner: Owner) -> JsonDict:
    """Return a fleet's ServiceAccount."""
    body = owner.body(SERVICE_ACCOUNT, owner.name, owner.labels)
    body["automountServiceAccountToken"] = False
    return body
