"""What the operator asked of the API server, from the server's own audit log. Pure but for `Log`.

The log holds nothing but the requests of the operator's user (`POLICY`): one line of JSON for each,
written before it is answered; a watch stands there as soon as it begins.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

POLICY: dict[str, Any] = {
    "apiVersion": "audit.k8s.io/v1",
    "kind": "Policy",
    "omitStages": ["RequestReceived"],
    "rules": [{"level": "Metadata", "users": ["operator"]}, {"level": "None"}],
}
READS = frozenset({"get", "list", "watch"})
LEASES = "leases"


@dataclass(frozen=True, slots=True)
class Call:
    """One request: `patch`, `configmaps`, `status/bench-relayer-0`, the answer's HTTP status."""

    verb: str
    resource: str
    name: str = ""
    status: int = 200

    @property
    def writes(self) -> bool:
        """Whether it may change something."""
        return self.verb not in READS

    @property
    def of_lease(self) -> bool:
        """Whether it is about leadership, which is renewed whatever happens."""
        return self.resource == LEASES


def call_of(line: str) -> Call | None:
    """Return the request that a line of the log tells of; None where another line tells it."""
    event = json.loads(line)
    # A watch is told when it begins and when it ends.
    if event["verb"] == "watch" and event["stage"] != "ResponseStarted":
        return None
    about = event.get("objectRef") or {}
    parts = (about.get("resource", event.get("requestURI", "")), about.get("subresource", ""))
    return Call(
        verb=event["verb"],
        resource="/".join(part for part in parts if part),
        name="/".join(p for p in (about.get("namespace", ""), about.get("name", "")) if p),
        status=int((event.get("responseStatus") or {}).get("code", 0)),
    )


def by_kind(calls: Iterable[Call]) -> dict[str, int]:
    """Count requests by verb and resource, the most frequent first; leadership is left out."""
    counted = Counter(f"{c.verb} {c.resource}" for c in calls if not c.of_lease)
    return dict(counted.most_common())


def writes(calls: Iterable[Call]) -> list[Call]:
    """Return the requests that may change something, but for the Lease."""
    return [call for call in calls if call.writes and not call.of_lease]


class Log:
    """The log of a running server, read on from where it was read last."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._at = 0

    def read(self) -> list[Call]:
        """Return the requests since the last call."""
        with self._path.open("rb") as file:
            file.seek(self._at)
            data = file.read()
        whole = data.rpartition(b"\n")[0]
        self._at += len(whole) + bool(whole)
        found = (call_of(line) for line in whole.decode().splitlines())
        return [call for call in found if call is not None]
