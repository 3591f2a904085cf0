"""A tree in the zone of a DNS server that takes dynamic updates (RFC 2136), signed by TSIG.

The root moves in one update whose prerequisite is the whole TXT set at its name (RFC 2136, 2.4.2),
so that of two writers one loses, and TXT records of others at that name stay as they are. Entries
go over TCP in messages below 64 KiB. What stands in the zone is asked for name by name, or, of a
large tree, read by a signed transfer (RFC 5936) where the server gives one in time. Only records
that were written for this tree are ever deleted. Names are compared without case, since some
servers fold them.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

import dns.asyncquery
import dns.exception
import dns.message
import dns.query
import dns.rcode
import dns.rdata
import dns.rdatatype
import dns.rrset
import dns.tsig
import dns.update
import dns.xfr
import dns.zone

from statusfleet.publishers.authorities import (
    ALL_OF_ZONE,
    FindServers,
    Server,
    addresses,
    read_trees,
    rrset,
    rrsets_at,
    servers_of_zone,
    text_of,
    verify,
)
from statusfleet.publishers.changes import Change, absolute, parts, txt
from statusfleet.publishers.sink import (
    RootMovedError,
    SeenTree,
    SinkError,
    Target,
    check_ours,
)
from statusfleet.tree.publication import AddEntries, RemoveEntries
from statusnode.records.entries import ROOT_PREFIX
from statusnode.records.tree import TreeError, is_entry

_SECONDS: Final = 10.0
_FEW_NAMES: Final = 256
_MESSAGE_SECONDS: Final = 5.0
_TRANSFER_SECONDS: Final = 10.0
"""Enough for some 100,000 records, on a processor of its own."""
_TXT: Final = dns.rdatatype.TXT
_LOST: Final = frozenset((dns.rcode.NXRRSET, dns.rcode.YXRRSET))


@dataclass(frozen=True, slots=True)
class UpdateSettings:
    """Where updates go and who signs them. `secret` is the TSIG key in base64; never shown."""

    server: str
    zone: str
    key_name: str
    algorithm: str
    secret: str = field(repr=False)

    @property
    def host(self) -> str:
        """The server's name or address."""
        return self.server.rpartition(":")[0].strip("[]")

    @property
    def port(self) -> int:
        """The server's port."""
        return int(self.server.rpartition(":")[2])


@dataclass(frozen=True, slots=True)
class _Standing:
    """The TXT records of one name: as the server has them, and the entry of a tree among them."""

    ttl: int
    data: tuple[dns.rdata.Rdata, ...]

    @property
    def roots(self) -> tuple[dns.rdata.Rdata, ...]:
        return tuple(data for data in self.data if text_of(data).startswith(ROOT_PREFIX))

    @property
    def entries(self) -> tuple[dns.rdata.Rdata, ...]:
        return tuple(data for data in self.data if is_entry(text_of(data)))

    @property
    def root(self) -> str | None:
        return text_of(self.roots[0]) if self.roots else None

    @property
    def text(self) -> str:
        """The only entry; "" where there is none, or which one would be read is left to chance."""
        entries = self.entries
        return text_of(entries[0]) if len(entries) == 1 else ""


Beside = Callable[[str, Sequence[Server]], Awaitable[None]]
"""Raises SinkError where somebody else of the fleet writes at the same domain of these servers."""


