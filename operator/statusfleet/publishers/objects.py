"""What sinks need of a cluster: a few calls of the client, and its errors in a sink's words."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Protocol

from statusfleet.kube.errors import AlreadyExistsError, ConflictError, KubeError
from statusfleet.kube.kinds import Body, JsonDict, Kind
from statusfleet.kube.names import FLEET_LABEL, fleet_labels
from statusfleet.publishers.sink import RootMovedError, SinkError
from statusfleet.store.identities import Watched


class Objects(Protocol):
    """The part of `KubeClient` that sinks use; raises KubeError as the client does."""

    async def find(self, kind: Kind, namespace: str, name: str) -> JsonDict | None:
        """Return an object, None where there is none."""
        ...

    async def list(
        self, kind: Kind, namespace: str = "", *, labels: Mapping[str, str] | str = ""
    ) -> list[JsonDict]:
        """Return the objects that bear the labels."""
        ...

    async def create(self, body: Body) -> JsonDict:
        """Make an object that is not there."""
        ...

    async def replace(self, body: Body) -> JsonDict:
        """Replace an object that still has the resourceVersion of `body`."""
        ...

    async def delete(
        self, kind: Kind, namespace: str, name: str, *, uid: str = "", resource_version: str = ""
    ) -> bool:
        """Delete an object."""
        ...


def _unwatched(kind: Kind, name: str) -> str | None:
    return None


@dataclass(frozen=True, slots=True)
class Owner:
    """The fleet for which objects are made, in the namespace where they stand.

    `watched` gives the resourceVersion of an object of the fleet as a watch shows it, None where it
    shows none.
    """

    namespace: str
    fleet: str
    watched: Watched = field(default=_unwatched, compare=False)


@contextmanager
def told(what: str) -> Iterator[None]:
    """Say what the cluster refuses as a SinkError; a lost race as a RootMovedError."""
    try:
        yield
    except (ConflictError, AlreadyExistsError) as error:
        raise RootMovedError(f"another writer has changed {what}") from error
    except KubeError as error:
        raise SinkError(f"{what}: {error}") from error


class OwnObject:
    """An object of one fleet that is written by compare-and-swap, and never taken from others."""

    def __init__(self, objects: Objects, owner: Owner, kind: Kind, name: str, part: str) -> None:
        self.what = f"{kind} {owner.namespace}/{name}"
        self._objects = objects
        self._owner = owner
        self._kind = kind
        self._name = name
        self._part = part
        self._version = 0
        self._shown = False

    def touched(self) -> bool:
        """Tell whether the watch shows the object otherwise than it was last read or written.

        A watch is behind our own writes for a moment: an object that it has not shown yet, or shows
        in an older version, was not touched.
        """
        seen = self._owner.watched(self._kind, self._name)
        if seen is None:
            return self._shown
        self._shown = True
        return int(seen) > self._version

    async def read(self) -> JsonDict | None:
        """Return the object, None where there is none.

        Raises:
            SinkError: it is somebody else's, or the cluster does not answer.
        """
        with told(self.what):
            found = await self._objects.find(self._kind, self._owner.namespace, self._name)
        labels = found["metadata"].get("labels") or {} if found is not None else {}
        if found is not None and labels.get(FLEET_LABEL) != self._owner.fleet:
            raise SinkError(
                f"{self.what} is there already and not of this fleet: choose another name, "
                f"or give it the label {FLEET_LABEL}={self._owner.fleet}"
            )
        self.know(found)
        return found

    async def write(self, found: JsonDict | None, content: Body) -> None:
        """Give the object this content, if it still is as `found`; nothing where it has it.

        Raises:
            RootMovedError: another writer was quicker.
            SinkError: the cluster refuses it.
        """
        if found is not None and all(found.get(key) == value for key, value in content.items()):
            return
        labels = fleet_labels(self._owner.fleet, part=self._part)
        metadata = {"name": self._name, "namespace": self._owner.namespace, "labels": labels}
        head = {"apiVersion": self._kind.api_version, "kind": self._kind.kind}
        with told(self.what):
            if found is None:
                kept = await self._objects.create({**head, "metadata": metadata, **content})
            else:
                kept = await self._objects.replace({**found, **head, **content})
        self.know(kept)

    async def delete(self, found: JsonDict) -> None:
        """Delete the object, if it still is as `found`; raises as `write`."""
        metadata = found["metadata"]
        with told(self.what):
            await self._objects.delete(
                self._kind,
                self._owner.namespace,
                self._name,
                uid=metadata["uid"],
                resource_version=metadata["resourceVersion"],
            )
        self.know(None)

    def know(self, found: JsonDict | None) -> None:
        """Take the object as it was read among others, None where there is none."""
        self._version = int(found["metadata"]["resourceVersion"]) if found is not None else 0
        self._shown = self._shown and found is not None
