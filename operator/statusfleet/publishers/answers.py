"""What an authoritative DNS server says to a query: bytes in, bytes out, no socket.

It serves one zone of TXT records and answers for nothing else: no recursion, no transfers, no
updates. Sources: RFC 1034 4.3.2 (empty non-terminals exist), RFC 2308 (SOA in negative answers),
RFC 6891 (EDNS), RFC 8482 (ANY gets one RRset), RFC 8906 (what an unknown opcode or version gets).
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.opcode
import dns.rcode
import dns.rdata
import dns.rdataclass
import dns.rdatatype
import dns.rdtypes.ANY.TXT
import dns.rrset

from statusfleet.tree.zone import Zone, soa_text, split_text

# Larger datagrams are lost to fragmentation (DNS flag day 2020).
MAX_DATAGRAM: Final = 1232
_MIN_DATAGRAM: Final = 512
_HEADER_SIZE: Final = 12
_RESPONSE_BIT: Final = 0x80
_TRANSFERS: Final = frozenset((dns.rdatatype.AXFR, dns.rdatatype.IXFR))


class Verdict(enum.Enum):
    """What became of a query; servers count them."""

    ANSWERED = "answered"
    NO_DATA = "nodata"
    NO_NAME = "nxdomain"
    REFUSED = "refused"
    NOT_READY = "servfail"
    MALFORMED = "formerr"
    NOT_IMPLEMENTED = "notimp"
    IGNORED = "ignored"


@dataclass(frozen=True, slots=True)
class Reply:
    """The bytes to send back (none for what must not be answered), and what they say."""

    wire: bytes
    verdict: Verdict
    truncated: bool = False


class ZoneIndex:
    """A zone made ready for look-ups. It never changes: a new zone is a new index.

    Making one costs about a microsecond a record; the RRs themselves are made when asked for. One
    that is not `sure` may lack names: it never says that a name does not exist.
    """

    def __init__(self, zone: Zone, *, sure: bool = True) -> None:
        settings = zone.settings
        self.sure = sure
        self.origin = dns.name.from_text(settings.domain)
        self._apex = settings.domain.lower()
        self._root_ttl, self._entry_ttl = settings.root_ttl_seconds, settings.entry_ttl_seconds
        self._minimum = settings.minimum_seconds
        self._texts: Mapping[str, str] = {name.lower(): text for name, text in zone.texts.items()}
        self._inner = _inner_names(self._texts, self._apex)
        self._soa = _rdata(dns.rdatatype.SOA, soa_text(zone))
        self._ns = [_rdata(dns.rdatatype.NS, f"{name}.") for name in settings.nameservers]

    @property
    def loaded(self) -> bool:
        """Whether there is a tree in the zone."""
        return bool(self._texts)

    def exists(self, name: str) -> bool:
        """Tell whether a lower-case name is there, be it only above other names."""
        return name in self._texts or name in self._inner

    def rrsets(self, owner: dns.name.Name, name: str) -> list[dns.rrset.RRset]:
        """Return everything at a name, its records owned by `owner` as the client spelt it."""
        rrsets = []
        text = self._texts.get(name)
        if text is not None:
            strings = [part.encode() for part in split_text(text)]
            data = dns.rdtypes.ANY.TXT.TXT(dns.rdataclass.IN, dns.rdatatype.TXT, strings)
            ttl = self._root_ttl if name == self._apex else self._entry_ttl
            rrsets.append(dns.rrset.from_rdata(owner, ttl, data))
        if name == self._apex:
            rrsets.append(dns.rrset.from_rdata(owner, self._entry_ttl, self._soa))
            rrsets.append(dns.rrset.from_rdata_list(owner, self._entry_ttl, self._ns))
        return rrsets

    def negative_soa(self) -> dns.rrset.RRset:
        """The SOA of a negative answer; its TTL is how long the answer may be remembered."""
        return dns.rrset.from_rdata(self.origin, self._minimum, self._soa)


def answer(query: bytes, zone: ZoneIndex, *, datagram: bool) -> Reply:
    """Answer one message; it never raises, whatever the bytes.

    A zone without a tree gets SERVFAIL, which resolvers do not remember as they would NXDOMAIN; so
    does a name that is missing from a zone that is not sure.
    A `datagram` is cut to what its sender can take.
    """
    if len(query) < _HEADER_SIZE or query[2] & _RESPONSE_BIT:
        # Answering an answer could set two servers talking for ever.
        return Reply(b"", Verdict.IGNORED)
    if not _asks(query):
        return _bare(query, dns.rcode.NOTIMP, Verdict.NOT_IMPLEMENTED)
    try:
        message = dns.message.from_wire(query, ignore_trailing=False)
        response = dns.message.make_response(message, our_payload=MAX_DATAGRAM)
    except (dns.exception.DNSException, ValueError):
        return _bare(query, dns.rcode.FORMERR, Verdict.MALFORMED)
    verdict = _fill(message, response, zone)
    limit = 0xFFFF
    if datagram:
        asked = message.payload if message.edns >= 0 else 0
        limit = min(max(asked, _MIN_DATAGRAM), MAX_DATAGRAM)
    try:
        return Reply(response.to_wire(max_size=limit), verdict)
    except dns.exception.TooBig:
        return Reply(_truncated(response).to_wire(max_size=limit), verdict, truncated=True)


def answer_truncated(query: bytes) -> Reply:
    """Tell the sender to ask again over TCP; no larger than the query, so nothing is amplified."""
    if len(query) < _HEADER_SIZE or query[2] & _RESPONSE_BIT:
        return Reply(b"", Verdict.IGNORED)
    if not _asks(query):
        return _bare(query, dns.rcode.NOTIMP, Verdict.NOT_IMPLEMENTED)
    flags = bytes((query[2] & 0x79 | 0x84 | dns.flags.TC >> 8, 0))
    try:
        question_end = _question_end(query)
    except ValueError:
        return _bare(query, dns.rcode.FORMERR, Verdict.MALFORMED)
    header = query[:2] + flags + bytes((0, 1, 0, 0, 0, 0, 0, 0))
    return Reply(header + query[_HEADER_SIZE:question_end], Verdict.ANSWERED, truncated=True)


def _asks(query: bytes) -> bool:
    """Tell whether it is a question, and not an update, a notice, or what nobody knows yet."""
    flags = int.from_bytes(query[2:4], "big")
    return dns.opcode.from_flags(flags) == dns.opcode.QUERY


def _fill(message: dns.message.Message, response: dns.message.Message, zone: ZoneIndex) -> Verdict:
    """Put code and records into `response`."""
    if message.edns > 0:
        response.set_rcode(dns.rcode.BADVERS)
        return Verdict.MALFORMED
    if len(message.question) != 1:
        response.set_rcode(dns.rcode.FORMERR)
        return Verdict.MALFORMED
    question = message.question[0]
    if (
        not question.name.is_subdomain(zone.origin)
        or question.rdclass not in (dns.rdataclass.IN, dns.rdataclass.ANY)
        or question.rdtype in _TRANSFERS
    ):
        response.set_rcode(dns.rcode.REFUSED)
        return Verdict.REFUSED
    if not zone.loaded:
        response.set_rcode(dns.rcode.SERVFAIL)
        return Verdict.NOT_READY
    name = question.name.to_text(omit_final_dot=True).lower()
    response.flags |= dns.flags.AA
    rrsets = zone.rrsets(question.name, name)
    matching = [rrset for rrset in rrsets if question.rdtype in (rrset.rdtype, dns.rdatatype.ANY)]
    if matching:
        response.answer.append(matching[0])
        return Verdict.ANSWERED
    exists = zone.exists(name)
    if not (exists or zone.sure):
        response.flags &= ~dns.flags.AA
        response.set_rcode(dns.rcode.SERVFAIL)
        return Verdict.NOT_READY
    response.authority.append(zone.negative_soa())
    if exists:
        return Verdict.NO_DATA
    response.set_rcode(dns.rcode.NXDOMAIN)
    return Verdict.NO_NAME


def _truncated(response: dns.message.Message) -> dns.message.Message:
    """Empty the sections: a client that sees TC asks again over TCP and ignores the rest."""
    response.flags |= dns.flags.TC
    response.answer.clear()
    response.authority.clear()
    return response


def _bare(query: bytes, rcode: dns.rcode.Rcode, verdict: Verdict) -> Reply:
    """A header with a code and nothing else, for messages that cannot be read."""
    flags = bytes((0x80 | query[2] & 0x79, int(rcode)))
    return Reply(query[:2] + flags + bytes(8), verdict)


def _rdata(rdtype: dns.rdatatype.RdataType, text: str) -> dns.rdata.Rdata:
    return dns.rdata.from_text(dns.rdataclass.IN, rdtype, text)


def _question_end(query: bytes) -> int:
    """Find where the only question ends.

    Raises:
        ValueError: there is not exactly one whole, uncompressed question.
    """
    if query[4:6] != b"\x00\x01":
        raise ValueError("a query has one question")
    position = _HEADER_SIZE
    while position < len(query) and query[position]:
        if query[position] > 63:
            raise ValueError("the name of a question is not compressed")
        position += query[position] + 1
    if position + 5 > len(query):
        raise ValueError("the question is cut off")
    return position + 5


def _inner_names(texts: Mapping[str, str], apex: str) -> frozenset[str]:
    """The apex and every name between it and a record that has no record itself."""
    inner = {apex}
    for name in texts:
        parent = name.partition(".")[2]
        while parent not in inner and parent.endswith(apex):
            inner.add(parent)
            parent = parent.partition(".")[2]
    return frozenset(inner)
