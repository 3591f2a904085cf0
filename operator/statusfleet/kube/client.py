"""A thin client of the Kubernetes API: plain dictionaries in and out, typed errors.

Stands on the transport of the official client (`kubernetes.aio`), and leaves its thousand typed
models alone. Does not watch, does not cache, does not retry: those who decide when to try again
are above. At most `parallel` requests are under way at a time, further ones wait their turn.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Mapping
from types import TracebackType
from typing import Any, Final, Literal, Self
from urllib.parse import quote

import aiohttp
from kubernetes.aio.client.api_client import ApiClient

from statusfleet.kube.answers import error_of
from statusfleet.kube.connection import Connection, load_connection
from statusfleet.kube.errors import ConflictError, NotFoundError, NotLeaderError, TransientError
from statusfleet.kube.kinds import POD, Body, JsonDict, Kind, kind_of

FIELD_MANAGER: Final = "statusfleet"
"""Our name in the managed fields of every object."""
_PAGE: Final = 500
_METADATA_ONLY: Final = "application/json;as=PartialObjectMetadata{};g=meta.k8s.io;v=v1"
_APPLY: Final = "application/apply-patch+yaml"
_MERGE: Final = "application/merge-patch+json"

Propagation = Literal["Background", "Foreground", "Orphan"]


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
        connection.configuration.connection_pool_maxsize = parallel
        self.connection = connection
        self._api: Any = ApiClient(connection.configuration)  # annotated in parts only
        self._api.user_agent = user_agent
        self._timeout = aiohttp.ClientTimeout(total=timeout_seconds)
        self._slots = asyncio.Semaphore(parallel)
        self._may_write = may_write

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
        await self._api.close()

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
        return await self._call("GET", kind, namespace, name)

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
        query = {
            "labelSelector": labels if isinstance(labels, str) else _selector(labels),
            "fieldSelector": fields,
            "limit": str(page),
        }
        accept = _METADATA_ONLY.format("List") if metadata_only else ""
        while True:
            try:
                answer = await self._call("GET", kind, namespace, query=query, accept=accept)
            except ConflictError as error:
                raise TransientError(error.what, error.message, status=error.status) from error
            for item in answer.get("items") or ():
                # Within a list the server leaves these out.
                yield {"apiVersion": kind.api_version, "kind": kind.kind} | item
            token = (answer.get("metadata") or {}).get("continue")
            if not token:
                return
            query["continue"] = token

    async def apply(self, body: Body, *, force: bool = False, dry_run: bool = False) -> JsonDict:
        """Have the server merge `body` into the object, or make it (server-side apply).

        Fields that an earlier `apply` set and `body` lacks go away. What others set is left alone:
        to set it as well is a conflict, unless `force` takes it over.

        Raises:
            FieldConflictError: somebody else holds fields; it names them with their holders.
            ConflictError: `metadata.uid` or `resourceVersion` are given and are others.
        """
        return await self._apply(body, "", force=force, dry_run=dry_run)

    async def patch_status(
        self, kind: Kind, namespace: str, name: str, status: Body, *, resource_version: str = ""
    ) -> JsonDict:
        """Set the whole status: what an earlier call set and `status` lacks goes away.

        Raises:
            NotFoundError: there is no such object.
            ConflictError: `resource_version` is given, and the object has changed since.
        """
        body = {
            "apiVersion": kind.api_version,
            "kind": kind.kind,
            "metadata": _metadata(namespace, name, resource_version=resource_version),
            "status": status,
        }
        # Nobody else has a say in our status, so whoever set a field of it loses it.
        return await self._apply(body, "status", force=True)

    async def create(self, body: Body) -> JsonDict:
        """Make an object; raises AlreadyExistsError."""
        kind, namespace, _ = _identity(body)
        return await self._call(
            "POST", kind, namespace, body=body, query={"fieldManager": FIELD_MANAGER}
        )

    async def replace(self, body: Body, *, subresource: str = "") -> JsonDict:
        """Put `body` in the place of the object that has its `metadata.resourceVersion`.

        Raises:
            NotFoundError: there is no such object.
            ConflictError: it has changed since it was read.
            ValueError: `body` names no resourceVersion, and so would overwrite anything.
        """
        kind, namespace, name = _identity(body)
        if not body["metadata"].get("resourceVersion"):
            raise ValueError(f"{kind} {name} would be replaced whatever it is")
        query = {"fieldManager": FIELD_MANAGER}
        return await self._call("PUT", kind, namespace, name, subresource, body=body, query=query)

    async def patch(
        self, kind: Kind, namespace: str, name: str, patch: Body, *, subresource: str = ""
    ) -> JsonDict:
        """Merge `patch` into an object; None removes a field, a list replaces the whole list.

        A `metadata.resourceVersion` or `uid` in the patch must be the object's.

        Raises:
            NotFoundError: there is no such object.
            ConflictError: it is another than the patch supposes.
        """
        return await self._call(
            "PATCH",
            kind,
            namespace,
            name,
            subresource,
            body=patch,
            query={"fieldManager": FIELD_MANAGER},
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
        try:
            await self._call("DELETE", kind, namespace, name, body=options)
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
    ) -> AsyncIterator[str]:
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
        what = f"logs of {namespace}/{pod}"
        # Followed for as long as the caller likes; only silence at the start is a fault.
        timeout = aiohttp.ClientTimeout(total=None, sock_connect=self._timeout.total)
        path = POD.path(namespace, pod, "log")
        response = await self._send(what, "GET", path, query=query, timeout=timeout)
        try:
            if response.status != 200:
                raise error_of(what, response.status, await response.read(), None)
            async for line in response.content:
                yield line.decode(errors="replace").rstrip("\r\n")
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise TransientError(what, _told(error)) from error
        finally:
            response.close()

    async def server_version(self) -> str:
        """Return the server's version, such as v1.34.4."""
        answer = await self._exchange("ask for the version", "GET", "/version")
        return str(answer.get("gitVersion", ""))

    async def _apply(
        self, body: Body, subresource: str, *, force: bool, dry_run: bool = False
    ) -> JsonDict:
        kind, namespace, name = _identity(body)
        query = {
            "fieldManager": FIELD_MANAGER,
            "force": "true" if force else "",
            "dryRun": "All" if dry_run else "",
        }
        return await self._call(
            "PATCH",
            kind,
            namespace,
            name,
            subresource,
            body=body,
            query=query,
            content_type=_APPLY,
        )

    async def _call(
        self,
        method: str,
        kind: Kind,
        namespace: str,
        name: str = "",
        subresource: str = "",
        *,
        body: Body | None = None,
        query: Mapping[str, str] | None = None,
        content_type: str = "application/json",
        accept: str = "",
    ) -> JsonDict:
        verb = "apply" if content_type == _APPLY else method.lower()
        what = f"{verb} {kind} {'/'.join(part for part in (namespace, name, subresource) if part)}"
        path = kind.path(namespace, name, subresource)
        return await self._exchange(
            what.rstrip(),
            method,
            path,
            body=body,
            query=query,
            content_type=content_type,
            accept=accept,
        )

    async def _exchange(
        self,
        what: str,
        method: str,
        path: str,
        *,
        body: Body | None = None,
        query: Mapping[str, str] | None = None,
        content_type: str = "application/json",
        accept: str = "",
    ) -> JsonDict:
        async with self._slots:
            if method != "GET" and not self._may_write():
                raise NotLeaderError(f"{what}: this process leads no more")
            response = await self._send(
                what,
                method,
                path,
                body=body,
                query=query,
                content_type=content_type,
                accept=accept,
                timeout=self._timeout,
            )
            try:
                data = await response.read()
            except (aiohttp.ClientError, TimeoutError, OSError) as error:
                raise TransientError(what, _told(error)) from error
            finally:
                response.release()
        if not 200 <= response.status < 300:
            raise error_of(what, response.status, data, response.headers.get("Retry-After"))
        return _decoded(what, response.status, data)

    async def _send(
        self,
        what: str,
        method: str,
        path: str,
        *,
        timeout: aiohttp.ClientTimeout,
        body: Body | None = None,
        query: Mapping[str, str] | None = None,
        content_type: str = "application/json",
        accept: str = "",
    ) -> aiohttp.ClientResponse:
        headers = {"Accept": accept or "application/json", "Content-Type": content_type}
        pairs = [(key, value) for key, value in (query or {}).items() if value]
        request = await self._api.param_serialize(
            method,
            quote(path),
            query_params=pairs,
            header_params=headers,
            auth_settings=["BearerToken"],
        )
        try:
            answer = await self._api.rest_client.request(
                request[0], request[1], headers=request[2], body=body, _request_timeout=timeout
            )
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise TransientError(what, _told(error)) from error
        response: aiohttp.ClientResponse = answer.response
        return response


def _selector(labels: Mapping[str, str]) -> str:
    return ",".join(f"{key}={value}" for key, value in labels.items())


def _metadata(namespace: str, name: str, *, resource_version: str = "") -> JsonDict:
    wanted = {"namespace": namespace, "name": name, "resourceVersion": resource_version}
    return {key: value for key, value in wanted.items() if value}


def _identity(body: Body) -> tuple[Kind, str, str]:
    metadata = body["metadata"]
    return kind_of(body), metadata.get("namespace", ""), metadata["name"]


def _told(error: Exception) -> str:
    if isinstance(error, TimeoutError):
        return "no answer in time"
    return str(error) or type(error).__name__


def _decoded(what: str, status: int, data: bytes) -> JsonDict:
    try:
        answer: Any = json.loads(data)
    except ValueError as error:
        raise TransientError(what, f"the answer is no JSON: {error}", status=status) from error
    if not isinstance(answer, dict):
        raise TransientError(what, "the answer is no object", status=status)
    return answer
