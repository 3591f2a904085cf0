"""The authoritative servers of a zone: which they are, and what each of them says.

They are asked one by one and directly, since what a resolver remembers proves nothing. Many names
are asked for over one TCP connection (RFC 7766), a few at a time. Never writes anything.
"""

from __future__ import annotations

import asyncio
import ipaddress
import socket
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

import dns.asyncresolver
import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdatatype
import dns.resolver
import dns.rrset

from statusfleet.publishers.sink import LaggingError, SeenTree, SinkError
from statusnode.discovery.dns import TreeReader
from statusnode.discovery.hosts import host_addresses, is_absent
from statusnode.discovery.resolver import DnsResolver, ResolutionError
from statusnode.records.entries import ROOT_PREFIX
from statusnode.records.tree import TreeError, is_entry

DNS_PORT: Final = 53
_ANSWER_SECONDS: Final = 5.0
_AT_ONCE: Final = 64
_POLL_SECONDS: Final = 0.2


@dataclass(frozen=True, slots=True, order=True)
class Server:
    """One DNS server: IP address and port; `name` is how people know it."""

    address: str
    port: int = DNS_PORT
    name: str = field(default="", compare=False)

    def __str__(self) -> str:
        port = "" if self.port == DNS_PORT else f" port {self.port}"
        return f"{self.name} ({self.address}{port})" if self.name else f"{self.address}{port}"


ALL_OF_ZONE: Final = (
    "the root waits for every name server of the zone: mend this one, or take it out of the "
    "zone's NS records"
)
"""What `verify` should say of a server to which the zone leads."""

FindServers = Callable[[str], Awaitable[Sequence[Server]]]
"""Gives the authoritative servers of a domain; raises SinkError."""


async def addresses(host: str, port: int = DNS_PORT) -> tuple[Server, ...]:
    """Return the servers that a name, or an IP address, stands for; none where it has no address.

    Raises:
        SinkError: the name cannot be looked up now.
    """
    try:
        async with asyncio.timeout(_ANSWER_SECONDS):
            found = await host_addresses(host)
    except TimeoutError as error:
        raise SinkError(f"{host} cannot be looked up: no answer in time") from error
    except socket.gaierror as error:
        if is_absent(error):
            return ()
        raise SinkError(f"{host} cannot be looked up: {error.strerror}") from error
    name = "" if _is_address(host) else host
    return tuple(Server(address, port, name) for address in found)


async def servers_of_zone(zone: str, primary: Server) -> tuple[Server, ...]:
    """Return the primary and the servers that the zone's NS records name.

    Names that have no address, or one that only the server itself can reach, are left out: no
    reader meets them. So are addresses of a family that this host has not, where the same server
    has another address. Raises SinkError.
    """
    names = await rrset(primary, zone, dns.rdatatype.NS)
    hosts = sorted(data.target.to_text(omit_final_dot=True) for data in names or ())
    found: list[Server] = []
    for host in hosts:
        found += await _glue(primary, host, zone) or await addresses(host)
    return tuple(dict.fromkeys((primary, *_routed(_outside(found)))))


def _outside(servers: Iterable[Server]) -> list[Server]:
    return [one for one in servers if not ipaddress.ip_address(one.address).is_loopback]


def _routed(servers: Sequence[Server]) -> list[Server]:
    """Leave out addresses to which no way leads, if one leads to another of the same name.

    Most name servers have an address of IPv6, and most clusters have no IPv6: it must not be a dead
    server to them.
    """
    ways = {server.address: has_route(server.address) for server in servers}
    met = {server.name for server in servers if ways[server.address]}
    return [one for one in servers if ways[one.address] or one.name not in met]


