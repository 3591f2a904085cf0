"""A DNS zone that holds a tree: the embedded server answers from it, zone files are written of it.

The tree's domain is the apex of the zone, to be delegated by whoever owns the domain above. The
minimum of the SOA bounds how long a resolver remembers that an entry was missing (RFC 2308), so it
is short.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from statusfleet.tree.publication import Publication
from statusnode.records.tree import SignedTree

_STRING_SIZE: Final = 255
_SERIAL_BITS: Final = 32


@dataclass(frozen=True, slots=True)
class ZoneSettings:
    """What a zone says besides its tree; times in seconds, names without a final dot.

    `mail` is a domain name, as SOA records write an address: hostmaster.example.org.
    """

    domain: str
    nameservers: tuple[str, ...] = ("localhost",)
    mail: str = ""
    refresh_seconds: int = 3600
    retry_seconds: int = 600
    expire_seconds: int = 1_209_600
    minimum_seconds: int = 60
    root_ttl_seconds: int = 300
    entry_ttl_seconds: int = 86_400

    @property
    def mailbox(self) -> str:
        """The SOA's mail address as a domain name."""
        return self.mail or f"hostmaster.{self.domain}"


@dataclass(frozen=True, slots=True)
class Zone:
    """The whole content of a zone: its settings, its version, its TXT records by full name."""

    settings: ZoneSettings
    serial: int
    texts: Mapping[str, str]

    @classmethod
    def of(cls, publication: Publication | SignedTree, settings: ZoneSettings) -> Zone:
        """Make the zone of a tree; its serial is the tree's sequence number.

        Raises:
            ValueError: the settings are those of another domain.
        """
        tree = publication.tree if isinstance(publication, Publication) else publication
        if tree.domain != settings.domain:
            raise ValueError(f"a tree of {tree.domain} in a zone of {settings.domain}")
        return cls(settings, tree.seq % (1 << _SERIAL_BITS), publication.records())

    def ttl(self, name: str) -> int:
        """The seconds that a TXT record may be remembered."""
        settings = self.settings
        return settings.root_ttl_seconds if name == settings.domain else settings.entry_ttl_seconds

    def to_text(self) -> str:
        """The zone as a master file (RFC 1035, section 5)."""
        return "\n".join(self._lines()) + "\n"

    def _lines(self) -> Iterator[str]:
        settings = self.settings
        yield f"$ORIGIN {settings.domain}."
        yield f"$TTL {settings.entry_ttl_seconds}"
        yield f"@ IN SOA {soa_text(self)}"
        for nameserver in settings.nameservers:
            yield f"@ IN NS {nameserver}."
        for name, text in self.texts.items():
            strings = " ".join(f'"{part}"' for part in split_text(text))
            label = name.removesuffix(settings.domain).removesuffix(".") or "@"
            yield f"{label} {self.ttl(name)} IN TXT {strings}"


def soa_text(zone: Zone) -> str:
    """The data of the zone's SOA record, in text."""
    settings = zone.settings
    numbers = (
        zone.serial,
        settings.refresh_seconds,
        settings.retry_seconds,
        settings.expire_seconds,
        settings.minimum_seconds,
    )
    names = f"{settings.nameservers[0]}. {settings.mailbox}."
    return f"{names} {' '.join(map(str, numbers))}"


def split_text(text: str) -> list[str]:
    """Cut the content of a TXT record into strings that the DNS can carry; readers join them."""
    return [text[at : at + _STRING_SIZE] for at in range(0, len(text), _STRING_SIZE)] or [""]
