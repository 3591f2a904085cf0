"""What every world keeps of a plan before it acts by it."""

from __future__ import annotations

from dataclasses import replace

from statusfleet.plan import Plan
from statusfleet.store import Store


async def keep_records(store: Store, plan: Plan) -> None:
    """Have the memory hold the plan's records, before anybody is shown one.

    Raises:
        StoreError: the memory cannot be read or written.
    """
    state = await store.read()
    records = dict(state.records)
    records.update((m.name, str(m.record)) for m in plan.members if m.record is not None)
    if records != state.records:
        await store.write(replace(state, records=records))