def has_route(address: str) -> bool:
    """Tell whether this host knows a way to an IP address; nothing is sent."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    try:
        with socket.socket(family, socket.SOCK_DGRAM) as probe:
            probe.connect((address, DNS_PORT))
    except OSError:
        return False
    return True


async def _glue(primary: Server, host: str, zone: str) -> list[Server]:
    """Return the addresses of a name server that the zone itself gives."""
    if not dns.name.from_text(host).is_subdomain(dns.name.from_text(zone)):
        return []
    return [
        Server(data.address, DNS_PORT, host)
        for kind in (dns.rdatatype.A, dns.rdatatype.AAAA)
        for data in await rrset(primary, host, kind) or ()
    ]


async def servers_of_domain(domain: str) -> tuple[Server, ...]:
    """Return the servers to which the DNS leads for `domain`.

    Addresses are left out as by `servers_of_zone`. Raises SinkError.
    """
    try:
        resolver = dns.asyncresolver.Resolver()
        resolver.lifetime = _ANSWER_SECONDS
        zone = await dns.asyncresolver.zone_for_name(domain, resolver=resolver)
        answer = await resolver.resolve(zone, "NS", search=False)
    except dns.resolver.NoRootSOA as error:
        raise SinkError(
            f"the name servers of {domain} cannot be found: the DNS that is asked here knows no "
            "domain above it"
        ) from error
    except (dns.exception.DNSException, OSError) as error:
        raise SinkError(f"the name servers of {domain} cannot be found: {error}") from error
    hosts = sorted(data.target.to_text(omit_final_dot=True) for data in answer)
    found = _outside([server for host in hosts for server in await addresses(host)])
    if not found:
        raise SinkError(
            f"the name servers of {domain} have no addresses that readers reach: {', '.join(hosts)}"
        )
    return tuple(dict.fromkeys(_routed(found)))


async def rrset(server: Server, name: str, kind: dns.rdatatype.RdataType) -> dns.rrset.RRset | None:
    """Return the records of a name and kind, None where there are none.

    Raises:
        LaggingError: the server is not ready to answer.
        SinkError: the server gives no answer, or is not authoritative for the name.
    """
    query = dns.message.make_query(name, kind)
    query.flags &= ~dns.flags.RD
    (answer,) = await _ask(server, [query])
    return _records(server, query, answer)


async def rrsets_at(
    server: Server, names: Iterable[str], kind: dns.rdatatype.RdataType
) -> dict[str, dns.rrset.RRset | None]:
    """Return the records of a kind at each name as one server has them; raises as `rrset`."""
    wanted = list(names)
    found: dict[str, dns.rrset.RRset | None] = {}
    for at in range(0, len(wanted), _AT_ONCE):
        part = wanted[at : at + _AT_ONCE]
        queries = [dns.message.make_query(name, kind, id=n) for n, name in enumerate(part)]
        for name, query, answer in zip(part, queries, await _ask(server, queries), strict=True):
            found[name] = _records(server, query, answer)
    return found


async def texts_at(server: Server, names: Iterable[str]) -> dict[str, tuple[str, ...]]:
    """Return the TXT records of each name as one server has them; raises as `rrset`."""
    found = await rrsets_at(server, names, dns.rdatatype.TXT)
    return {name: tuple(map(text_of, records or ())) for name, records in found.items()}


async def roots_at(server: Server, domain: str) -> list[str]:
    """Return the roots of trees that a server shows at a domain; raises as `rrset`."""
    texts = (await texts_at(server, [domain]))[domain]
    return sorted(text for text in texts if text.startswith(ROOT_PREFIX))


def text_of(data: dns.rdata.Rdata) -> str:
    """Return the content of a TXT record, its strings joined."""
    strings: tuple[bytes, ...] = getattr(data, "strings", ())
    return b"".join(strings).decode("ascii", "replace")


async def verify(
    servers: Sequence[Server],
    records: Mapping[str, str],
    *,
    patience_seconds: float,
    remedy: str = "the root waits",
) -> None:
    """Wait until every server has every record (full name to text of an entry).

    `remedy` is what to say of one that has not.

    Raises:
        LaggingError: one lacks some, still.
        SinkError: one does not answer, or gives another text than was written.
    """
    async with asyncio.TaskGroup() as group:
        tasks = [
            group.create_task(_verify_one(server, records, patience_seconds, remedy))
            for server in servers
        ]
    for task in tasks:
        error = task.result()
        if error is not None:
            raise error


async def read_trees(servers: Sequence[Server], url: str) -> tuple[SeenTree, ...]:
    """Read a tree whole from each server; raises TreeError."""
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(_read_tree(server, url)) for server in servers]
    trees = []
    for task in tasks:
        found = task.result()
        if isinstance(found, TreeError):
            raise found
        trees.append(found)
    return tuple(trees)


async def _read_tree(server: Server, url: str) -> SeenTree | TreeError:
    try:
        resolver = DnsResolver((server.address, server.port), _ANSWER_SECONDS)
        reading = await TreeReader(resolver).read(url)
    except (ResolutionError, TreeError) as error:
        return TreeError(f"{server}: {error}")
    complaints = tuple(f"{problem.label}: {problem.reason}" for problem in reading.problems)
    root = reading.root
    return SeenTree(root.seq, reading.nodes, complaints, str(server), str(root))


async def _verify_one(
    server: Server, records: Mapping[str, str], patience_seconds: float, remedy: str
) -> SinkError | None:
    """Return what is wrong with a server, when it is not put right in time."""
    missing = dict(records)
    deadline = asyncio.get_running_loop().time() + patience_seconds
    while True:
        behind: LaggingError | None = None
        found: dict[str, tuple[str, ...]] = {}
        try:
            found = await texts_at(server, missing)
        except LaggingError as error:
            behind = LaggingError(f"{error}; {remedy}")
        except SinkError as error:
            return SinkError(f"{error}; {remedy}")
        for name, texts in found.items():
            if missing[name] in texts:
                del missing[name]
            elif spoilt := next((t for t in texts if is_entry(t.lstrip('"'))), ""):
                return SinkError(
                    f"{server} gives a changed text for {name}: {len(missing[name])} characters "
                    f"were written, and {len(spoilt)} others are read; the root is not "
                    "moved: what writes into the zone must keep long TXT records as they are"
                )
        if not missing:
            return None
        if asyncio.get_running_loop().time() > deadline:
            text = f"{server} does not have {_some(missing)} yet; {remedy}"
            return behind or LaggingError(text)
        await asyncio.sleep(_POLL_SECONDS)


def _some(names: Iterable[str]) -> str:
    first, *others = names
    return f"{first} and {len(others)} more" if others else first


async def _ask(
    server: Server, queries: Sequence[dns.message.QueryMessage]
) -> list[dns.message.Message]:
    """Send queries with different ids over one connection; return the answers in their order."""
    wire = b"".join(query.to_wire(prepend_length=True) for query in queries)
    try:
        async with asyncio.timeout(_ANSWER_SECONDS):
            reader, writer = await asyncio.open_connection(server.address, server.port)
            try:
                writer.write(wire)
                answers = {}
                for _ in queries:
                    size = int.from_bytes(await reader.readexactly(2), "big")
                    message = dns.message.from_wire(await reader.readexactly(size))
                    answers[message.id] = message
            finally:
                writer.close()
        return [answers[query.id] for query in queries]
    except TimeoutError as error:
        raise SinkError(f"{server} does not answer") from error
    except (OSError, asyncio.IncompleteReadError) as error:
        raise SinkError(f"{server} does not answer: {_reason(error)}") from error
    except (dns.exception.DNSException, KeyError) as error:
        raise SinkError(f"{server} answers with something else: {error}") from error


def _records(
    server: Server, query: dns.message.QueryMessage, answer: dns.message.Message
) -> dns.rrset.RRset | None:
    question = query.question[0]
    code = answer.rcode()
    if code == dns.rcode.NXDOMAIN:
        return None
    if code == dns.rcode.SERVFAIL:
        raise LaggingError(f"{server} is not ready to answer (SERVFAIL)")
    if code != dns.rcode.NOERROR:
        name = question.name.to_text(omit_final_dot=True)
        raise SinkError(f"{server} does not answer for {name}: {dns.rcode.to_text(code)}")
    return answer.get_rrset(answer.answer, question.name, question.rdclass, question.rdtype)


def _reason(error: BaseException) -> str:
    return "it ended the connection" if isinstance(error, EOFError) else str(error)


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True
