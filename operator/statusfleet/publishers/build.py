"""From `spec.tree.publish` to sinks, on a cluster."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NoReturn

from pydantic import SecretStr

from statusfleet.api.tree import RFC2136
from statusfleet.api.tree import Sink as SinkSpec
from statusfleet.kube.kinds import SECRET
from statusfleet.kube.secrets import secret_text
from statusfleet.publishers.authorities import addresses
from statusfleet.publishers.cluster_dns import ClusterDnsSink
from statusfleet.publishers.dnsendpoint import DnsEndpointSink
from statusfleet.publishers.objects import Objects, Owner, told
from statusfleet.publishers.rfc2136 import Rfc2136Sink, UpdateSettings
from statusfleet.publishers.sink import SeenTree, Sink, SinkError, Target
from statusfleet.publishers.zonefile import ZoneFileSink

Secrets = Mapping[tuple[str, str], SecretStr]
"""Values of Secrets by (name, key), as an Observation has them."""


class BrokenSink:
    """A sink that cannot be made: says why, whatever it is asked for (`Sink`)."""

    def __init__(self, name: str, problem: str) -> None:
        self.name = name
        self._problem = problem

    def touched(self) -> bool:
        """Nothing was written (`Sink`)."""
        return False

    async def root(self, domain: str) -> str | None:
        """Raise SinkError (`Sink`)."""
        self._fail()

    async def prepare(self, target: Target) -> None:
        """Raise SinkError (`Sink`)."""
        self._fail()

    async def move(self, target: Target, old: str | None) -> None:
        """Raise SinkError (`Sink`)."""
        self._fail()

    async def tidy(self, target: Target) -> None:
        """Raise SinkError (`Sink`)."""
        self._fail()

    async def read_back(self, url: str) -> tuple[SeenTree, ...]:
        """Raise SinkError (`Sink`)."""
        self._fail()

    async def withdraw(self, target: Target) -> None:
        """Raise SinkError (`Sink`)."""
        self._fail()

    async def close(self) -> None:
        """Nothing is held (`Sink`)."""

    def _fail(self) -> NoReturn:
        raise SinkError(self._problem)


class SinkBuilder:
    """Makes the sinks of one fleet, and gives the same again while their definition is the same."""

    def __init__(self, objects: Objects, owner: Owner) -> None:
        self._objects = objects
        self._owner = owner
        self._made: dict[object, Sink] = {}

    def build(self, publish: Sequence[SinkSpec], secrets: Secrets) -> tuple[Sink, ...]:
        """Return a sink for each place of the spec; one that cannot be made says so when used."""
        made: dict[object, Sink] = {}
        for spec in publish:
            wish = _wish(spec, secrets)
            made[wish] = self._made.get(wish) or self._make(spec, wish)
        self._made = made
        return tuple(made.values())

    async def again(self, spec: SinkSpec) -> Sink | None:
        """Return a sink that the spec names no more, to withdraw what it shows.

        None where it is one that the spec names under another name: what it shows is wanted.

        Raises:
            SinkError: what it needs cannot be read now.
        """
        update = spec.rfc2136
        if update is None:
            return self._make(spec, spec.name)
        if await self._is_in_use(update.server):
            return None
        reference = update.tsig.secret_key_ref
        with told(f"Secret {reference.name}"):
            found = await self._objects.find(SECRET, self._owner.namespace, reference.name)
        text = secret_text(found, reference.key)
        known = {} if text is None else {reference.value_id: SecretStr(text)}
        return self._make(spec, _update_settings(update, known))

    async def _is_in_use(self, server: str) -> bool:
        """Tell whether the tree is published to that server, be it under another name."""
        present = [wish.server for wish in self._made if isinstance(wish, UpdateSettings)]
        places = await _places(server) if present else set()
        return any([places & await _places(other) for other in present])

    def _make(self, spec: SinkSpec, wish: UpdateSettings | str) -> Sink:
        if isinstance(wish, UpdateSettings):
            try:
                return Rfc2136Sink(wish)
            except SinkError as error:
                return BrokenSink(spec.name, str(error))
        if spec.rfc2136 is not None:
            return BrokenSink(spec.name, wish)
        if spec.zone_file is not None:
            return ZoneFileSink(self._objects, self._owner, spec.zone_file.config_map)
        if spec.dns_endpoint is not None:
            return DnsEndpointSink(self._objects, self._owner)
        return ClusterDnsSink(self._objects, self._owner)


def build_sinks(
    publish: Sequence[SinkSpec], *, objects: Objects, owner: Owner, secrets: Secrets
) -> tuple[Sink, ...]:
    """Return a sink for each place of `spec.tree.publish`."""
    return SinkBuilder(objects, owner).build(publish, secrets)


async def _places(server: str) -> set[tuple[str, int]]:
    """Return the addresses of a server; raises SinkError while it cannot be looked up."""
    host, _, port = server.rpartition(":")
    found = await addresses(host.strip("[]"), int(port))
    return {(place.address, place.port) for place in found}


def _wish(spec: SinkSpec, secrets: Secrets) -> UpdateSettings | str:
    """Return what tells one sink from another; for a zone to update, what it needs, or lacks."""
    return _update_settings(spec.rfc2136, secrets) if spec.rfc2136 is not None else spec.name


def _update_settings(spec: RFC2136, secrets: Secrets) -> UpdateSettings | str:
    reference = spec.tsig.secret_key_ref
    secret = secrets.get((reference.name, reference.key))
    if secret is None:
        return (
            f"the TSIG key of {spec.server} should be key {reference.key} of Secret "
            f"{reference.name}, which is not there"
        )
    return UpdateSettings(
        server=spec.server,
        zone=spec.zone,
        key_name=spec.tsig.key_name or reference.name,
        algorithm=spec.tsig.algorithm,
        secret=secret.get_secret_value().strip(),
    )
