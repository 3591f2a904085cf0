"""A thin client of the Kubernetes API: plain dictionaries in and out, typed errors.

Does not cache and does not try again: those who decide on that are above. At most `parallel`
requests are under way at a time, further ones wait their turn.
"""

from __future__ import annotations

from collections.abc import Callable
from types import TracebackType
from typing import Final, Literal, Self

from statusfleet.kube.connection import Connection, load_connection
from statusfleet.kube.errors import NotFoundError
from statusfleet.kube.kinds import Body, JsonDict, Kind
from statusfleet.kube.reading import KubeReader
from statusfleet.kube.requests import identity, metadata, named, words
from statusfleet.kube.transport import Transport

FIELD_MANAGER: Final = "statusfleet"
"""Our name in the managed fields of every object."""
ABSENT: Final = "1"
"""Given as an object's resourceVersion: it must not be there yet. No object has this version, since
the first that a server gives is a later one, and what is not there is made whatever is given."""
Propagation = Literal["Background", "Foreground", "Orphan"]

_APPLY: Final = "application/apply-patch+yaml"
_MERGE: Final = "application/merge-patch+json"
_ALL: Final = "All"
"""Every stage of a request is gone through but the last, that keeps it (`dryRun`)."""


def _always() -> bool:
    return True


class KubeClient(KubeReader):
    """One cluster, as one user: `async with await KubeClient.connect() as client`.

    Every call may raise `ForbiddenError`, `TransientError` (no answer in time counts as such) and
    `InvalidError`; what else is named by the call.
    """

    def __init__(
        self,
        connection: Connection,
        *,
        timeout_seconds: float = 30.0,
        parallel: int = 16,
        may_write: Callable[[], bool] = _always,
        user_agent: str = FIELD_MANAGER,
    ) -> None:
        """Take the cluster; nothing is sent yet.

        `may_write` is asked before each write: a process that leads no more, such as one that was
        stopped and wakes up late, keeps its old intentions to itself.
        """
        self.connection = connection
        super().__init__(
            Transport(
                connection,
                timeout_seconds=timeout_seconds,
                parallel=parallel,
                may_write=may_write,
                user_agent=user_agent,
            )
        )

    @classmethod
    async def connect(
        cls,
        kubeconfig: str = "",
        context: str = "",
        *,
        timeout_seconds: float = 30.0,
        parallel: int = 16,
        may_write: Callable[[], bool] = _always,
    ) -> Self:
        """Find the cluster as kubectl does, or as a pod; raises KubeConfigError."""
        connection = await load_connection(kubeconfig, context)
        return cls(
            connection, timeout_seconds=timeout_seconds, parallel=parallel, may_write=may_write
        )

    @property
    def namespace(self) -> str:
        """The namespace that is meant where none is named."""
        return self.connection.namespace

    async def close(self) -> None:
        """Let all connections go."""
        await self._transport.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.close()

    async def apply(
        self,
        body: Body,
        *,
        force: bool = False,
        dry_run: bool = False,
        field_manager: str = FIELD_MANAGER,
        resource_version: str = "",
    ) -> JsonDict:
        """Have the server merge `body` into the object, or make it (server-side apply).

        Fields that an earlier `apply` by `field_manager` set and `body` lacks go away. What others
        set is left alone: to set it as well is a conflict, unless `force` takes it over. With
        `dry_run` the answer is what would be, and nothing is kept. With `resource_version` an
        object that is there must have that one: with `ABSENT` there must be none.

        Raises:
            FieldConflictError: somebody else holds fields; it names them with their holders. Of an
                object with another resourceVersion as well.
            ConflictError: the object has another resourceVersion, or is there at all.
            InvalidError: besides what the word says, `metadata.uid` is given and is another's.
        """
        if resource_version:
            body = {**body, "metadata": {**body["metadata"], "resourceVersion": resource_version}}
        return await self._apply(body, "", field_manager, force=force, dry_run=dry_run)

    async def patch_status(
        self, kind: Kind, namespace: str, name: str, status: Body, *, resource_version: str = ""
    ) -> JsonDict:
        """Set the whole status: what an earlier call set and `status` lacks goes away.

        Raises:
            NotFoundError: there is no such object.
            ConflictError: `resource_version` is given, and the object has changed since.
        """
        body = named(kind) | {
            "metadata": metadata(namespace, name, resource_version=resource_version),
            "status": status,
        }
        # Nobody else has a say in our status, so whoever set a field of it loses it.
        return await self._apply(body, "status", FIELD_MANAGER, force=True)

    async def create(self, body: Body) -> JsonDict:
        """Make an object; raises AlreadyExistsError."""
        kind, namespace, name = identity(body)
        what = words("create", kind, namespace, name)
        query = {"fieldManager": FIELD_MANAGER}
        return await self._send(what, "POST", kind.path(namespace), body=body, query=query)

    async def replace(self, body: Body, *, subresource: str = "") -> JsonDict:
        """Put `body` in the place of the object that has its `metadata.resourceVersion`.

        Raises:
            NotFoundError: there is no such object.
            ConflictError: it has changed since it was read.
            ValueError: `body` names no resourceVersion, and so would overwrite anything.
        """
        kind, namespace, name = identity(body)
        if not body["metadata"].get("resourceVersion"):
            raise ValueError(f"{kind} {name} would be replaced whatever it is")
        what = words("replace", kind, namespace, name, subresource)
        path = kind.path(namespace, name, subresource)
        query = {"fieldManager": FIELD_MANAGER}
        return await self._send(what, "PUT", path, body=body, query=query)

    async def patch(
        self,
        kind: Kind,
        namespace: str,
        name: str,
        patch: Body,
        *,
        subresource: str = "",
        dry_run: bool = False,
        field_manager: str = FIELD_MANAGER,
    ) -> JsonDict:
        """Merge `patch` into an object; None removes a field, a list replaces the whole list.

        A `metadata.resourceVersion` or `uid` in the patch must be the object's. `field_manager` is
        the name by which what is set is remembered; `dry_run` as with `apply`.

        Raises:
            NotFoundError: there is no such object.
            ConflictError: it is another than the patch supposes.
        """
        return await self._send(
            words("patch", kind, namespace, name, subresource),
            "PATCH",
            kind.path(namespace, name, subresource),
            body=patch,
            query={"fieldManager": field_manager, "dryRun": _ALL if dry_run else ""},
            content_type=_MERGE,
        )

    async def delete(
        self,
        kind: Kind,
        namespace: str,
        name: str,
        *,
        uid: str = "",
        resource_version: str = "",
        propagation: Propagation = "Background",
        grace_seconds: int | None = None,
    ) -> bool:
        """Delete an object; False means that there is none (any more).

        Raises:
            ConflictError: it is another than `uid` and `resource_version` say.
        """
        wanted = {"uid": uid, "resourceVersion": resource_version}
        options: JsonDict = {
            "apiVersion": "v1",
            "kind": "DeleteOptions",
            "propagationPolicy": propagation,
            "preconditions": {key: value for key, value in wanted.items() if value},
        }
        if grace_seconds is not None:
            options["gracePeriodSeconds"] = grace_seconds
        what = words("delete", kind, namespace, name)
        try:
            await self._send(what, "DELETE", kind.path(namespace, name), body=options)
        except NotFoundError:
            return False
        return True

    async def _apply(
        self,
        body: Body,
        subresource: str,
        field_manager: str,
        *,
        force: bool,
        dry_run: bool = False,
    ) -> JsonDict:
        kind, namespace, name = identity(body)
        query = {
            "fieldManager": field_manager,
            "force": "true" if force else "",
            "dryRun": _ALL if dry_run else "",
        }
        return await self._send(
            words("apply", kind, namespace, name, subresource),
            "PATCH",
            kind.path(namespace, name, subresource),
            body=body,
            query=query,
            content_type=_APPLY,
        )
