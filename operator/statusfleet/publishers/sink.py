"""What every place that shows a tree to the world can do, and how it says that it cannot.

A tree is brought to a place in the order that keeps readers whole: `prepare` (all new entries, seen
on every server), `move` (the root, by compare-and-swap), `tidy` (entries whose time is over). Each
may be repeated, and each does nothing where nothing is to be done, so that a publication which was
cut off anywhere is finished by doing it again. A sink remembers nothing that matters: what is there
is asked for, and what is ours is told to it.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from statusfleet.tree.publication import Publication, Step, publication_steps
from statusfleet.tree.zone import Zone, ZoneSettings
from statusnode.records.enr import Record
from statusnode.records.tree import Link, Root, TreeError

Progress = Literal["Pending", "Publishing", "Published", "Failed"]


class SinkError(Exception):
    """A sink that does not take a tree; the message says why, and what helps."""


class LaggingError(SinkError):
    """The sink took what it was given, and not every server shows it yet: ask again soon."""


class RootMovedError(SinkError):
    """The root is not the one that was there: somebody else writes at the same name."""


class ForeignTreeError(SinkError):
    """A tree of another key stands at the name: it is neither overwritten nor taken away."""

    def __init__(self, domain: str) -> None:
        super().__init__(
            f"a tree of another key is published at {domain}, and is not overwritten: choose "
            "another domain, or take that tree away"
        )


class TwinTreeError(ForeignTreeError):
    """A tree of other nodes, signed with the same key, stands at the name: somebody else's too."""

    def __init__(self, domain: str, fleets: Sequence[str]) -> None:
        """Take the domain, and the fleets that are known to publish there, by name."""
        named = f" ({', '.join(fleets)})" if fleets else ""
        SinkError.__init__(
            self,
            f"another fleet{named} publishes at {domain} with the same key, and its tree is not "
            "overwritten: give one of the two another domain or another signing key, or take that "
            "tree away",
        )


def check_ours(root: str, link: Link) -> None:
    """Raise ForeignTreeError where the text of a root is signed by another key than the link's.

    Raises:
        SinkError: it is no root.
    """
    try:
        ours = Root.parse(root).is_signed_by(link.public_key)
    except TreeError as error:
        raise SinkError(f"what stands at {link.domain} is no root: {error}") from error
    if not ours:
        raise ForeignTreeError(link.domain)


@dataclass(frozen=True, slots=True)
class SeenTree:
    """What a reader found: the number of the root, the records, and what was missing or wrong.

    `server` says which server was read, where a sink has several; `root` is the text of its root,
    where that may be another than the sink holds.
    """

    seq: int
    nodes: tuple[Record, ...]
    complaints: tuple[str, ...]
    server: str = ""
    root: str = ""


@dataclass(frozen=True, slots=True)
class Target:
    """What a sink should serve: a tree, and what is left of earlier ones in their time.

    `owned` are the full names that were ever written for this tree and may still be there: nothing
    else is ever removed.
    """

    publication: Publication
    settings: ZoneSettings
    owned: frozenset[str]

    @property
    def zone(self) -> Zone:
        """The target as a whole zone."""
        return Zone.of(self.publication, self.settings)

    @property
    def link(self) -> Link:
        """Where readers find the tree, and the key that they check it with."""
        return self.publication.tree.link

    @property
    def root(self) -> str:
        """The text of the root."""
        return str(self.publication.tree.root)

    def steps(self, served: Mapping[str, str]) -> tuple[Step, ...]:
        """Return what turns `served` into the target; what is not ours is not touched."""
        known = {name.lower() for name in self.owned | self.publication.records().keys()}
        ours = {name: text for name, text in served.items() if name.lower() in known}
        return publication_steps(ours, self.publication)


class Sink(Protocol):
    """A place where a tree is published. Every call is bounded in time and raises SinkError."""

    @property
    def name(self) -> str:
        """The sink's name in the fleet's status."""
        ...

    def touched(self) -> bool:
        """Tell, without asking anybody, whether another is known to have changed what we wrote."""
        ...

    async def root(self, domain: str) -> str | None:
        """Return the text of the root that stands at `domain` now, whoever wrote it."""
        ...

    async def entries(self, domain: str, labels: Collection[str]) -> Collection[str]:
        """Return texts that stand below `domain`, those of these labels among them, if any do.

        Whoever gives them, each proves itself by its label.
        """
        ...

    async def prepare(self, target: Target) -> None:
        """Serve every entry of `target` beside what is served; see it on every server.

        Raises:
            LaggingError: some server does not show all of it yet.
        """
        ...

    async def move(self, target: Target, old: str | None) -> None:
        """Put the root of `target` in the place of `old` (None: of none).

        Raises:
            RootMovedError: another root stands there.
        """
        ...

    async def tidy(self, target: Target) -> None:
        """Stop serving what is owned and not wanted any more."""
        ...

    async def read_back(self, url: str) -> tuple[SeenTree, ...]:
        """Read the tree at `url` as a stranger would, whole, from each server, and verify it.

        Raises:
            TreeError: it cannot be read.
        """
        ...

    async def withdraw(self, target: Target) -> None:
        """Stop serving the tree: the root first, whatever its number, then all that is owned.

        Raises:
            ForeignTreeError: another's tree stands there.
        """
        ...

    async def close(self) -> None:
        """Let go of what is held in this process; what is published stays."""
        ...


class ZoneServer(Protocol):
    """A server within this process that takes a zone as a whole."""

    async def serve(self, zone: Zone) -> None:
        """Serve `zone` in the place of what was served before; raises SinkError."""
        ...

    async def read_back(self, url: str) -> SeenTree:
        """Read the tree at `url` through DNS, whole, and verify it; raises TreeError."""
        ...

    async def close(self) -> None:
        """Stop serving."""
        ...


class WholeZone:
    """The sink of a `ZoneServer`: entries and root change in one step, between two queries."""

    def __init__(self, name: str, server: ZoneServer) -> None:
        self.name = name
        self._server = server
        self._served: Zone | None = None

    def touched(self) -> bool:
        """Nobody else can (`Sink`)."""
        return False

    async def root(self, domain: str) -> str | None:
        """Return the root that this process has served (`Sink`)."""
        return self._served.texts.get(domain) if self._served is not None else None

    async def entries(self, domain: str, labels: Collection[str]) -> Collection[str]:
        """Return what this process has served (`Sink`)."""
        return tuple(self._served.texts.values()) if self._served is not None else ()

    async def prepare(self, target: Target) -> None:
        """Nothing: the entries come with the root (`Sink`)."""

    async def move(self, target: Target, old: str | None) -> None:
        """Serve the new zone (`Sink`)."""
        zone = target.zone
        if zone != self._served:
            await self._server.serve(zone)
            self._served = zone

    async def tidy(self, target: Target) -> None:
        """Nothing: what is over left with the zone that held it (`Sink`)."""

    async def read_back(self, url: str) -> tuple[SeenTree, ...]:
        """Read the tree through the server (`Sink`)."""
        return (await self._server.read_back(url),)

    async def withdraw(self, target: Target) -> None:
        """Stop the server (`Sink`)."""
        await self.close()

    async def close(self) -> None:
        """Stop the server (`Sink`)."""
        await self._server.close()
        self._served = None
