"""From `spec.tree.publish` to sinks, on a cluster; and which of them write at the same names.

ExternalDNS takes every TXT record of its domain for its own: what a tree has there besides its
objects it deletes, and all of it when they go. So a zone that the fleet updates itself and one that
ExternalDNS keeps must not be the same: what ExternalDNS has taken over is left to it, and what it
still keeps is not written to, nor are its objects deleted under the feet of what follows it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import NoReturn

from pydantic import SecretStr

from statusfleet.api.tree import RFC2136
from statusfleet.api.tree import Sink as SinkSpec
from statusfleet.kube.kinds import SECRET
from statusfleet.kube.names import FLEET_LABEL
from statusfleet.kube.secrets import secret_text
from statusfleet.publishers.authorities import FindServers, Server, addresses, servers_of_domain
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

    async def entries(self, domain: str, labels: Collection[str]) -> Collection[str]:
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

    def __init__(
        self, objects: Objects, owner: Owner, *, find_servers: FindServers = servers_of_domain
    ) -> None:
        """Take the cluster; `find_servers` gives those to which the DNS leads for a domain."""
        self._objects = objects
        self._owner = owner
        self._find_servers = find_servers
        self._made: dict[object, Sink] = {}

    def build(self, publish: Sequence[SinkSpec], secrets: Secrets) -> tuple[Sink, ...]:
        """Return a sink for each place of the spec; one that cannot be made says so when used."""
        made: dict[object, Sink] = {}
        for spec in publish:
            wish = _wish(spec, secrets)
            made[wish] = self._made.get(wish) or self._make(spec, wish)
        self._made = made
        return tuple(made.values())

    async def again(self, spec: SinkSpec, *, shared: bool) -> Sink | None:
        """Return a sink that the spec names no more, to withdraw what it shows.

        None where the spec publishes to the same place by another name or another way: what it
        shows is wanted. Not so where the sinks of the spec show another tree, or none (`shared`).

        Raises:
            SinkError: what it needs cannot be read now, or what follows it would be hit.
        """
        update = spec.rfc2136
        if update is None:
            if spec.dns_endpoint is not None and shared:
                await self._check_followers()
            return self._make(spec, spec.name)
        if shared and await self._is_in_use(update):
            return None
        reference = update.tsig.secret_key_ref
        with told(f"Secret {reference.name}"):
            found = await self._objects.find(SECRET, self._owner.namespace, reference.name)
        text = secret_text(found, reference.key)
        known = {} if text is None else {reference.value_id: SecretStr(text)}
        return self._make(spec, _update_settings(update, known))

    @property
    def _updating(self) -> list[Rfc2136Sink]:
        return [sink for sink in self._made.values() if isinstance(sink, Rfc2136Sink)]

    @property
    def _has_external_dns(self) -> bool:
        return any(isinstance(sink, DnsEndpointSink) for sink in self._made.values())

    async def _is_in_use(self, update: RFC2136) -> bool:
        """Tell whether the spec publishes to that server, or to one that has the same zone."""
        updating = self._updating
        if not updating and not self._has_external_dns:
            return False
        former = await _places(update.server)
        if any([former & await _places(sink.settings.server) for sink in updating]):
            return True
        alike = [sink for sink in updating if _plain(sink.settings.zone) == _plain(update.zone)]
        if any([former.intersection(await sink.servers()) for sink in alike]):
            return True
        if not self._has_external_dns:
            return False
        return bool(former.intersection(await self._find_servers(update.zone)))

    async def _check_followers(self) -> None:
        """Raise SinkError where ExternalDNS would delete what a sink of the spec has published."""
        if self._updating and await self._endpoints.is_there():
            for sink in self._updating:
                await self._check_beside(sink.settings.zone, await sink.servers())

    async def _check_beside(self, domain: str, servers: Iterable[Server]) -> None:
        """Raise SinkError where ExternalDNS keeps the tree at one of these servers."""
        if not self._has_external_dns and not await self._endpoints.is_there():
            return
        if set(servers).isdisjoint(await self._find_servers(domain)):
            return
        owner = self._owner
        raise SinkError(
            "ExternalDNS keeps the tree in the same zone, and deletes there what others write: "
            "stop that ExternalDNS, take dnsEndpoint out of spec.tree.publish, and delete its "
            f"objects (kubectl delete dnsendpoints -n {owner.namespace} -l "
            f"{FLEET_LABEL}={owner.fleet})"
        )

    @property
    def _endpoints(self) -> DnsEndpointSink:
        return DnsEndpointSink(self._objects, self._owner, find_servers=self._find_servers)

    def _make(self, spec: SinkSpec, wish: UpdateSettings | str) -> Sink:
        if isinstance(wish, UpdateSettings):
            try:
                return Rfc2136Sink(wish, beside=self._check_beside)
            except SinkError as error:
                return BrokenSink(spec.name, str(error))
        if spec.rfc2136 is not None:
            return BrokenSink(spec.name, wish)
        if spec.zone_file is not None:
            return ZoneFileSink(self._objects, self._owner, spec.zone_file.config_map)
        if spec.dns_endpoint is not None:
            return self._endpoints
        return ClusterDnsSink(self._objects, self._owner)


async def _places(server: str) -> set[Server]:
    """Return the addresses of a server; raises SinkError while it cannot be looked up."""
    host, _, port = server.rpartition(":")
    return set(await addresses(host.strip("[]"), int(port)))


def _plain(domain: str) -> str:
    """Return a domain as it compares."""
    return domain.lower().removesuffix(".")


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
