"""A fleet that runs in this process, from the manifest to the last child's end: the work of `up`.

Here the parts meet: the folder, the world, the tree's sink, the loop, the file that people edit,
the screen. Whatever ends it (Ctrl-C, the proof of `--check`, the time limit, a failure of ours)
leaves by the same way: the tasks are cancelled, and the world ends its children.
"""

from __future__ import annotations

import asyncio
import signal
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from statusfleet.api import (
    Manifest,
    ManifestError,
    Problem,
    fleet_problems,
    load_manifest,
    not_applicable,
)
from statusfleet.api.fleet import StatusFleet
from statusfleet.api.problems import path_text
from statusfleet.api.secrets import missing_values
from statusfleet.api.tree import Sink as SinkSpec
from statusfleet.cli import watch
from statusfleet.cli.picture import Picture, draw
from statusfleet.cli.screens import Screen
from statusfleet.cli.snapshot import Snapshot, SnapshotWriter
from statusfleet.plan import Observation
from statusfleet.publishers.sink import Sink, WholeZone
from statusfleet.reconcile.embedded import LoopbackServer
from statusfleet.reconcile.fleet import Reconciler, Report
from statusfleet.reconcile.loop import FleetLoop
from statusfleet.reconcile.publishing import TreeKeeper
from statusfleet.reconcile.racing import unless
from statusfleet.store import FolderStore
from statusfleet.worlds.processes.world import ProcessesWorld

_DNS_PORT: Final = "dns"
_NUMBERS_SECONDS: Final = 0.5
_SIGNALS: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@dataclass(frozen=True, slots=True)
class Wish:
    """What the user asked for, beside the manifest."""

    file: Path
    check: bool
    timeout_seconds: float
    dns_port: int | None
    recover: bool
    """Let mailservers move a corrupt archive aside."""


def load(file: Path) -> Manifest:
    """Read a manifest for this machine: its Secrets must stand in the same file.

    Raises:
        ManifestError: it cannot be used; every problem is named.
    """
    manifest = load_manifest(file)
    absent = [
        Problem(path_text(path), text, str(file))
        for path, text in missing_values(manifest.fleet.spec, manifest.secrets)
    ]
    if absent:
        raise ManifestError(absent)
    return manifest


