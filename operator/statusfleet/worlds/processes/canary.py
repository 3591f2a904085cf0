"""The canary of a fleet on this machine: its file, its process, the lines that it writes."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from statusfleet.plan import CanaryVerdict
from statusfleet.store import FolderStore
from statusfleet.worlds.processes.child import Program
from statusfleet.worlds.processes.confidential import write_if_changed
from statusfleet.worlds.processes.supervisor import Phase, Supervisor
from statusfleet.worlds.protocol import CanaryWish
from statusnode.crypto.keys import PrivateKey
from statusnode.records.enode import Enode

NAME: Final = "canary"
_MODULE: Final = "statusfleet.canary"


@dataclass(frozen=True, slots=True)
class LegDetail:
    """One part of the last run: through which member, how long it took or why it failed."""

    leg: str
    member: str
    latency_ms: float | None
    error: str


class CanaryRunner:
    """Runs the canary under the supervisor and remembers its last verdict."""

    def __init__(
        self, supervisor: Supervisor, store: FolderStore, changed: Callable[[], None]
    ) -> None:
        self.legs: tuple[LegDetail, ...] = ()
        self._supervisor = supervisor
        self._store = store
        self._changed = changed
        self._key: PrivateKey | None = None
        self._verdict: CanaryVerdict | None = None

    def verdict(self, now: float) -> CanaryVerdict | None:
        """Return what the last run found, or that the canary itself does not run."""
        state = self._supervisor.states.get(NAME)
        if state is None or state.phase is not Phase.WAITING:
            return self._verdict
        return CanaryVerdict(False, now, None, (f"running the canary: {state.problem}",))

    async def key(self) -> PrivateKey:
        """Return the canary's key, made once.

        Raises:
            StoreError: it cannot be read or written.
        """
        if self._key is None:
            self._key = await self._store.ensure_canary_key()
        return self._key

    async def run(self, wish: CanaryWish | None) -> None:
        """Keep a canary running that does as told; None stops it.

        Raises:
            StoreError: its file cannot be written.
        """
        if wish is None:
            await self._supervisor.stop([NAME])
            self._verdict, self.legs = None, ()
            return
        path = self._store.path / "canary.json"
        text = _config(wish, await self.key())
        await asyncio.to_thread(write_if_changed, path, text)
        log = self._store.path / "canary.log"
        self._supervisor.run(Program(NAME, _MODULE, (str(path),), log), self._take_line)

    def _take_line(self, line: bytes) -> None:
        try:
            found = json.loads(line)
            legs = tuple(
                LegDetail(leg["leg"], leg["member"], leg["latencyMs"], leg["error"] or "")
                for leg in found["legs"]
            )
            self._verdict = CanaryVerdict(
                passed=found["passed"] is True,
                finished_at=float(found["finishedAt"]),
                latency_ms=found["latencyMs"],
                failures=tuple(str(failure) for failure in found["failures"]),
            )
        except (ValueError, TypeError, KeyError):
            return  # not a verdict: its program does not write such lines
        self.legs = legs
        self._changed()


def _config(wish: CanaryWish, key: PrivateKey) -> bytes:
    return json.dumps(
        {
            "nodeKey": key.data.hex(),
            "relayers": _targets(wish.relayers),
            "mailservers": _targets(wish.mailservers),
            "intervalSeconds": wish.interval_seconds,
            "timeoutSeconds": wish.timeout_seconds,
            "minPow": wish.min_pow,
            "mailPassword": wish.mail_password.get_secret_value(),
        },
        indent=2,
    ).encode()


def _targets(members: tuple[tuple[str, Enode], ...]) -> list[dict[str, str]]:
    return [{"name": name, "enode": str(enode)} for name, enode in members]
