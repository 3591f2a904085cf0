"""The texts of a manifest: each with a maximum, a pattern and one sentence that says what it is.

A pattern is written for RE2 and Python alike: the CRD carries it as a CEL rule with the same
sentence, so `kubectl apply` and `statusfleet validate` answer a wrong text with the same words.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from fractions import Fraction
from typing import Annotated, Any, Final

from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, PydanticCustomError, core_schema

from statusfleet.api import duration


@dataclass(frozen=True, slots=True)
class TextFormat:
    """A kind of text: what it may look like and the sentence for what does not."""

    name: str
    max_length: int
    pattern: str
    sentence: str
    min_length: int = 1

    def matches(self, text: str) -> bool:
        """Tell whether `text` is of this kind."""
        return (
            self.min_length <= len(text) <= self.max_length
            and re.search(self.pattern, text, re.ASCII) is not None
        )

    def check(self, text: str) -> str:
        """Return `text`.

        Raises:
            PydanticCustomError: it is not of this kind.
        """
        if len(text) > self.max_length:
            raise PydanticCustomError(
                "text_too_long",
                "may be at most {limit} characters long, not {length}",
                {"limit": self.max_length, "length": len(text)},
            )
        # `$` of Python also matches before a final line feed, RE2's does not.
        if not self.matches(text) or text.endswith("\n"):
            raise PydanticCustomError("text_format", "{sentence}", {"sentence": self.sentence})
        return text

    def __get_pydantic_core_schema__(
        self, source: type[Any], handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        return core_schema.no_info_after_validator_function(
            self.check, core_schema.str_schema(strict=True)
        )

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        # `x-text` is for the CRD generator, which turns it into a rule; it never reaches a cluster.
        return {"type": "string", "maxLength": self.max_length, "x-text": self.name}


_LABEL: Final = r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?"
_HOST: Final = r"[a-zA-Z0-9]([-a-zA-Z0-9]{0,61}[a-zA-Z0-9])?"
_BYTE: Final = r"(25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])"
_IPV4: Final = rf"({_BYTE}\.){{3}}{_BYTE}"
_PORT: Final = (
    r"([1-9][0-9]{0,3}|[1-5][0-9]{4}|6([0-4][0-9]{3}|5([0-4][0-9]{2}|5([0-2][0-9]|3[0-5]))))"
)
_GROUP: Final = "[0-9a-f]{1,4}"
_IPV6: Final = "^({})$".format(
    "|".join(
        [
            rf"({_GROUP}:){{7}}{_GROUP}",
            # Groups on both sides of one "::", seven at most.
            *(rf"({_GROUP}:){{1,{7 - after}}}(:{_GROUP}){{1,{after}}}" for after in range(1, 7)),
            rf"({_GROUP}:){{1,7}}:",
            rf":(:{_GROUP}){{1,7}}",
            "::",
        ]
    )
)

PRIVATE_IPV4: Final = re.compile(
    r"^(0|10|127|169\.254|192\.168|172\.(1[6-9]|2[0-9]|3[01])|"
    r"100\.(6[4-9]|[7-9][0-9]|1[01][0-9]|12[0-7]))\."
)
"""Addresses that mean nothing outside: this host, loopback, link-local, private, carrier's NAT."""
PRIVATE_IPV6: Final = re.compile(r"^(f[cd][0-9a-f]{2}:|fe[89ab][0-9a-f]:|::1?$)")
"""The same: unspecified, loopback, link-local, private (unique local)."""

