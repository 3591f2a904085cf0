"""What a fleet's status still tells of a memory that was deleted while no operator ran.

Sequence numbers must not begin anew: readers would keep the old record, and take the new one for
older. The status holds the last record of each member that it has a row for (the first 200), and
the number of the tree.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from statusfleet.api.status import ConditionType
from statusfleet.store import State, Store, TreeState
from statusnode.records.enr import Record, RecordError


async def recollect(store: Store, status: Mapping[str, Any]) -> None:
    """Have an empty memory hold what a status tells; another one is left alone.

    Raises:
        StoreError: the memory cannot be read or written.
        KubeError: the cluster does not answer.
    """
    if (await store.read()).revision:
        return
    told = told_by(status)
    if told != State():
        await store.write(told)


def told_by(status: Mapping[str, Any]) -> State:
    """Return what a status tells of records and numbers; what is damaged is left out."""
    records: dict[str, str] = {}
    for member in status.get("members") or ():
        with suppress(RecordError):
            records[member["name"]] = str(Record.parse(member.get("enr") or ""))
    seq = (status.get("tree") or {}).get("seq") or 0
    return State(records=records, tree=TreeState(seq=seq))


def served(status: Mapping[str, Any]) -> int:
    """Return the number of the tree that every sink had when a status was written, 0 for none."""
    tree = status.get("tree") or {}
    return int(tree.get("seq") or 0) if tree.get("publishedAt") else 0


def namesakes(
    statuses: Mapping[tuple[str, str], Mapping[str, Any]], but: tuple[str, str], url: str
) -> list[str]:
    """Return the fleets of which a status tells a tree of this URL, but for one; by full name."""
    return sorted(
        "/".join(fleet)
        for fleet, status in statuses.items()
        if fleet != but and (status.get("tree") or {}).get("url") == url
    )


def reached(status: Mapping[str, Any]) -> dict[str, str]:
    """Return the enodes of the members that were reached, by name, when a status was written.

    It tells so only of all that were ready.
    """
    conditions = {one["type"]: one["status"] for one in status.get("conditions") or ()}
    if conditions.get(ConditionType.REACHABLE) != "True":
        return {}
    rows = [row for row in status.get("members") or () if row.get("ready")]
    return {row["name"]: str(row.get("enode", "")) for row in rows}
