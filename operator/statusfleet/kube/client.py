"""A thin client of the Kubernetes API: plain dictionaries in and out, typed errors.

Does not cache and does not try again: those who decide on that are above. At most `parallel`
requests are under way at a time, further ones wait their turn.
"""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping
from types import TracebackType
from typing import Final, Literal, Self

from statusfleet.kube.connection import Connection, load_connection
from statusfleet.kube.errors import ConflictError, NotFoundError, TransientError
from statusfleet.kube.kinds import POD, Body, JsonDict, Kind
from statusfleet.kube.requests import (
    JSON,
    METADATA,
    METADATA_LIST,
    Request,
    identity,
    metadata,
    named,
    selector,
    words,
)
from statusfleet.kube.transport import Transport

FIELD_MANAGER: Final = "statusfleet"
"""Our name in the managed fields of every object."""
Propagation = Literal["Background", "Foreground", "Orphan"]

_PAGE: Final = 500
_APPLY: Final = "application/apply-patch+yaml"
_MERGE: Final = "application/merge-patch+json"
_ALL: Final = "All"
"""Every stage of a request is gone through but the last, that keeps it (`dryRun`)."""
_WATCH_SECONDS: Final = 290
_WATCH_GRACE_SECONDS: Final = 30.0


def _always() -> bool:
    return True


