"""The canary of a fleet on this machine: its file, its process, the lines that it writes."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Final

from statusfleet.plan import CanaryVerdict
from statusfleet.store import FolderStore
from statusfleet.worlds.canary import LegDetail, canary_settings, legs_of, read_verdict, timely
from statusfleet.worlds.processes.child import Program
from statusfleet.worlds.processes.confidential import write_if_changed
from statusfleet.worlds.processes.supervisor import Phase, Supervisor
from statusfleet.worlds.protocol import CanaryWish
from statusnode.crypto.keys import PrivateKey

NAME: Final = "canary"
_MODULE: Final = "statusfleet.canary"


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
        self._wish: CanaryWish | None = None
        self._verdict: CanaryVerdict | None = None

    def verdict(self, now: float) -> CanaryVerdict | None:
        """Return what the last run found, or that the canary itself does not run."""
        state = self._supervisor.states.get(NAME)
        if state is None or state.phase is not Phase.WAITING:
            return timely(self._verdict, self._wish, now)
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
        self._wish = wish
        if wish is None:
            await self._supervisor.stop([NAME])
            self._verdict, self.legs = None, ()
            return
        path = self._store.path / "canary.json"
        text = json.dumps(canary_settings(wish, await self.key()), indent=2).encode()
        await asyncio.to_thread(write_if_changed, path, text)
        log = self._store.path / "canary.log"
        self._supervisor.run(Program(NAME, _MODULE, (str(path),), log), self._take_line)

    def _take_line(self, line: bytes) -> None:
        found = read_verdict(line)
        if found is not None:
            self._verdict, said = found
            self.legs = legs_of(said)
            self._changed()