class RunningFleet:
    """One fleet on this machine, with everything around it."""

    def __init__(self, wish: Wish, manifest: Manifest, store: FolderStore, screen: Screen) -> None:
        self._wish = wish
        self._manifest = manifest
        self._store = store
        self._screen = screen
        self._snapshot = SnapshotWriter(store.path)
        self._picture = Picture(manifest.fleet.name, str(store.path))
        self._notes: tuple[str, ...] = ()
        self._numbers_moved = asyncio.Event()
        self._interrupted = asyncio.Event()
        self._whole = asyncio.Event()
        self._world = ProcessesWorld(
            store,
            now=time.time,
            changed=self._wake,
            numbers_changed=self._numbers_moved.set,
            recover=wish.recover,
        )
        self._dns = LoopbackServer(wish.dns_port, self._kept_port)
        self._sink = WholeZone("embedded", self._dns)
        self._trees = TreeKeeper(store, (), time.time, reach=self._reach)
        self._loop = FleetLoop(
            Reconciler(
                self._world,
                self._trees,
                store,
                time.time,
                grace_seconds=0.0,  # what happens here should be seen here at once
                sinks=self._sinks,
            ),
            manifest.fleet,
            time.time,
            self._reported,
            screen.error,
        )

    async def run(self) -> int:
        """Run until interrupted, or with `--check` until proven; return the exit code."""
        seen = watch.stamp(self._wish.file)
        await self._claim()
        self._use(self._manifest)
        try:
            async with (
                self._signals(),
                self._world,
                self._serving(),
                self._trees,
                asyncio.TaskGroup() as group,
            ):
                tasks = [
                    group.create_task(self._loop.run()),
                    group.create_task(self._follow(seen)),
                    group.create_task(self._show_numbers()),
                ]
                code = await self._end()
                for task in tasks:
                    task.cancel()
        finally:
            self._snapshot.remove()
        return code

    async def _claim(self) -> None:
        """Write down whose folder it is."""
        state = await self._store.read()
        if not state.fleet:
            await self._store.write(replace(state, fleet=self._manifest.fleet.name))

    @asynccontextmanager
    async def _signals(self) -> AsyncIterator[None]:
        loop = asyncio.get_running_loop()
        for number in _SIGNALS:
            loop.add_signal_handler(number, self._interrupt)
        try:
            yield
        finally:
            for number in _SIGNALS:
                loop.remove_signal_handler(number)

    def _interrupt(self) -> None:
        if self._interrupted.is_set():
            self._world.kill()
        self._interrupted.set()

    @asynccontextmanager
    async def _serving(self) -> AsyncIterator[None]:
        try:
            yield
        finally:
            await self._dns.close()

    async def _end(self) -> int:
        """Wait for a reason to stop; return the exit code."""
        if not self._wish.check:
            await self._interrupted.wait()
            return 0
        with suppress(TimeoutError):
            async with asyncio.timeout(self._wish.timeout_seconds):
                await unless(self._interrupted, self._whole.wait())
        return 0 if self._whole.is_set() else 1

    def _wake(self) -> None:
        self._loop.wake()

    def _use(self, manifest: Manifest) -> None:
        self._manifest = manifest
        self._world.secrets = manifest.secrets
        notes = not_applicable(manifest.fleet.spec, "processes")
        self._notes = tuple(f"{path}: NotApplicable: {text}" for path, text in notes)
        for note in self._notes:
            self._screen.note(note)

    async def _follow(self, seen: watch.Stamp) -> None:
        """Carry out edits of the manifest; an invalid one is told of, and the fleet goes on."""
        async for _ in watch.changes(self._wish.file, seen):
            try:
                manifest = await asyncio.to_thread(self._load_edit)
            except ManifestError as error:
                for problem in error.problems:
                    self._screen.error(problem.message, problem.path)
                more = len(error.problems) - 1
                rest = f", and {more} more" if more else ""
                self._loop.refuse(f"the last edit is not used: {error.problems[0]}{rest}")
                continue
            self._use(manifest)
            self._loop.change(manifest.fleet)

    def _load_edit(self) -> Manifest:
        before, after = self._manifest.fleet, load(self._wish.file)
        problems = [
            Problem(path_text(path), text, str(self._wish.file))
            for path, text in fleet_problems(after.fleet, before)
        ]
        if after.fleet.name != before.name:
            text = f"the fleet {before.name} runs here; stop it to run another"
            problems.append(Problem("metadata.name", text, str(self._wish.file)))
        if problems:
            raise ManifestError(problems)
        return after

    async def _kept_port(self, chosen: int | None) -> int:
        state = await self._store.read()
        if chosen is not None and state.ports.get(_DNS_PORT) != chosen:
            ports = {**state.ports, _DNS_PORT: chosen}
            await self._store.write(replace(state, ports=ports))
        return chosen or state.ports.get(_DNS_PORT, 0)

    def _sinks(self, fleet: StatusFleet, _observation: Observation) -> tuple[Sink, ...]:
        """Return where the tree goes: whatever places the spec names, to the one server here."""
        return (self._sink,) if fleet.spec.tree is not None else ()

    async def _reach(self, _spec: SinkSpec, *, shared: bool) -> Sink | None:
        """Return the server again, where it should show a tree no more, or another."""
        return None if shared and self._manifest.fleet.spec.tree is not None else self._sink

    def _reported(self, report: Report) -> None:
        details = self._world.details()
        self._picture = draw(
            report,
            details,
            fleet=self._manifest.fleet.name,
            data=str(self._store.path),
            dns=self._dns.address,
            legs=self._world.canary_legs(),
            notes=self._notes,
        )
        self._screen.show(self._picture, details)
        self._write_snapshot()
        if self._picture.whole:
            self._whole.set()

    async def _show_numbers(self) -> None:
        while True:
            await self._numbers_moved.wait()
            self._numbers_moved.clear()
            self._screen.numbers(self._world.details())
            self._write_snapshot()
            await asyncio.sleep(_NUMBERS_SECONDS)

    def _write_snapshot(self) -> None:
        # A full disk is the members' trouble, and told by them; a look at it is not worth a crash.
        with suppress(OSError):
            self._snapshot.write(Snapshot(self._picture, self._world.details()))
