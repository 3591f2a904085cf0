"""What a bug report holds, read from the cluster: as much as its user may see, within bounds.

What cannot be read is told of in the report and keeps nothing else from it. Secrets are read so
that their values can be struck out; of themselves only names, keys and sizes are told.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import json
import sys
import time
from collections import deque
from collections.abc import AsyncGenerator, Iterable, Mapping
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Any, Final

from pydantic import ValidationError

import statusnode
from statusfleet.api.secrets import secret_uses
from statusfleet.api.status import FleetStatus
from statusfleet.cli.kubectl.cluster import CommandError, Remote, parse
from statusfleet.cli.kubectl.lookout import USUAL_NAMESPACE, Lookout
from statusfleet.cli.kubectl.redaction import STRUCK_OUT, Redactor, secret_values
from statusfleet.cli.kubectl.screen import status_lines
from statusfleet.cli.kubectl.tree import members_by_id, tree_lines
from statusfleet.kube import AnswerError, ForbiddenError, NotFoundError
from statusfleet.kube import kinds as k
from statusfleet.kube.kinds import Body, JsonDict, Kind
from statusfleet.kube.lease import LEASE_NAME
from statusfleet.kube.names import FLEET_LABEL
from statusfleet.store import StoreError
from statusfleet.store.kubernetes import KubernetesReader
from statusfleet.worlds.kubernetes.networkpolicy import OPERATOR

_CHILDREN: Final = (
    *(k.CONFIG_MAP, k.DEPLOYMENT, k.DNS_ENDPOINT, k.ENDPOINT_SLICE, k.JOB, k.NETWORK_POLICY),
    *(k.PERSISTENT_VOLUME_CLAIM, k.POD, k.POD_DISRUPTION_BUDGET, k.ROLE, k.ROLE_BINDING),
    *(k.SERVICE, k.SERVICE_ACCOUNT, k.STATEFUL_SET),
)
_OPTIONAL: Final = frozenset({k.DNS_ENDPOINT})
_MOST_LINES: Final = 5000
_MOST_LOG: Final = 512 * 1024
_MOST_TEXT: Final = 1024 * 1024
_MOST_EVENTS: Final = 500
_MOST_NODES: Final = 200
_LOG_SECONDS: Final = 20.0


@dataclass(slots=True)
class Gathering:
    """One report in the making; `notes` say what is missing in it and why."""

    remote: Remote
    operator_namespace: str = ""
    notes: list[str] = field(default_factory=list)

    async def files(self) -> AsyncGenerator[tuple[str, str]]:
        """Yield each file's path and text, secrets struck out.

        Raises:
            CommandError: there is no such fleet.
            KubeError: the cluster does not answer.
        """
        body = await self.remote.get()
        redactor, secrets = await self._secrets(body)
        found = self._files(body)
        async with aclosing(found):
            async for path, text in found:
                yield path, redactor.text(text)
        yield "secrets.json", redactor.text(_json(secrets))
        yield "notes.txt", redactor.text("".join(f"{note}\n" for note in self.notes) or "none\n")

    async def _files(self, body: JsonDict) -> AsyncGenerator[tuple[str, str]]:
        yield "versions.json", _json(await self._versions())
        yield "fleet.json", _json(_bare(body))
        yield "status.txt", await self._status(body)
        yield "tree.txt", await self._tree(body)
        pods: list[JsonDict] = []
        for kind in _CHILDREN:
            items = await self._list(kind, self.remote.namespace, {FLEET_LABEL: self.remote.name})
            pods += items if kind == k.POD else []
            for item in items:
                yield f"objects/{kind.plural}/{item['metadata']['name']}.json", _json(_bare(item))
        yield "events.json", _json(await self._events())
        nodes = await self._list(k.NODE, "", {})
        yield "nodes.json", _json([_bare(node) for node in nodes[:_MOST_NODES]])
        async for file in self._operator():
            yield file
        async for file in self._logs("logs", pods):
            yield file

    async def _versions(self) -> JsonDict:
        return {
            "kubectl-statusfleet": statusnode.__version__,
            "python": sys.version.split()[0],
            "kubernetes": await self.remote.client.server_version(),
            "fleet": str(self.remote),
            "taken": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        }

    async def _status(self, body: JsonDict) -> str:
        lookout, now = Lookout(self.remote), time.time()
        await lookout.settle()
        silence = lookout.lines(now)
        self.notes += silence[:1]
        try:
            status = FleetStatus.model_validate(body.get("status") or {})
        except ValidationError:
            self.notes.append("status.txt: the status is of another version of the operator")
            return ""
        return "".join(f"{line}\n" for line in status_lines(body, status, now, silence))

    async def _tree(self, body: JsonDict) -> str:
        """Return the tree as the operator keeps it."""
        remote = self.remote
        try:
            fleet = parse(body)
            state = await KubernetesReader(remote.client, remote.namespace, remote.name).read()
            publication, members = state.tree.publication, members_by_id(state)
        except (AnswerError, CommandError, StoreError) as error:
            self.notes.append(f"tree.txt: {error}")
            return ""
        if publication is None:
            return "no tree has been published\n"
        told = fleet.status.tree if fleet.status is not None else None
        return "".join(f"{line}\n" for line in tree_lines(publication.tree, members, told))

    async def _secrets(self, body: JsonDict) -> tuple[Redactor, list[JsonDict]]:
        """Return what strikes out, and what may be told of Secrets."""
        remote, whole = self.remote, True
        found: dict[str, JsonDict] = {}
        try:
            labels = {FLEET_LABEL: remote.name}
            for item in await remote.client.list(k.SECRET, remote.namespace, labels=labels):
                found[item["metadata"]["name"]] = item
            for name in _named_secrets(body):
                named = await remote.client.find(k.SECRET, remote.namespace, name)
                if named is not None:
                    found[name] = named
        except ForbiddenError as error:
            whole = False
            self.notes.append(
                f"{error.what}: may not be read, so secrets are struck out by their looks alone, "
                "and with them everything that may be a key"
            )
        values = [value for item in found.values() for value in secret_values(item)]
        told = [_told(item) for item in sorted(found.values(), key=_name)]
        return Redactor(values, suspicious=not whole), told

    async def _list(self, kind: Kind, namespace: str, labels: Mapping[str, str]) -> list[JsonDict]:
        try:
            return await self.remote.client.list(kind, namespace, labels=labels)
        except AnswerError as error:
            if kind not in _OPTIONAL or not isinstance(error, NotFoundError):
                self.notes.append(f"{kind.plural}: {error.message}")
            return []

    async def _events(self) -> list[JsonDict]:
        name = self.remote.name
        events = [
            _bare(event)
            for event in await self._list(k.EVENT, self.remote.namespace, {})
            if _is_of(event.get("involvedObject") or {}, name)
        ]
        events.sort(key=lambda event: str(event.get("lastTimestamp") or event.get("eventTime")))
        return events[-_MOST_EVENTS:]

    async def _operator(self) -> AsyncGenerator[tuple[str, str]]:
        pods = await self._operator_pods()
        if not pods:
            self.notes.append("operator: no pod of it was found; name its namespace")
        places = {pod["metadata"]["namespace"] for pod in pods}
        for namespace in sorted(places | {self.operator_namespace} - {""}):
            folder = f"operator/{namespace}"
            try:
                lease = await self.remote.client.find(k.LEASE, namespace, LEASE_NAME)
            except AnswerError as error:
                self.notes.append(f"{folder}/lease.json: {error.message}")
                continue
            if lease is not None:
                yield f"{folder}/lease.json", _json(_bare(lease))
        for pod in pods:
            path = f"operator/{pod['metadata']['namespace']}/pods/{_name(pod)}.json"
            yield path, _json(_bare(pod))
        for namespace in sorted(places):
            here = [pod for pod in pods if pod["metadata"]["namespace"] == namespace]
            async for file in self._logs(f"operator/{namespace}/logs", here):
                yield file

    async def _operator_pods(self) -> list[JsonDict]:
        """Return the operator's pods: of the namespace that is named, or of any, or the usual."""
        client = self.remote.client
        if self.operator_namespace:
            return await self._list(k.POD, self.operator_namespace, OPERATOR)
        try:
            return await client.list(k.POD, "", labels=OPERATOR)
        except ForbiddenError:
            return await self._list(k.POD, USUAL_NAMESPACE, OPERATOR)

    async def _logs(self, folder: str, pods: Iterable[JsonDict]) -> AsyncGenerator[tuple[str, str]]:
        for pod in sorted(pods, key=_name):
            statuses = (pod.get("status") or {}).get("containerStatuses") or ()
            for status in statuses:
                path = f"{folder}/{_name(pod)}.{status['name']}"
                yield f"{path}.log", await self._log(pod, status["name"], previous=False)
                if status.get("restartCount"):
                    text = await self._log(pod, status["name"], previous=True)
                    yield f"{path}.previous.log", text

    async def _log(self, pod: JsonDict, container: str, *, previous: bool) -> str:
        """Return the end of a log."""
        kept: deque[str] = deque()
        size = 0
        metadata = pod["metadata"]
        lines = self.remote.client.logs(
            metadata["namespace"],
            metadata["name"],
            container=container,
            tail_lines=_MOST_LINES,
            previous=previous,
        )
        try:
            async with asyncio.timeout(_LOG_SECONDS), aclosing(lines):
                async for line in lines:
                    kept.append(line)
                    size += len(line) + 1
                    while size > _MOST_LOG and len(kept) > 1:
                        size -= len(kept.popleft()) + 1
        except (AnswerError, TimeoutError) as error:
            told = error.message if isinstance(error, AnswerError) else "no answer in time"
            self.notes.append(f"log of {metadata['name']}: {told}")
        return "".join(f"{line}\n" for line in kept)


