"""A pretended cluster of a few objects, with the compare-and-swap of the real one."""

from __future__ import annotations

import asyncio
import copy
import itertools
from collections.abc import AsyncIterator, Mapping
from typing import Any

from statusfleet.kube.errors import AlreadyExistsError, ConflictError, NotFoundError
from statusfleet.kube.kinds import Kind, kind_of

Key = tuple[str, str, str]


class FakeObjects:
    """Objects in a dictionary; `writes` counts what has changed any of them."""

    def __init__(self) -> None:
        self.objects: dict[Key, dict[str, Any]] = {}
        self.missing_kinds: set[str] = set()
        self.writes = 0
        self._versions = itertools.count(1)
        self._changed = asyncio.Event()

    async def find(self, kind: Kind, namespace: str, name: str) -> dict[str, Any] | None:
        return copy.deepcopy(self.objects.get((kind.kind, namespace, name)))

    async def list(
        self, kind: Kind, namespace: str = "", *, labels: Mapping[str, str] | str = ""
    ) -> list[dict[str, Any]]:
        if kind.kind in self.missing_kinds:
            raise NotFoundError(f"list {kind}", "the server could not find the requested resource")
        assert not isinstance(labels, str)
        return [
            copy.deepcopy(body)
            for (name, where, _), body in self.objects.items()
            if (name, where) == (kind.kind, namespace)
            and labels.items() <= body["metadata"].get("labels", {}).items()
        ]

    async def create(self, body: Mapping[str, Any]) -> dict[str, Any]:
        if self._key(body) in self.objects:
            raise AlreadyExistsError("create", "it is there")
        return self._store(body)

    async def replace(self, body: Mapping[str, Any]) -> dict[str, Any]:
        present = self.objects[self._key(body)]["metadata"]["resourceVersion"]
        if body["metadata"]["resourceVersion"] != present:
            raise ConflictError("replace", "the object has been modified")
        return self._store(body)

    async def delete(
        self, kind: Kind, namespace: str, name: str, *, uid: str = "", resource_version: str = ""
    ) -> bool:
        metadata = self.objects[kind.kind, namespace, name]["metadata"]
        if (uid, resource_version) != (metadata["uid"], metadata["resourceVersion"]):
            raise ConflictError("delete", "the object has been modified")
        del self.objects[kind.kind, namespace, name]
        self._tell()
        return True

    async def follow(
        self, kind: Kind, namespace: str, name: str
    ) -> AsyncIterator[dict[str, Any] | None]:
        while True:
            changed = self._changed
            yield await self.find(kind, namespace, name)
            await changed.wait()

    def put(self, body: Mapping[str, Any]) -> None:
        """Have an object there, whatever was."""
        self._store(body)

    def _store(self, body: Mapping[str, Any]) -> dict[str, Any]:
        kept = copy.deepcopy(dict(body))
        number = str(next(self._versions))
        kept["metadata"] = {"uid": number, **kept["metadata"], "resourceVersion": number}
        self.objects[self._key(body)] = kept
        self._tell()
        return copy.deepcopy(kept)

    def _tell(self) -> None:
        self.writes += 1
        self._changed.set()
        self._changed = asyncio.Event()

    @staticmethod
    def _key(body: Mapping[str, Any]) -> Key:
        metadata = body["metadata"]
        return kind_of(body).kind, metadata["namespace"], metadata["name"]