_FORMATS: Final = (
    TextFormat(
        "dns-label", 63, rf"^{_LABEL}$", "must be a DNS label: lower-case letters, digits, hyphens"
    ),
    TextFormat(
        "dns-name",
        253,
        rf"^({_LABEL}\.)+{_LABEL}$",
        "must be a DNS name of at least two labels, such as nodes.example.org",
    ),
    TextFormat(
        "tree-domain",
        # A record's name is a hash of 26 characters and a dot before the domain.
        226,
        rf"^({_LABEL}\.)+{_LABEL}$",
        "must be a DNS name of at least two labels, such as nodes.example.org",
    ),
    TextFormat(
        "object-name",
        253,
        rf"^{_LABEL}(\.{_LABEL})*$",
        "must be the name of a Kubernetes object: lower-case letters, digits, hyphens, dots",
    ),
    TextFormat(
        "data-key",
        253,
        r"^[-._a-zA-Z0-9]+$",
        "must be a key of a Secret or ConfigMap: letters, digits, hyphens, underscores, dots",
    ),
    TextFormat(
        "fleet-name",
        63,
        r"^[a-z0-9]([-._a-z0-9]*[a-z0-9])?$",
        "must be a fleet's name, such as eth.prod: lower-case letters, digits, hyphens, dots",
    ),
    TextFormat(
        "label-key",
        317,
        rf"^({_LABEL}(\.{_LABEL})*/)?[a-zA-Z0-9]([-._a-zA-Z0-9]{{0,61}}[a-zA-Z0-9])?$",
        "must be a label's key, such as example.org/team",
    ),
    TextFormat(
        "label-value",
        63,
        r"^([a-zA-Z0-9]([-._a-zA-Z0-9]*[a-zA-Z0-9])?)?$",
        "must be a label's value: letters, digits, hyphens, underscores, dots",
        min_length=0,
    ),
    TextFormat(
        "quantity",
        32,
        r"^[0-9]+(\.[0-9]+)?(m|k|M|G|T|P|E|Ki|Mi|Gi|Ti|Pi|Ei)?$",
        "must be an amount as Kubernetes writes it, such as 1Gi or 500m",
    ),
    TextFormat(
        "ipv4", 15, rf"^{_IPV4}$", "must be an IPv4 address, such as 203.0.113.7, never a name"
    ),
    TextFormat(
        "ipv6",
        39,
        _IPV6,
        "must be an IPv6 address in lower case, such as 2001:db8::7, without an IPv4 address in it",
    ),
    TextFormat(
        "enode",
        420,
        r"^enode://[0-9a-fA-F]{128}@(\[[0-9a-fA-F:.]+\]|[-.a-zA-Z0-9]+):[0-9]{1,5}"
        r"(\?discport=[0-9]{1,5})?$",
        "must be an enode URL: enode://<128 hex digits>@<host>:<port>",
    ),
    TextFormat(
        "enrtree",
        320,
        rf"^enrtree://[A-Z2-7]{{53}}@({_LABEL}\.)+{_LABEL}$",
        "must be the URL of a tree: enrtree://<key in base32>@<domain>",
    ),
    TextFormat(
        "host-port",
        261,
        rf"^(\[[0-9a-fA-F:.]+\]|[-.a-zA-Z0-9]+):{_PORT}$",
        "must be a server with its port, such as ns1.example.org:53",
    ),
    TextFormat(
        "image-repository",
        255,
        r"^([-.:a-zA-Z0-9]+/)*[-._a-z0-9]+$|^$",
        "must be an image's repository without tag or digest, such as ghcr.io/example/statusfleet",
        min_length=0,
    ),
    TextFormat(
        "image-tag",
        128,
        r"^([a-zA-Z0-9_][-._a-zA-Z0-9]*)?$",
        "must be an image's tag",
        min_length=0,
    ),
    TextFormat(
        "image-digest",
        71,
        r"^(sha256:[0-9a-f]{64})?$",
        "must be an image's digest: sha256: and 64 hex digits",
        min_length=0,
    ),
    TextFormat(
        "mail",
        # A zone writes it as a name: the user as the first label, and nothing that zones give a
        # meaning of its own.
        250,
        rf"^[-+._a-zA-Z0-9]{{1,63}}@({_HOST}\.)*{_HOST}$",
        "must be a mail address, such as hostmaster@example.org",
    ),
    TextFormat("text", 1024, r"^[^\x00-\x1f]*$", "must be one line of text", min_length=0),
    TextFormat("duration", duration.MAX_TEXT, duration.PATTERN, duration.SENTENCE),
)
FORMATS: Final = {text_format.name: text_format for text_format in _FORMATS}

_QUANTITY: Final = re.compile(r"^([0-9]+(?:\.[0-9]+)?)([a-zA-Z]*)$")
_FACTORS: Final = {
    "m": Fraction(1, 1000),
    "": Fraction(1),
    **{unit: Fraction(1000**power) for power, unit in enumerate("kMGTPE", start=1)},
    **{f"{unit}i": Fraction(1024**power) for power, unit in enumerate("KMGTPE", start=1)},
}


def quantity(text: str) -> Fraction:
    """Return the amount that a text of the format `quantity` means."""
    found = _QUANTITY.match(text)
    if found is None:
        raise ValueError(FORMATS["quantity"].sentence)
    return Fraction(found[1]) * _FACTORS[found[2]]


DnsLabel = Annotated[str, FORMATS["dns-label"]]
DnsName = Annotated[str, FORMATS["dns-name"]]
TreeDomain = Annotated[str, FORMATS["tree-domain"]]
ObjectName = Annotated[str, FORMATS["object-name"]]
DataKey = Annotated[str, FORMATS["data-key"]]
FleetName = Annotated[str, FORMATS["fleet-name"]]
LabelKey = Annotated[str, FORMATS["label-key"]]
LabelValue = Annotated[str, FORMATS["label-value"]]
Quantity = Annotated[str, FORMATS["quantity"]]
IPv4 = Annotated[str, FORMATS["ipv4"]]
IPv6 = Annotated[str, FORMATS["ipv6"]]
EnodeURL = Annotated[str, FORMATS["enode"]]
TreeURL = Annotated[str, FORMATS["enrtree"]]
HostPort = Annotated[str, FORMATS["host-port"]]
ImageRepository = Annotated[str, FORMATS["image-repository"]]
ImageTag = Annotated[str, FORMATS["image-tag"]]
ImageDigest = Annotated[str, FORMATS["image-digest"]]
MailAddress = Annotated[str, FORMATS["mail"]]
Line = Annotated[str, FORMATS["text"]]
