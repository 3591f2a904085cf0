"""How a request is told: its method, path and body, and the words by which errors name it. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from statusfleet.kube.kinds import Body, JsonDict, Kind, kind_of

JSON: Final = "application/json"
METADATA: Final = "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1"
METADATA_LIST: Final = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"
"""What to ask for to be sent no more of objects than their metadata."""


@dataclass(frozen=True, slots=True)
class Request:
    """One request. `what` names it in errors: verb, kind and name, never the body."""

    what: str
    method: str
    path: str
    query: Mapping[str, str] = field(default_factory=dict)
    """Parameters; those of "" are left out."""
    body: Body | None = field(default=None, repr=False)
    content_type: str = JSON
    accept: str = JSON


def words(verb: str, kind: Kind, *parts: str) -> str:
    """Return how a request is called in errors: apply Service status/eth-relayer-0."""
    return f"{verb} {kind} {'/'.join(part for part in parts if part)}".rstrip()


def named(kind: Kind) -> JsonDict:
    """Return what an object says of its kind; within a list the server leaves it out."""
    return {"apiVersion": kind.api_version, "kind": kind.kind}


def selector(labels: Mapping[str, str] | str) -> str:
    """Return a selector by labels: the one that is given, or of values that must be equal."""
    if isinstance(labels, str):
        return labels
    return ",".join(f"{key}={value}" for key, value in labels.items())


def metadata(namespace: str, name: str, *, resource_version: str = "") -> JsonDict:
    """Return the metadata of an object, without what is not given."""
    wanted = {"namespace": namespace, "name": name, "resourceVersion": resource_version}
    return {key: value for key, value in wanted.items() if value}


def identity(body: Body) -> tuple[Kind, str, str]:
    """Return kind, namespace and name of an object; raises UnknownKindError."""
    about = body["metadata"]
    return kind_of(body), about.get("namespace", ""), about["name"]
