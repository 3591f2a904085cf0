"""From a file to checked fleets: what every command and the operator's loop begin with.

A file holds StatusFleet documents and, beside them, the Secrets that they name. Everything that is
wrong is found in one pass and reported together; nothing is repaired.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path as FilePath
from typing import Final

from pydantic import SecretStr, ValidationError
from pydantic_core import PydanticCustomError

from statusfleet.api import document as yaml_document
from statusfleet.api.document import Document, DocumentError
from statusfleet.api.fleet import API_VERSION, KIND, StatusFleet
from statusfleet.api.nodeconfig import config_problems
from statusfleet.api.problems import (
    ManifestError,
    Path,
    Problem,
    describe,
    from_pydantic,
    path_text,
)
from statusfleet.api.rules import problems_of
from statusfleet.api.secrets import SecretDocument, SecretId, value_problems
from statusnode.records.enode import Enode, EnodeError
from statusnode.records.entries import Link, TreeError

_KINDS: Final = {KIND: API_VERSION, "Secret": "v1"}


@dataclass(frozen=True, slots=True)
class Manifest:
    """A checked fleet, and the values of the Secrets that stand in the same file.

    `secrets` are those of the fleet's namespace, by name and key.
    """

    fleet: StatusFleet
    secrets: Mapping[SecretId, SecretStr] = field(default_factory=dict, repr=False)
    file: str = ""


def load_manifest(path: FilePath) -> Manifest:
    """Read the one fleet of a file.

    Raises:
        ManifestError: the file cannot be read, is wrong, or holds none or several fleets.
    """
    manifests = load_manifests(path)
    if len(manifests) != 1:
        names = ", ".join(manifest.fleet.name for manifest in manifests)
        text = f"holds {len(manifests)} fleets ({names}); give each a file of its own"
        raise ManifestError([Problem("", text, str(path))])
    return manifests[0]


def load_manifests(path: FilePath) -> list[Manifest]:
    """Read all fleets of a file, at least one.

    Raises:
        ManifestError: the file cannot be read, is wrong, or holds no fleet.
    """
    try:
        with path.open("rb") as file:
            data = file.read(yaml_document.MAX_BYTES + 1)
    except OSError as error:
        text = f"cannot be read: {error.strerror or error}"
        raise ManifestError([Problem("", text, str(path))]) from error
    return parse_manifests(data, str(path))


def parse_manifests(data: bytes, file: str) -> list[Manifest]:
    """Read all fleets of a file's content; `file` is its name in messages.

    Raises:
        ManifestError: it is wrong, or holds no fleet.
    """
    try:
        documents = yaml_document.read_documents(data)
    except DocumentError as error:
        raise ManifestError([Problem("", str(error), file, error.line)]) from error
    reader = _Reader(file)
    for part in documents:
        reader.read(part)
    return reader.finish()


def fleet_problems(fleet: StatusFleet, before: StatusFleet | None = None) -> list[tuple[Path, str]]:
    """Return what is wrong with a fleet whose fields are each right; nothing when it is valid.

    `before` is the same fleet as it was, where there is one: some things may not change.
    """
    return [*problems_of(fleet, before), *_text_problems(fleet)]


def parse_fleet(value: object) -> tuple[StatusFleet | None, list[tuple[Path, str]]]:
    """Return the fleet of one document and what is wrong with it; it is valid if nothing is."""
    try:
        fleet = StatusFleet.model_validate(value)
    except ValidationError as error:
        return None, from_pydantic(error, StatusFleet)
    return fleet, fleet_problems(fleet)


def _text_problems(fleet: StatusFleet) -> Iterator[tuple[Path, str]]:
    """Yield what patterns cannot see: keys that are none, statusd's own settings."""
    peers = fleet.spec.peers
    for name, urls in (("static", peers.static), ("trustedMailservers", peers.trusted_mailservers)):
        for place, url in enumerate(urls):
            try:
                Enode.parse(url)
            except EnodeError as error:
                yield ("spec", "peers", name, place), f"is no enode URL: {error}"
    for place, url in enumerate(fleet.spec.tree.links if fleet.spec.tree else ()):
        try:
            Link.parse(url)
        except TreeError as error:
            yield ("spec", "tree", "links", place), f"is no URL of a tree: {error}"
    for role in fleet.spec.roles.present():
        base: Path = ("spec", "roles", role.role, "config")
        yield from ((base + path, text) for path, text in config_problems(role.config))


class _Reader:
    """Gathers fleets, Secrets and problems of one file."""

    def __init__(self, file: str) -> None:
        self._file = file
        self._fleets: list[tuple[StatusFleet, Document]] = []
        self._secrets: dict[str, dict[SecretId, SecretStr]] = {}
        self._problems: list[Problem] = []

    def read(self, part: Document) -> None:
        value = part.value
        if not isinstance(value, dict):
            text = f"a document must be an object, not {describe(value)}"
            self._report(part, [((), text)])
            return
        kind, version = value.get("kind"), value.get("apiVersion")
        if not isinstance(kind, str):
            self._report(part, [(("kind",), "is required: StatusFleet or Secret")])
        elif kind not in _KINDS:
            text = f"{kind} is not understood here; a manifest holds StatusFleet and Secret"
            self._report(part, [(("kind",), text)])
        elif version != _KINDS[kind]:
            text = f"must be {_KINDS[kind]} for a {kind}, not {describe(version)}"
            self._report(part, [(("apiVersion",), text)])
        elif kind == KIND:
            self._read_fleet(part)
        else:
            self._read_secret(part)

    def finish(self) -> list[Manifest]:
        manifests = []
        for fleet, part in self._fleets:
            secrets = self._secrets.get(fleet.metadata.namespace, {})
            self._report(part, list(value_problems(fleet.spec, secrets)))
            manifests.append(Manifest(fleet, secrets, self._file))
        if not manifests and not self._problems:
            self._problems.append(Problem("", "holds no StatusFleet", self._file))
        if self._problems:
            raise ManifestError(self._problems)
        return manifests

    def _read_fleet(self, part: Document) -> None:
        fleet, problems = parse_fleet(part.value)
        self._report(part, problems)
        if fleet is None:
            return
        same = [
            known
            for known, _ in self._fleets
            if (known.name, known.metadata.namespace) == (fleet.name, fleet.metadata.namespace)
        ]
        if same:
            text = f"a fleet called {fleet.name} stands in this file already"
            self._report(part, [(("metadata", "name"), text)])
        self._fleets.append((fleet, part))

    def _read_secret(self, part: Document) -> None:
        try:
            secret = SecretDocument.model_validate(part.value)
            values = dict(secret.values())
        except ValidationError as error:
            self._report(part, from_pydantic(error, SecretDocument, secret=True))
            return
        except PydanticCustomError as error:
            self._report(part, [(("data",), error.message())])
            return
        known = self._secrets.setdefault(secret.metadata.namespace, {})
        if any(name == secret.metadata.name for name, _ in known):
            text = f"a Secret called {secret.metadata.name} stands in this file already"
            self._report(part, [(("metadata", "name"), text)])
        known.update({(secret.metadata.name, key): value for key, value in values.items()})

    def _report(self, part: Document, problems: Sequence[tuple[Path, str]]) -> None:
        self._problems += [
            Problem(path_text(path), text, self._file, part.line(path)) for path, text in problems
        ]
