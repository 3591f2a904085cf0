"""What is watched: fleets by Kopf, the objects that they have by a mirror of our own.

Only what bears a fleet's label is asked for, so that a cluster's other Pods and Secrets never come
here; nodes are asked for as they are. An event says nothing but that a fleet should be looked at
again: what is there is read from the mirror, which is complete before the first event is told.
Each namespace is watched for itself: what cannot be seen of one holds up no other.

That watches progress is proved for each of them: the Lease is renewed by its holder every two
seconds; Kopf's watch of fleets is compared with one of our own; the mirror's say something each
minute, or else are made anew, which the server answers. While the mirror lists all that is there,
which takes its time in a large cluster, each page is a word. A refusal is a word too: it is told
of, and no other process would hear more.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Mapping
from typing import Protocol

import kopf

from statusfleet.handlers.following import Following
from statusfleet.handlers.kopf_watch import KopfWatch, again
from statusfleet.handlers.lag import FleetLag
from statusfleet.handlers.mirror import BETWEEN_WORDS_SECONDS, FleetId, Mirror
from statusfleet.handlers.namespace_watch import FleetListener, NamespaceWatch
from statusfleet.handlers.sight import Sight
from statusfleet.kube.client import KubeClient
from statusfleet.kube.kinds import LEASE, STATUS_FLEET
from statusfleet.worlds.kubernetes.records import Snapshot


class Listener(FleetListener, Protocol):
    """Who is told of events."""

    def wake(self, fleet: FleetId) -> None:
        """An object of a fleet has changed."""
        ...

    def wake_all(self) -> None:
        """Something that concerns every fleet has changed."""
        ...


class Watches:
    """The watches of one operator, and what they have seen."""

    def __init__(
        self,
        client: KubeClient,
        *,
        kubeconfig: str,
        context: str,
        namespaces: Collection[str],
        lease: tuple[str, str],
        clock: Callable[[], float],
    ) -> None:
        """Take where the cluster is, and what to watch ((): all namespaces).

        `lease` is namespace and name of the Lease whose renewals prove progress; it may stand where
        no fleet is looked after. `clock` gives seconds.
        """
        self._client = client
        self._kubeconfig = kubeconfig
        self._context = context
        self._namespaces = tuple(namespaces)
        self._lease = lease
        self._clock = clock
        self._mirror: Mirror | None = None
        self._progress: float | None = None
        self._lags = {one: FleetLag(clock) for one in self._namespaces or ("",)}

    @property
    def silent_seconds(self) -> float:
        """For how long one of the watches has brought nothing, beyond what is usual.

        A renewed Lease should come in every two seconds.
        """
        renewals = self._clock() - self._progress if self._progress is not None else 0.0
        lag = max(one.silent_seconds for one in self._lags.values())
        longest = max((one.silent_seconds for one in self._sights), default=0.0)
        return max(renewals, lag, longest - BETWEEN_WORDS_SECONDS)

    @property
    def unseen(self) -> Mapping[str, bool]:
        """By namespace, "" for all, whether its fleets are not looked after: not all is seen."""
        return {one.namespace: one.lost.is_set() for one in self._sights}

    async def run(
        self, listener: Listener, stop: asyncio.Event, started: Callable[[], None]
    ) -> None:
        """Watch for `listener` until `stop` is set; `started` is called when Kopf has begun."""
        self._mirror = Mirror(
            self._client,
            self._namespaces,
            changed=listener.wake,
            all_changed=listener.wake_all,
            clock=self._clock,
        )
        kopf_watch = KopfWatch(self._kubeconfig, self._context, self._lease[1], started)
        self._progress = self._clock()
        async with asyncio.TaskGroup() as group:
            renewals = again("the Lease", lambda: kopf_watch.run(self._renewals(), self._lease[0]))
            tasks: list[asyncio.Task[None]] = [
                group.create_task(self._mirror.run(), name="mirror"),
                group.create_task(renewals, name="renewals"),
                *(group.create_task(one.run()) for one in self._comparison(self._mirror)),
            ]
            for sight in self._mirror.sights.values():
                lag = self._lags[sight.namespace]
                watch = NamespaceWatch(self._client, kopf_watch, sight, lag, listener)
                tasks.append(group.create_task(watch.run()))
            await stop.wait()
            for task in tasks:
                task.cancel()

    def snapshot(self, fleet: FleetId) -> Snapshot:
        """Return all records of one fleet as they are now."""
        return self._mirror.snapshot(fleet) if self._mirror is not None else Snapshot()

    @property
    def _sights(self) -> Collection[Sight]:
        return self._mirror.sights.values() if self._mirror is not None else ()

    def _comparison(self, mirror: Mirror) -> list[Following]:
        """Return the watches of fleets by which Kopf's are judged."""
        listing = asyncio.Semaphore(1)
        found = []
        for namespace, lag in self._lags.items():
            sight = mirror.sights[namespace]
            following = Following(
                self._client,
                STATUS_FLEET,
                namespace,
                lag,
                label="",
                metadata_only=True,
                listing=listing,
                clock=self._clock,
                turned=sight.turn,
            )
            sight.add(following)
            found.append(following)
        return found

    def _renewals(self) -> kopf.OperatorRegistry:
        registry = kopf.OperatorRegistry()

        @kopf.on.event(LEASE.api_version, LEASE.plural, registry=registry)
        async def renewed(**_: object) -> None:
            self._progress = self._clock()

        return registry
