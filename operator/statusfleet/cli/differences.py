"""What `up` would change in a data folder, found out without taking or changing it.

The plan of the manifest is made as `up` makes it, with the keys and ports that the folder holds;
where it has none, with throwaway ones, so that the effects on the other members show. Then it is
held against the configurations that members were last given.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Final

from pydantic import JsonValue

from statusfleet.api import Manifest
from statusfleet.cli.effects import Difference, Effect, changed_settings
from statusfleet.plan import (
    Member,
    MemberId,
    Observation,
    ObservedMember,
    Plan,
    desired_members,
    make_plan,
)
from statusfleet.store import FolderReader, State, files
from statusfleet.store.keys import read_key
from statusfleet.worlds.processes.seats import override, seat_of
from statusfleet.worlds.processes.world import CONFIG_NAME
from statusnode.crypto.keys import PrivateKey
from statusnode.records.tree import SignedTree

_LARGEST_CONFIG: Final = 64 * 1024 * 1024
_UNKNOWN_PORT: Final = 1  # stands for one that will be chosen


def differences(manifest: Manifest, folder: FolderReader) -> list[Difference]:
    """Return what `up` would change, in the order of members, the tree last.

    Raises:
        StoreError: the folder cannot be read.
    """
    state = folder.state()
    plan = make_plan(manifest.fleet, _observe(manifest, folder, state))
    present = _present(folder)
    wanted = {member.name for member in plan.members}
    found = [difference for member in plan.members for difference in _member(member, present)]
    found += [
        Difference(Effect.STOP, name, "the manifest does not name it; its folder stays")
        for name in sorted(set(present) - wanted)
    ]
    published = state.tree.publication
    if plan.tree is None and published is not None and state.tree.shown:
        found.append(Difference(Effect.PUBLISH, published.tree.domain, "is withdrawn"))
    return found + list(_tree(plan, published.tree if published else None))


def _observe(manifest: Manifest, folder: FolderReader, state: State) -> Observation:
    members: dict[str, ObservedMember] = {}
    for member in desired_members(manifest.fleet.spec):
        seat = seat_of(manifest.fleet, member, state.ports, folder, unknown_port=_UNKNOWN_PORT)
        members[member.name] = ObservedMember(
            id=member,
            key=_key(manifest, folder, member),
            seat=seat,
            dial=seat.listen,
            advertised=seat.listen,
            record=state.record(member.name),
        )
    canary = read_key(folder.path / "canary.key") or PrivateKey.generate()
    return Observation(members=members, canary_key=canary.public_key, secrets=manifest.secrets)


def _key(manifest: Manifest, folder: FolderReader, member: MemberId) -> PrivateKey:
    reference = override(manifest.fleet, member).node_key_secret
    if reference is not None:
        return PrivateKey.from_hex(manifest.secrets[reference.value_id].get_secret_value())
    return folder.member_key(member.name) or PrivateKey.generate()


def _present(folder: FolderReader) -> dict[str, Mapping[str, JsonValue]]:
    """Return the configuration that each member of the fleet was last given."""
    found: dict[str, Mapping[str, JsonValue]] = {}
    for path in sorted((folder.path / "members").glob(f"*/{CONFIG_NAME}")):
        text = files.read(path, _LARGEST_CONFIG)
        try:
            document = json.loads(text or b"")
        except ValueError:
            document = None  # cut short or edited by hand: it will be written anew
        found[path.parent.name] = document if isinstance(document, dict) else {}
    return found


def _member(member: Member, present: Mapping[str, Mapping[str, JsonValue]]) -> Iterator[Difference]:
    if member.name not in present:
        yield Difference(Effect.START, member.name, "it is new")
        return
    changed = changed_settings(present[member.name], member.whole_config)
    if changed.effect is not None:
        yield Difference(changed.effect, member.name, changed.why)


def _tree(plan: Plan, published: SignedTree | None) -> Iterator[Difference]:
    if plan.tree is None:
        return
    domain = plan.tree.domain
    if published is None or published.domain != domain:
        text = f"a first tree with {len(plan.tree.candidates)} records"
        yield Difference(Effect.PUBLISH, domain, text)
        return
    before = {record.node_id for record in published.tree.nodes}
    after = {record.node_id for _, record in plan.tree.candidates}
    changes = [
        f"adds {name}" for name, record in plan.tree.candidates if record.node_id not in before
    ]
    if gone := len(before - after):
        changes.append(f"removes {gone} record{'s' if gone > 1 else ''}")
    if {str(link) for link in published.tree.links} != set(plan.tree.links):
        changes.append("changes the links")
    if changes:
        yield Difference(Effect.PUBLISH, domain, "; ".join(changes))
