"""`kubectl statusfleet diff -f FILE`: what applying a manifest would change, and what would follow.

The API server itself is asked what would be kept (a dry run), so defaults, rules and what others
set are in it. What the operator would do with that is planned here as the operator plans it.
"""

from __future__ import annotations

import itertools
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from statusfleet.cli.kubectl.cluster import CommandError, Place, Remote, on_cluster, parse, run

if TYPE_CHECKING:
    from statusfleet.api.manifest import Manifest
    from statusfleet.cli.kubectl.forecast import Forecast
    from statusfleet.cli.kubectl.merging import Edit
    from statusfleet.kube.kinds import JsonDict

_DIFFERS: Final = 1
_FAILED: Final = 2
_MOST_EDITS: Final = 24
"""Fields that fit a screen beside what follows from them."""


@dataclass(frozen=True, slots=True)
class Wish:
    """One fleet of a file: as it stands there, and checked."""

    body: JsonDict
    manifest: Manifest

    @property
    def namespace(self) -> str:
        """Return the namespace that the file names, "" where it names none."""
        return str((self.body.get("metadata") or {}).get("namespace") or "")


@dataclass(frozen=True, slots=True)
class Change:
    """What applying one fleet would change; `is_new` where it is not there yet."""

    where: str
    edits: tuple[Edit, ...]
    forecast: Forecast
    is_new: bool


@on_cluster
def diff(
    place: Place,
    file: Annotated[
        str, typer.Option("--filename", "-f", metavar="FILE", help="The manifest; - is the input.")
    ],
) -> None:
    """Tell what applying a manifest would change, and what the operator would then do.

    First the fields, as the API server would keep them; then members that are added, stopped, told
    to reload or started anew, in the order of the rollout, and what becomes of the tree. Changes
    nothing.

    Exits as kubectl diff does: 0 nothing would change, 1 something would, 2 it cannot be told.
    """
    try:
        wishes = _read(file)
    except CommandError as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(_FAILED) from error
    differs = False
    for wish in wishes:
        if place.namespace and wish.namespace not in ("", place.namespace):
            typer.echo(
                f"error: the manifest is for the namespace {wish.namespace}, not {place.namespace}",
                err=True,
            )
            raise typer.Exit(_FAILED)
        fleet = replace(
            place, name=wish.manifest.fleet.name, namespace=wish.namespace or place.namespace
        )

        async def work(remote: Remote, wish: Wish = wish) -> Change:
            return await _compare(remote, wish)

        change = run(fleet, work, failed=_FAILED, interrupted=_FAILED)
        for line in change_lines(change):
            typer.echo(line)
        differs = differs or change.is_new or bool(change.edits or change.forecast.differences)
    if differs:
        raise typer.Exit(_DIFFERS)


def _read(file: str) -> list[Wish]:
    """Return the fleets of a file.

    Raises:
        CommandError: it cannot be read, or is no manifest; every problem is named.
    """
    from statusfleet.api import ManifestError
    from statusfleet.api.document import read_documents
    from statusfleet.api.fleet import KIND
    from statusfleet.api.manifest import parse_manifests

    try:
        data = sys.stdin.buffer.read() if file == "-" else Path(file).read_bytes()
    except OSError as error:
        raise CommandError(f"error: {file} cannot be read: {error.strerror}") from error
    try:
        manifests = parse_manifests(data, file)
    except ManifestError as error:
        raise CommandError(str(error)) from error
    bodies: list[Any] = [document.value for document in read_documents(data)]
    fleets = [body for body in bodies if body.get("kind") == KIND]
    return [Wish(body, manifest) for body, manifest in zip(fleets, manifests, strict=True)]


async def _compare(remote: Remote, wish: Wish) -> Change:
    from statusfleet.cli.kubectl.forecast import forecast
    from statusfleet.cli.kubectl.merging import edits
    from statusfleet.cli.kubectl.observing import read_scene
    from statusfleet.kube.kinds import STATUS_FLEET

    live = await remote.client.find(STATUS_FLEET, remote.namespace, remote.name)
    kept = await _dry_run(remote, wish.body, live)
    before, after = parse(live) if live is not None else None, parse(kept)
    scene = await read_scene(remote, [fleet for fleet in (before, after) if fleet is not None])
    brought = wish.manifest.secrets if scene.reads_secrets else {}
    return Change(
        str(remote),
        tuple(edits(live, kept)) if live is not None else (),
        forecast(before, after, scene, brought),
        is_new=live is None,
    )


async def _dry_run(remote: Remote, wish: JsonDict, live: JsonDict | None) -> JsonDict:
    """Ask the API server what it would keep, were the manifest applied as it was before.

    Who never applied it is taken for somebody who will use `kubectl apply`.
    """
    from statusfleet.cli.kubectl.merging import KUBECTL, applier, last_applied, three_way, written
    from statusfleet.kube.kinds import STATUS_FLEET

    mine = written(wish)
    last = last_applied(live) if live is not None else None
    manager = KUBECTL if live is None else applier(live)
    if live is not None and (last is not None or manager is None):
        patch = three_way(written(last or {}), mine, written(live))
        return await remote.client.patch(
            STATUS_FLEET, remote.namespace, remote.name, patch, dry_run=True
        )
    named: Mapping[str, Any] = {"namespace": remote.namespace, "name": remote.name}
    body = {
        "apiVersion": STATUS_FLEET.api_version,
        "kind": STATUS_FLEET.kind,
        "metadata": {**mine["metadata"], **named},
        "spec": mine["spec"],
    }
    return await remote.client.apply(
        body, force=True, dry_run=True, field_manager=manager or KUBECTL
    )


def change_lines(change: Change) -> Iterator[str]:
    """Yield the lines that tell of a change. Pure."""
    from statusfleet.cli.kubectl.columns import columns
    from statusfleet.cli.kubectl.forecast import by_reason, ranges

    told = change.forecast
    if change.is_new:
        yield f"{change.where}: is new"
    elif not change.edits and not told.differences:
        yield f"{change.where}: nothing would change"
        return
    else:
        fields = f"{len(change.edits)} field{'s' if len(change.edits) != 1 else ''}"
        yield f"{change.where}: {fields} would change"
    for edit in change.edits[:_MOST_EDITS]:
        yield f"  {edit}"
    if len(change.edits) > _MOST_EDITS:
        yield f"  and {len(change.edits) - _MOST_EDITS} more"
    yield ""
    if not told.differences:
        yield "the operator would have nothing to do"
    else:
        rows = [
            (effect, ", ".join(ranges(names)), why)
            for effect, names, why in by_reason(told.differences)
        ]
        yield from columns(("WOULD", "WHAT", "WHY"), rows)
    if told.waves:
        yield f"one after the other: {', then '.join(_in_order(told.waves))}"
        yield f"  the next goes when the last has been ready for {told.soak}"
    for note in told.notes:
        yield f"note: {note}"


def _in_order(waves: Sequence[Sequence[str]]) -> Iterator[str]:
    """Yield the waves of a rollout in short, those of one member each together."""
    from statusfleet.cli.kubectl.forecast import ranges

    for alone, group in itertools.groupby(waves, key=lambda wave: len(wave) == 1):
        if alone:
            yield from ranges(name for wave in group for name in wave)
        else:
            yield from (" and ".join(wave) for wave in group)
