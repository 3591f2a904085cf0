"""The half of the client that reads: objects, lists, what happens to them, logs."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping
from typing import Final, TypedDict, Unpack

from statusfleet.kube.errors import ConflictError, NotFoundError, TransientError
from statusfleet.kube.kinds import POD, Body, JsonDict, Kind
from statusfleet.kube.requests import (
    JSON,
    METADATA,
    METADATA_LIST,
    Request,
    named,
    selector,
    words,
)
from statusfleet.kube.transport import Transport

_PAGE: Final = 500
_WATCH_SECONDS: Final = 290
_WATCH_GRACE_SECONDS: Final = 30.0
SILENCE_SECONDS: Final = 100.0
"""For how long a watch with bookmarks may say nothing before its connection counts as dead: more
than the server takes for a word (a minute), and not so much that another comes too late."""


class Which(TypedDict, total=False):
    """Which objects of a kind are meant, and what of them; without any of it all, whole.

    `labels` is a selector, or values that must be equal; `fields` a selector. `metadata_only`
    leaves the content with the server: no Secret comes here that nobody wants to read.
    """

    labels: Mapping[str, str] | str
    fields: str
    metadata_only: bool


class KubeReader:
    """What `KubeClient` can do without changing anything; its errors are those of the client."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

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

    async def list(self, kind: Kind, namespace: str = "", **which: Unpack[Which]) -> list[JsonDict]:
        """Return all objects of a namespace, or ("") of all, that are meant.

        Raises:
            NotFoundError: the cluster has no such kind.
        """
        return [item async for item in self.iterate(kind, namespace, **which)]

    async def iterate(
        self, kind: Kind, namespace: str = "", *, page: int = _PAGE, **which: Unpack[Which]
    ) -> AsyncIterator[JsonDict]:
        """Give the objects of `list` page by page; raises as `list`.

        All pages are of one moment. Where that moment is forgotten before the last page (minutes),
        raises TransientError.
        """
        async for answer in self.pages(kind, namespace, page=page, **which):
            for item in answer.get("items") or ():
                yield item | named(kind)

    async def pages(
        self, kind: Kind, namespace: str = "", *, page: int = _PAGE, **which: Unpack[Which]
    ) -> AsyncGenerator[JsonDict]:
        """Give the answers to `iterate`, each with the moment that all of them are of."""
        query = {**_selectors(which), "limit": str(page)}
        accept = METADATA_LIST if which.get("metadata_only") else JSON
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

    async def logs(
        self,
        namespace: str,
        pod: str,
        *,
        container: str = "",
        tail_lines: int | None = None,
        limit_bytes: int | None = None,
        since_seconds: int | None = None,
        previous: bool = False,
        follow: bool = False,
    ) -> AsyncGenerator[str]:
        """Give the lines of a pod's log; with `follow` until the container ends.

        With `tail_lines` the last ones only, and of these the first `limit_bytes`.

        Raises:
            NotFoundError: there is no such pod.
            InvalidError: its container has not started.
        """
        query = {
            "container": container,
            "tailLines": "" if tail_lines is None else str(tail_lines),
            "limitBytes": "" if limit_bytes is None else str(limit_bytes),
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
            async for event in self.events(
                kind, namespace, since=since, fields=fields, silence_seconds=SILENCE_SECONDS
            ):
                if event["type"] == "ERROR":
                    break  # The server has forgotten that moment: begin anew.
                if event["type"] != "BOOKMARK":
                    yield None if event["type"] == "DELETED" else event["object"]

    async def events(
        self,
        kind: Kind,
        namespace: str = "",
        *,
        since: str,
        silence_seconds: float | None = None,
        accepted: Callable[[], None] | None = None,
        **which: Unpack[Which],
    ) -> AsyncGenerator[JsonDict]:
        """Give what happens to objects after the moment `since`, as the server tells it.

        Ends when the server ends it, after minutes; raises TransientError where it goes away, or
        says nothing for `silence_seconds`. With these it says about once a minute how far it has
        looked (BOOKMARK), once that is later than `since`. `accepted` is called when the server has
        begun to watch.
        """
        query = {
            "watch": "true",
            "resourceVersion": since,
            "timeoutSeconds": str(_WATCH_SECONDS),
            **_selectors(which),
            "allowWatchBookmarks": "" if silence_seconds is None else "true",
        }
        what, accept = (
            words("watch", kind, namespace),
            METADATA if which.get("metadata_only") else JSON,
        )
        request = Request(what, "GET", kind.path(namespace), query, accept=accept)
        # Beyond what the server was told to take, the connection must be dead.
        total = _WATCH_SECONDS + _WATCH_GRACE_SECONDS
        async for line in self._transport.lines(
            request, total_seconds=total, silence_seconds=silence_seconds, accepted=accepted
        ):
            if not line.endswith(b"\n"):
                return  # Cut off: the server has gone away.
            event: JsonDict = json.loads(line)
            yield event

    async def discovers(self, kind: Kind) -> bool:
        """Tell whether the server names a kind among all that it has, where it looks for it itself.

        Of a kind that has just been defined it may do so later than it lists the first objects.
        """
        group, _, version = kind.api_version.rpartition("/")
        if group:
            found = await self._send("ask for the groups", "GET", "/apis")
            groups = {one["name"]: one.get("versions") or () for one in found.get("groups") or ()}
            if version not in {one["version"] for one in groups.get(group, ())}:
                return False
        path = f"/{'apis' if group else 'api'}/{kind.api_version}"
        try:
            answer = await self._send(f"ask for the kinds of {kind.api_version}", "GET", path)
        except NotFoundError:
            return False
        return kind.plural in {one["name"] for one in answer.get("resources") or ()}

    async def server_version(self) -> str:
        """Return the server's version, such as v1.34.4."""
        answer = await self._send("ask for the version", "GET", "/version")
        return str(answer.get("gitVersion", ""))

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


def _selectors(which: Which) -> dict[str, str]:
    return {
        "labelSelector": selector(which.get("labels", "")),
        "fieldSelector": which.get("fields", ""),
    }