class KubeClient:
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
        self._transport = Transport(
            connection,
            timeout_seconds=timeout_seconds,
            parallel=parallel,
            may_write=may_write,
            user_agent=user_agent,
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

    async def get(self, kind: Kind, namespace: str, name: str) -> JsonDict:
        """Return an object; raises NotFoundError."""
        what = words("get", kind, namespace, name)
        return await self._send(what, "GET", kind.path(namespace, name))

    async def find(self, kind: Kind, namespace: str, name: str) -> JsonDict | None:
        """Return an object, None where there is none."""
        try:
            return await self.get(kind, namespace, name)
        except NotFoundError:
            return None

    async def list(
        self,
        kind: Kind,
        namespace: str = "",
        *,
        labels: Mapping[str, str] | str = "",
        fields: str = "",
        metadata_only: bool = False,
    ) -> list[JsonDict]:
        """Return all objects of a namespace, or ("") of all, that bear the labels.

        `labels` is a selector, or values that must be equal. `metadata_only` leaves the content
        with the server: no Secret comes here that nobody wants to read.

        Raises:
            NotFoundError: the cluster has no such kind.
        """
        return [
            item
            async for item in self.iterate(
                kind, namespace, labels=labels, fields=fields, metadata_only=metadata_only
            )
        ]

    async def iterate(
        self,
        kind: Kind,
        namespace: str = "",
        *,
        labels: Mapping[str, str] | str = "",
        fields: str = "",
        metadata_only: bool = False,
        page: int = _PAGE,
    ) -> AsyncIterator[JsonDict]:
        """Give the objects of `list` page by page; raises as `list`.

        All pages are of one moment. Where that moment is forgotten before the last page (minutes),
        raises TransientError.
        """
        async for answer in self.pages(
            kind, namespace, labels=labels, fields=fields, metadata_only=metadata_only, page=page
        ):
            for item in answer.get("items") or ():
                yield item | named(kind)

    async def pages(
        self,
        kind: Kind,
        namespace: str = "",
        *,
        labels: Mapping[str, str] | str = "",
        fields: str = "",
        metadata_only: bool = False,
        page: int = _PAGE,
    ) -> AsyncGenerator[JsonDict]:
        """Give the answers to `iterate`, each with the moment that all of them are of."""
        query = {
            "labelSelector": selector(labels),
            "fieldSelector": fields,
            "limit": str(page),
        }
        accept = METADATA_LIST if metadata_only else JSON
        what = words("list", kind, namespace)
        while True:
            try:
                answer = await self._send(
                    what, "GET", kind.path(namespace), query=query, accept=accept
                )
            except ConflictError as error:
                raise TransientError(error.what, error.message, status=error.status) from error
            yield answer
            token = (answer.get("metadata") or {}).get("continue")
            if not token:
                return
            query["continue"] = token

    async def apply(
        self,
        body: Body,
        *,
        force: bool = False,
        dry_run: bool = False,
        field_manager: str = FIELD_MANAGER,
    ) -> JsonDict:
        """Have the server merge `body` into the object, or make it (server-side apply).

        Fields that an earlier `apply` by `field_manager` set and `body` lacks go away. What others
        set is left alone: to set it as well is a conflict, unless `force` takes it over. With
        `dry_run` the answer is what would be, and nothing is kept.

        Raises:
            FieldConflictError: somebody else holds fields; it names them with their holders.
            ConflictError: `metadata.uid` or `resourceVersion` are given and are others.
        """
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

    async def logs(
        self,
        namespace: str,
        pod: str,
        *,
        container: str = "",
        tail_lines: int | None = None,
        since_seconds: int | None = None,
        previous: bool = False,
        follow: bool = False,
    ) -> AsyncGenerator[str]:
        """Give the lines of a pod's log; with `follow` until the container ends.

        Raises:
            NotFoundError: there is no such pod.
            InvalidError: its container has not started.
        """
        query = {
            "container": container,
            "tailLines": "" if tail_lines is None else str(tail_lines),
            "sinceSeconds": "" if since_seconds is None else str(since_seconds),
            "previous": "true" if previous else "",
            "follow": "true" if follow else "",
        }
        what, path = f"read the log of {namespace}/{pod}", POD.path(namespace, pod, "log")
        request = Request(what, "GET", path, query, accept="*/*")
        async for line in self._transport.lines(request, total_seconds=None):
            yield line.decode(errors="replace").rstrip("\r\n")

    async def follow(
        self, kind: Kind, namespace: str, name: str
    ) -> AsyncGenerator[JsonDict | None]:
        """Give one object as it is now and after each change; None while there is none.

        A state may come twice, and states that follow each other closely may come as one. Goes on
        until the caller stops, or the server does not answer: TransientError.
        """
        fields = f"metadata.name={name}"
        while True:
            what = words("list", kind, namespace, name)
            query = {"fieldSelector": fields}
            answer = await self._send(what, "GET", kind.path(namespace), query=query)
            items = answer.get("items") or []
            yield items[0] | named(kind) if items else None
            since = str(answer["metadata"]["resourceVersion"])
            async for event in self.events(kind, namespace, since=since, fields=fields):
                if event["type"] == "ERROR":
                    break  # The server has forgotten that moment: begin anew.
                yield None if event["type"] == "DELETED" else event["object"]

    async def events(
        self,
        kind: Kind,
        namespace: str = "",
        *,
        since: str,
        labels: Mapping[str, str] | str = "",
        fields: str = "",
        metadata_only: bool = False,
        silence_seconds: float | None = None,
    ) -> AsyncGenerator[JsonDict]:
        """Give what happens to objects after the moment `since`, as the server tells it.

        Ends when the server ends it, after minutes; raises TransientError where it goes away, or
        says nothing for `silence_seconds`. With these it says about once a minute how far it has
        looked (BOOKMARK).
        """
        query = {
            "watch": "true",
            "resourceVersion": since,
            "timeoutSeconds": str(_WATCH_SECONDS),
            "labelSelector": selector(labels),
            "fieldSelector": fields,
            "allowWatchBookmarks": "" if silence_seconds is None else "true",
        }
        what, accept = words("watch", kind, namespace), METADATA if metadata_only else JSON
        request = Request(what, "GET", kind.path(namespace), query, accept=accept)
        # Beyond what the server was told to take, the connection must be dead.
        total = _WATCH_SECONDS + _WATCH_GRACE_SECONDS
        async for line in self._transport.lines(
            request, total_seconds=total, silence_seconds=silence_seconds
        ):
            if not line.endswith(b"\n"):
                return  # Cut off: the server has gone away.
            event: JsonDict = json.loads(line)
            yield event

    async def server_version(self) -> str:
        """Return the server's version, such as v1.34.4."""
        answer = await self._send("ask for the version", "GET", "/version")
        return str(answer.get("gitVersion", ""))

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

    async def _send(
        self,
        what: str,
        method: str,
        path: str,
        *,
        body: Body | None = None,
        query: Mapping[str, str] | None = None,
        content_type: str = JSON,
        accept: str = JSON,
    ) -> JsonDict:
        request = Request(what, method, path, query or {}, body, content_type, accept)
        return await self._transport.exchange(request)