def _named_secrets(body: JsonDict) -> list[str]:
    """Return the Secrets that a fleet names; none where its spec cannot be understood."""
    try:
        spec = parse(body).spec
    except CommandError:
        return []
    return sorted({use.ref.name for use in secret_uses(spec)})


def _told(secret: Body) -> JsonDict:
    """Return what may be told of a Secret."""
    metadata = secret["metadata"]
    return {
        "name": metadata["name"],
        "type": secret.get("type"),
        "labels": metadata.get("labels") or {},
        "created": metadata.get("creationTimestamp"),
        "bytes": {key: _size(value) for key, value in (secret.get("data") or {}).items()},
    }


def _size(encoded: str) -> int | None:
    try:
        return len(base64.b64decode(encoded, validate=True))
    except (binascii.Error, ValueError):
        return None


def _bare(body: Body) -> JsonDict:
    """Return an object without what is long and tells nothing, and without its environment."""
    metadata = {key: value for key, value in body["metadata"].items() if key != "managedFields"}
    status = body.get("status")
    if isinstance(status, dict) and "images" in status:
        status = {key: value for key, value in status.items() if key != "images"}
    bare = {**body, "metadata": metadata}
    if status is not None:
        bare["status"] = status
    return {key: _without_environment(value) for key, value in bare.items()}


def _without_environment(value: Any) -> Any:  # noqa: ANN401 - any JSON
    """Strike out the values of `env`: whoever set them may have put anything there."""
    if isinstance(value, list):
        return [_without_environment(part) for part in value]
    if not isinstance(value, dict):
        return value
    found = {key: _without_environment(part) for key, part in value.items()}
    if isinstance(value.get("env"), list):
        found["env"] = [
            {**one, "value": STRUCK_OUT} if isinstance(one, dict) and "value" in one else one
            for one in value["env"]
        ]
    return found


def _is_of(involved: Mapping[str, Any], fleet: str) -> bool:
    name = str(involved.get("name", ""))
    return name == fleet or name.startswith(f"{fleet}-")


def _name(body: Body) -> str:
    return str(body["metadata"]["name"])


def _json(value: Any) -> str:  # noqa: ANN401 - any JSON
    """Return a text of bounded size; what is longer is cut, and no JSON any more."""
    text = json.dumps(value, indent=1, ensure_ascii=False)
    return f"{text}\n" if len(text) <= _MOST_TEXT else f"{text[:_MOST_TEXT]}\n(cut)\n"
