"""Changes of TXT records, cut into what fits one DNS message each."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

import dns.name
import dns.rdata
import dns.rdataclass
import dns.rdatatype
import dns.rdtypes.ANY.TXT

from statusfleet.publishers.authorities import text_of
from statusfleet.tree.zone import split_text

MAX_MESSAGE: Final = 60_000
_FIXED_SIZE: Final = 12  # type, class, TTL and length of a record; all names are written whole


@dataclass(frozen=True, slots=True)
class Change:
    """Records to delete at a name, and then a text to add ("" for none)."""

    name: str
    ttl: int
    text: str
    removed: tuple[dns.rdata.Rdata, ...]

    @property
    def size(self) -> int:
        """The most bytes that it takes in a message."""
        texts = [len(self.text)] if self.text else []
        texts += [len(text_of(data)) for data in self.removed]
        head = len(self.name) + 2 + _FIXED_SIZE
        return sum(head + size + size // 255 + 1 for size in texts)


def parts(changes: Iterable[Change]) -> Iterator[list[Change]]:
    """Cut changes into what fits one message each."""
    part: list[Change] = []
    size = 0
    for change in changes:
        if part and size + change.size > MAX_MESSAGE:
            yield part
            part, size = [], 0
        part.append(change)
        size += change.size
    if part:
        yield part


def absolute(name: str) -> dns.name.Name:
    """Return a name for the wire."""
    return dns.name.from_text(name)


def txt(text: str) -> dns.rdata.Rdata:
    """Return the TXT record of a text, in strings that the DNS can carry."""
    strings = [part.encode() for part in split_text(text)]
    return dns.rdtypes.ANY.TXT.TXT(dns.rdataclass.IN, dns.rdatatype.TXT, strings)
