"""What a DNS server of a fleet does on a cluster: follow what the operator publishes, and serve it.

Entries come from the fleet's memory, the root from the ConfigMap `<fleet>-dns`. The root is looked
at first and the memory after it, and no root is served of which an entry is missing, so no reader
of this server meets half a tree.

A server that cannot see what is published goes on with what it has, and says of no name that it
does not exist: it may have missed one. After half a minute it says that it is not ready, so that
the Service asks another. Not sooner, since an API server that is started anew blinds all of them at
once; and until then the operator, which asks each ready server, waits for it with the root.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Mapping
from contextlib import suppress
from typing import Final, Protocol

from pydantic import ValidationError

from statusfleet.kube.errors import KubeError
from statusfleet.kube.kinds import CONFIG_MAP, JsonDict, Kind
from statusfleet.kube.names import dns_object
from statusfleet.publishers.cluster_dns import ROOT_KEY, SETTINGS, SETTINGS_KEY
from statusfleet.publishers.embedded import EmbeddedDnsServer
from statusfleet.store import State, StoreError
from statusfleet.tree.publication import Publication
from statusfleet.tree.zone import Zone
from statusnode.records.tree import Root, SignedTree, TreeError

_RETRY_SECONDS: Final = 1.0
_LOOK_SECONDS: Final = 10.0
_TRUST_SECONDS: Final = 30.0
_log = logging.getLogger(__name__)


class Follows(Protocol):
    """The part of `KubeClient` that gives an object and its changes."""

    def follow(self, kind: Kind, namespace: str, name: str) -> AsyncIterator[JsonDict | None]:
        """Give an object now and after each change; raises KubeError."""
        ...


class Memory(Protocol):
    """The part of a store that gives the tree."""

    async def read(self) -> State:
        """Return the state; raises StoreError and KubeError."""
        ...


class NotInSyncError(Exception):
    """What is published cannot be served (yet); the message says why."""


class NothingPublishedError(NotInSyncError):
    """There is no tree, or none any more."""


class DnsFollower:
    """Keeps one embedded server at what is published, for as long as `run` runs."""

    def __init__(
        self,
        client: Follows,
        memory: Memory,
        server: EmbeddedDnsServer,
        namespace: str,
        fleet: str,
        *,
        trust_seconds: float = _TRUST_SECONDS,
    ) -> None:
        """Take what to follow, and how long a server that sees nothing counts as ready."""
        self._client = client
        self._memory = memory
        self._server = server
        self._namespace = namespace
        self._name = dns_object(fleet)
        self._trust_seconds = trust_seconds
        self._published: JsonDict | None = None
        self._connected = False
        self._changed = asyncio.Event()
        self._problem = "nothing was looked at yet"
        self._told_number: int | None = None
        self._trusted_until = 0.0
        self._served: tuple[JsonDict, Publication, Zone] | None = None

    @property
    def problem(self) -> str:
        """Why this server should not be asked; "" when it may be."""
        problem = self._problem if self._connected else "the cluster does not answer"
        return problem if self._now() >= self._trusted_until else ""

    async def run(self) -> None:
        """Follow until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._follow())
            group.create_task(self._serve())

    async def _follow(self) -> None:
        while True:
            try:
                async for published in self._client.follow(CONFIG_MAP, self._namespace, self._name):
                    self._published, self._connected = published, True
                    self._changed.set()
            except KubeError as error:
                _log.warning("what is published cannot be followed: %s", error)
            self._connected = False
            self._server.doubt()
            await asyncio.sleep(_RETRY_SECONDS)

    async def _serve(self) -> None:
        await self._changed.wait()
        while True:
            self._changed.clear()
            try:
                await self._look()
            except (KubeError, StoreError, NotInSyncError) as error:
                self._server.doubt()
                self._tell(error)
                wait = _RETRY_SECONDS
            else:
                wait = _LOOK_SECONDS
            with suppress(TimeoutError):
                async with asyncio.timeout(wait):
                    await self._changed.wait()

    async def _look(self) -> None:
        published = self._published
        # After the root: the memory is always written before the root that needs it.
        publication = (await self._memory.read()).tree.publication
        if published is None or publication is None:
            raise NothingPublishedError("nothing is published")
        # Thousands of entries are checked where they hold up no query, and once.
        known = self._served
        if known is None or known[0] is not published or known[1] is not publication:
            before = known[2].texts if known is not None else {}
            data = published.get("data") or {}
            zone = await asyncio.to_thread(_zone, data, publication, before)
            known = self._served = (published, publication, zone)
        self._server.publish(known[2])
        if self._connected:
            self._tell_number(known[2].serial)
            self._problem, self._trusted_until = "", self._now() + self._trust_seconds
        else:
            self._server.doubt()

    def _tell(self, error: Exception) -> None:
        if str(error) != self._problem:
            _log.warning("not in sync: %s", error)
        self._problem = str(error)
        if isinstance(error, NothingPublishedError):
            self._trusted_until = 0.0

    def _tell_number(self, number: int) -> None:
        """Log that all is well where something was wrong before, and each tree."""
        if self._problem or number != self._told_number:
            told = f"serving number {number}" if number else "no root is published yet"
            _log.info("in sync: %s", told)
        self._told_number = number

    def _now(self) -> float:
        return asyncio.get_running_loop().time()


def _zone(data: dict[str, str], publication: Publication, before: Mapping[str, str]) -> Zone:
    """Return what to serve: every entry that is remembered, and the root that is published.

    Where none is, as while an object is written anew that somebody deleted, the root of `before`
    stays, if all its entries are there: readers must not find a tree gone that is only mended.

    Raises:
        NotInSyncError: an entry of the root is missing, or these are two different trees.
    """
    try:
        settings = SETTINGS.validate_json(data.get(SETTINGS_KEY, ""))
        entries = publication.records()
        if settings.domain != publication.tree.domain:
            raise NotInSyncError(f"the memory holds a tree of {publication.tree.domain}")
        del entries[settings.domain]
        url, root = data.get("url", ""), data.get(ROOT_KEY, "")
        if not root:
            root = before.get(settings.domain, "")
            root = root if _is_whole(url, entries, settings.domain, root) else ""
        if not root:
            return Zone(settings, 0, entries)
        texts = {**entries, settings.domain: root}
        SignedTree.parse(url, texts)
        return Zone(settings, Root.parse(root).seq % (1 << 32), texts)
    except (TreeError, ValidationError) as error:
        raise NotInSyncError(f"what is published cannot be served: {error}") from error


def _is_whole(url: str, entries: Mapping[str, str], domain: str, root: str) -> bool:
    try:
        SignedTree.parse(url, {**entries, domain: root})
    except TreeError:
        return False
    return True
