"""A memory of which somebody deleted parts while no operator ran: what is lost is looked for.

Large trees stand in several objects. What one of them held is still in the fleet's status, in the
parts that are left, and at the sinks that show the tree; each text proves itself. A tree that is
found nowhere whole is made anew from the members, under a higher number. A record that is found
nowhere leaves a number behind that is surely higher than its own: the time.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from statusfleet.handlers.notices import Noticeboard, mended
from statusfleet.handlers.recollection import recollect, told_by
from statusfleet.publishers.sink import SinkError
from statusfleet.reconcile.withdrawing import Reach
from statusfleet.store import CorruptStateError, StoreError
from statusfleet.store.kubernetes import KubernetesStore
from statusfleet.store.remains import LostTextsError, Remains
from statusnode.crypto.keys import PrivateKey
from statusnode.records.enr import Record

_MOST_NAMED: Final = 5
_ATTEMPTS: Final = 5
"""How often sinks are asked for what is lost before it is given up: for half a minute."""
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Loss:
    """What was lost, and what of it was found nowhere: the tree, entries that were over, records.

    `problems` say by name why a sink could not be asked.
    """

    tree: bool
    retired: int
    records: tuple[str, ...]
    problems: Mapping[str, str]

    @property
    def message(self) -> str:
        """What to tell a person."""
        gone = []
        if self.tree:
            gone.append("the tree, which is made anew from the members under a higher number")
        if self.tree or self.retired:
            gone.append(
                "names of older entries: what of them stands at DNS servers that take updates is "
                "not removed by the operator any more"
            )
        if self.records:
            named = ", ".join(self.records[:_MOST_NAMED])
            more = len(self.records) - _MOST_NAMED
            named += f" and {more} more" if more > 0 else ""
            gone.append(f"last records, whose numbers go on from the time: {named}")
        said = "parts of the fleet's memory were deleted while no operator ran, and are made anew"
        if not gone:
            return f"{said} as they were"
        asked = "".join(f" ({name}: {problem})" for name, problem in self.problems.items())
        return f"{said}; found nowhere{asked}: {'; '.join(gone)}"

    @property
    def is_none(self) -> bool:
        """Whether everything was found."""
        return not (self.tree or self.retired or self.records)


class Restorer:
    """Brings back what can be of one fleet's memory, before anything is made from it."""

    def __init__(
        self,
        store: KubernetesStore,
        reach: Reach,
        board: Noticeboard,
        now: Callable[[], float],
    ) -> None:
        """Take the memory, how to reach sinks, and where to tell; `now` gives Unix seconds."""
        self._store = store
        self._reach = reach
        self._board = board
        self._now = now
        self._is_there = False

    async def restore(self, status: Mapping[str, Any], failures: int) -> None:
        """Mend the memory, and begin it anew from the status where there is none; once.

        Raises:
            StoreError: as `mend`, or the memory cannot be read.
            KubeError: the cluster does not answer.
        """
        if not self._is_there:
            await self.mend(status, failures)
            await recollect(self._store, status)
            self._is_there = True

    async def mend(self, status: Mapping[str, Any], failures: int) -> None:
        """Make the memory whole where objects of it are gone, and tell of it.

        `failures` says how many attempts have failed: at first a sink that may have what nobody
        else has is waited for.

        Raises:
            StoreError: such a sink is waited for, or the memory cannot be written.
            KubeError: the cluster does not answer.
        """
        try:
            await self._store.read()
        except LostTextsError as error:
            loss = await self._mend(error.remains, status, failures)
            await self._board.post([mended(loss.message, complete=loss.is_none)], self._now())
        except CorruptStateError:
            return  # told by whoever needs what it says

    async def _mend(self, remains: Remains, status: Mapping[str, Any], failures: int) -> Loss:
        told = remains.with_texts(told_by(status).records.values())
        remains, problems = await _searched(told, self._reach)
        if problems and remains.lost_shown and failures < _ATTEMPTS:
            named = "; ".join(f"{name}: {problem}" for name, problem in problems.items())
            raise StoreError(f"a part of the fleet's memory is gone, and is asked for at {named}")
        # Of a record that is in no tree only the number counts, not whose key signs it.
        stand_in = str(Record.sign(PrivateKey.generate(), int(self._now() * 1000)))
        renewed = dict.fromkeys(remains.lost_records, stand_in)
        await self._store.mend(remains, renewed)
        loss = Loss(
            bool(remains.lost_of_tree),
            len(remains.lost_retired),
            remains.lost_records,
            problems,
        )
        _log.warning("fleet %s/%s: %s", self._store.namespace, self._store.fleet, loss.message)
        return loss


async def _searched(remains: Remains, reach: Reach) -> tuple[Remains, dict[str, str]]:
    """Look for lost texts at the sinks; return what there is now, and who could not be asked."""
    problems = {}
    for name, spec in remains.shown.items() if remains.domain else ():
        if not remains.lost_shown:
            break
        try:
            sink = await reach(spec, shared=False)
            if sink is None:
                continue
            try:
                while lost := remains.lost_shown:
                    remains = remains.with_texts(await sink.entries(remains.domain, lost))
                    if remains.lost_shown == lost:
                        break  # it has nothing more
            finally:
                await sink.close()
        except SinkError as error:
            problems[name] = str(error)
    return remains, problems