class Rfc2136Sink:
    """Publishes into one zone of one primary server (`Sink`)."""

    def __init__(
        self,
        settings: UpdateSettings,
        *,
        find_servers: FindServers | None = None,
        patience_seconds: float = 10.0,
        beside: Beside | None = None,
    ) -> None:
        """Take the place, and how long to wait for the zone's other servers in one go.

        `find_servers` gives the authoritative servers; they are those of the zone's NS records.
        `beside` is asked before anything is written.

        Raises:
            SinkError: the key is none.
        """
        self.name = f"rfc2136:{settings.server}"
        self._settings = settings
        self._find_servers = find_servers
        self._patience_seconds = patience_seconds
        self._beside = beside
        self._is_large = False
        try:
            secret = base64.b64decode(settings.secret, validate=True)
            self._key = dns.tsig.Key(settings.key_name, secret, settings.algorithm)
        except (binascii.Error, dns.exception.DNSException, ValueError) as error:
            raise SinkError(f"the TSIG key {settings.key_name} is no base64: {error}") from None

    @property
    def settings(self) -> UpdateSettings:
        """Where updates go."""
        return self._settings

    def touched(self) -> bool:
        """A DNS server tells nobody (`Sink`)."""
        return False

    async def root(self, domain: str) -> str | None:
        """Return the root in the zone (`Sink`)."""
        self._check(domain)
        standing = await self._at(domain)
        if len(standing.roots) > 1:
            raise SinkError(
                f"{len(standing.roots)} roots stand at {domain}: remove all but the right one"
            )
        return standing.root

    async def entries(self, domain: str, labels: Collection[str]) -> Collection[str]:
        """Return what stands at these labels (`Sink`)."""
        found = await self._ask_each([f"{label}.{domain}" for label in labels])
        return [text_of(data) for standing in found.values() for data in standing.entries]

    async def prepare(self, target: Target) -> None:
        """Add what is missing, and see it on every server (`Sink`)."""
        zone = target.zone
        primary, *others = await self.servers()
        if self._beside is not None:
            await self._beside(target.link.domain, (primary, *others))
        served = await self._served(target)
        right = {
            name: standing.text
            for name, standing in served.items()
            if standing.ttl == zone.settings.entry_ttl_seconds
        }
        steps = target.steps(right)
        added = {
            name: text
            for step in steps
            if isinstance(step, AddEntries)
            for name, text in step.records.items()
        }
        await self._send(
            Change(name, zone.ttl(name), text, self._wrong(served, name))
            for name, text in added.items()
        )
        entries = {n: text for n, text in zone.texts.items() if n != target.link.domain}
        await verify([primary], added, patience_seconds=0.0)
        patience = self._patience_seconds
        await verify(others, entries, patience_seconds=patience, remedy=ALL_OF_ZONE)

    async def move(self, target: Target, old: str | None) -> None:
        """Replace the root if it still is `old` and nothing else at its name changed (`Sink`)."""
        domain, ttl = target.link.domain, target.settings.root_ttl_seconds
        standing = await self._at(domain)
        if standing.root not in (old, target.root):
            raise RootMovedError(f"another writer has moved the root at {domain}")
        if standing.root == target.root and standing.ttl == ttl:
            return
        update = self._update(domain, standing)
        # A set has one TTL: what others wrote is written again with it, and stays in its place.
        kept = [data for data in standing.data if data not in standing.roots]
        update.replace(absolute(domain), ttl, *kept, txt(target.root))
        await self._exchange(update, domain)

    async def tidy(self, target: Target) -> None:
        """Delete what is owned and over (`Sink`)."""
        if target.owned <= target.zone.texts.keys():
            return
        served = await self._served(target)
        texts = {name: standing.text for name, standing in served.items()}
        for step in target.steps(texts):
            if isinstance(step, RemoveEntries):
                await self._remove(served, step.names)

    async def read_back(self, url: str) -> tuple[SeenTree, ...]:
        """Read the tree from each server (`Sink`)."""
        try:
            servers = await self.servers()
        except SinkError as error:
            raise TreeError(str(error)) from error
        return await read_trees(servers, url)

    async def withdraw(self, target: Target) -> None:
        """Delete the root and then what is owned (`Sink`)."""
        domain = target.link.domain
        standing = await self._at(domain)
        if standing.root is not None:
            check_ours(standing.root, target.link)
            update = self._update(domain, standing)
            for data in standing.roots:
                update.delete(absolute(domain), data)
            await self._exchange(update, domain)
        served = await self._served(target)
        await self._remove(served, [name for name in target.owned if name != domain])

    async def close(self) -> None:
        """Nothing is held (`Sink`)."""

    def _check(self, domain: str) -> None:
        zone = self._settings.zone
        if not absolute(domain).is_subdomain(absolute(zone)):
            raise SinkError(f"the tree's domain {domain} is not within the zone {zone}")

    async def _primary(self) -> Server:
        found = await addresses(self._settings.host, self._settings.port)
        if not found:
            raise SinkError(f"the DNS server {self._settings.host} has no address")
        return found[0]

    async def servers(self) -> tuple[Server, ...]:
        """Return the zone's servers, the primary first; raises SinkError."""
        primary = await self._primary()
        if self._find_servers is None:
            return await servers_of_zone(self._settings.zone, primary)
        found = await self._find_servers(self._settings.zone)
        return (primary, *(server for server in found if server != primary))

    async def _at(self, name: str) -> _Standing:
        found = await rrset(await self._primary(), name, _TXT)
        return _Standing(found.ttl, tuple(found)) if found is not None else _Standing(0, ())

    async def _served(self, target: Target) -> dict[str, _Standing]:
        """Return what stands at the names of ours, by lower-case name."""
        names = {name.lower() for name in target.owned | target.zone.texts.keys()}
        # A zone may hold far more than the tree: of a thousand fleets, all the others' trees.
        found = await self._transfer() if len(names) > _FEW_NAMES else None
        if found is None:
            return await self._ask_each(names)
        return {name: standing for name, standing in found.items() if name in names}

    async def _ask_each(self, names: Collection[str]) -> dict[str, _Standing]:
        found = await rrsets_at(await self._primary(), names, _TXT)
        return {
            name: _Standing(one.ttl, tuple(one)) for name, one in found.items() if one is not None
        }

    async def _transfer(self) -> dict[str, _Standing] | None:
        """Return all TXT records of the zone; None where the server does not give it away, or where
        there is so much in it that it takes too long.
        """
        if self._is_large:
            return None
        primary = await self._primary()
        origin = absolute(self._settings.zone)
        zone = dns.zone.Zone(origin, relativize=False)
        query, _ = dns.xfr.make_query(zone, keyring=self._key)
        try:
            await dns.asyncquery.inbound_xfr(
                primary.address,
                zone,
                query,
                port=primary.port,
                timeout=_MESSAGE_SECONDS,
                lifetime=_TRANSFER_SECONDS,
            )
        except dns.exception.Timeout:
            # If it answers otherwise, it is not away.
            await rrset(primary, self._settings.zone, dns.rdatatype.SOA)
            self._is_large = True
            return None
        except (dns.xfr.TransferError, dns.exception.FormError, dns.tsig.PeerError):
            return None  # what may be written need not be open to transfers
        except (dns.exception.DNSException, OSError, EOFError) as error:
            raise SinkError(f"{primary} does not answer: {error}") from error
        return {
            name.to_text(omit_final_dot=True).lower(): _Standing(found.ttl, tuple(found))
            for name, found in zone.iterate_rdatasets(_TXT)
        }

    def _wrong(self, served: Mapping[str, _Standing], name: str) -> tuple[dns.rdata.Rdata, ...]:
        standing = served.get(name.lower())
        return standing.entries if standing is not None else ()

    async def _remove(self, served: Mapping[str, _Standing], names: Iterable[str]) -> None:
        await self._send(
            Change(name, 0, "", served[name.lower()].entries)
            for name in names
            if name.lower() in served
        )

    async def _send(self, changes: Iterable[Change]) -> None:
        for part in parts(changes):
            update = self._update(part[0].name, None)
            for change in part:
                name = absolute(change.name)
                for data in change.removed:
                    update.delete(name, data)
                if change.text:
                    update.add(name, change.ttl, txt(change.text))
            await self._exchange(update, part[0].name)

    def _update(self, domain: str, standing: _Standing | None) -> dns.update.UpdateMessage:
        """Make an update that is carried out only where the TXT set is still `standing`."""
        update = dns.update.UpdateMessage(self._settings.zone, keyring=self._key)
        if standing is not None and standing.data:
            update.present(absolute(domain), *standing.data)
        elif standing is not None:
            update.absent(absolute(domain), _TXT)
        return update

    async def _exchange(self, update: dns.update.UpdateMessage, name: str) -> None:
        primary = await self._primary()
        try:
            answer = await dns.asyncquery.tcp(
                update, primary.address, timeout=_SECONDS, port=primary.port
            )
        except (dns.tsig.PeerError, dns.tsig.BadSignature, dns.exception.FormError) as error:
            # PowerDNS answers without a signature where it does not know the key, Knot where it
            # does not hold the zone.
            raise SinkError(
                f"{primary} does not accept the TSIG key {self._settings.key_name} for the zone "
                f"{self._settings.zone}: check that it holds that zone, and the key's name, "
                f"algorithm and secret ({_told(error)})"
            ) from error
        except (dns.exception.DNSException, OSError, EOFError) as error:
            raise SinkError(f"{primary} does not answer: {_told(error)}") from error
        self._judge(primary, answer.rcode(), name)

    def _judge(self, primary: Server, code: dns.rcode.Rcode, name: str) -> None:
        """Raise what an update's answer says."""
        zone = self._settings.zone
        if code == dns.rcode.NOERROR:
            return
        if code in _LOST:
            raise RootMovedError(f"another writer has changed the TXT records at {name}")
        word = dns.rcode.to_text(code)
        if code in (dns.rcode.NOTAUTH, dns.rcode.NOTZONE):
            raise SinkError(f"{primary} does not hold the zone {zone}, or not this key ({word})")
        if code == dns.rcode.REFUSED:
            raise SinkError(
                f"{primary} refuses updates of {zone} by the TSIG key {self._settings.key_name}: "
                "allow the key to change TXT records there"
            )
        raise SinkError(f"{primary} answers an update of {zone} with {word}")


def _told(error: BaseException) -> str:
    return str(error) or type(error).__name__
