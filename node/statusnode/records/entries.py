"""The four kinds of entries of an EIP-1459 tree, as text: root, branch, link, and node record.

Each is the content of one DNS TXT record. The owner name of all but the root is the hash of the
text, so an entry proves itself; the root is proved by its signature. Contents are case-sensitive,
owner names are not. Source: EIP-1459, "DNS Record Structure"; limits as in go-ethereum p2p/dnsdisc.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final, TypeAlias

from statusnode.codec.base import (
    BaseEncodingError,
    base32_decode,
    base32_encode,
    base64url_decode,
    base64url_encode,
)
from statusnode.crypto.keccak import keccak256
from statusnode.crypto.keys import SIGNATURE_SIZE, KeyFormatError, PrivateKey, PublicKey, recover
from statusnode.records.enr import PREFIX as RECORD_PREFIX
from statusnode.records.enr import Record, RecordError

ROOT_PREFIX: Final = "enrtree-root:v1"
BRANCH_PREFIX: Final = "enrtree-branch:"
LINK_PREFIX: Final = "enrtree://"
MAX_SEQ: Final = 2**64 - 1
LABEL_SIZE: Final = 26
_ABBREVIATED_HASH_SIZE: Final = 16
_MIN_HASH_SIZE: Final = 12
_MAX_HASH_SIZE: Final = 32
# A name in the DNS has 253 characters, of which an entry's label and its dot take 27.
MAX_DOMAIN_SIZE: Final = 253 - LABEL_SIZE - 1
_ROOT: Final = re.compile(
    rf"{ROOT_PREFIX} e=(?P<nodes>\S+) l=(?P<links>\S+) seq=(?P<seq>0|[1-9][0-9]{{0,19}})"
    r" sig=(?P<signature>\S+)",
    re.ASCII,
)
_DOMAIN: Final = re.compile(
    r"(?:[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?\.)*[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?",
    re.ASCII | re.IGNORECASE,
)


class TreeError(ValueError):
    """A tree, or an entry of one, that is not as EIP-1459 wants it."""


@dataclass(frozen=True, slots=True)
class Root:
    """The signed entry at the tree's own name: where its two subtrees begin, and its version."""

    nodes: str
    links: str
    seq: int
    signature: bytes

    @classmethod
    def sign(cls, key: PrivateKey, nodes: str, links: str, seq: int) -> Root:
        """Make the root of the subtrees with these labels.

        Raises:
            TreeError: the sequence number is out of range.
        """
        if not 0 <= seq <= MAX_SEQ:
            raise TreeError(f"a tree cannot have the sequence number {seq}")
        signature = key.sign(keccak256(_root_content(nodes, links, seq).encode()))
        return cls(nodes, links, seq, signature)

    @classmethod
    def parse(cls, text: str) -> Root:
        """Read a root; whether its signature holds is asked with `is_signed_by`.

        Raises:
            TreeError: the text is no root.
        """
        match = _ROOT.fullmatch(text)
        if match is None:
            raise TreeError(f'a root is of the form "{ROOT_PREFIX} e=… l=… seq=… sig=…"')
        seq = int(match["seq"])
        if seq > MAX_SEQ:
            raise TreeError(f"a tree cannot have the sequence number {seq}")
        try:
            signature = base64url_decode(match["signature"])
        except BaseEncodingError as error:
            raise TreeError(f"the signature of the root: {error}") from error
        if len(signature) != SIGNATURE_SIZE:
            raise TreeError(f"the signature of the root has {len(signature)} bytes")
        return cls(_check_hash(match["nodes"]), _check_hash(match["links"]), seq, signature)

    def is_signed_by(self, key: PublicKey) -> bool:
        """Tell whether `key` signed this root."""
        digest = keccak256(_root_content(self.nodes, self.links, self.seq).encode())
        try:
            return recover(digest, self.signature) == key
        except KeyFormatError:
            return False

    def __str__(self) -> str:
        """The content of the TXT record."""
        content = _root_content(self.nodes, self.links, self.seq)
        return f"{content} sig={base64url_encode(self.signature)}"


@dataclass(frozen=True, slots=True)
class Branch:
    """The labels of further entries, possibly none."""

    children: tuple[str, ...]

    @classmethod
    def parse(cls, text: str) -> Branch:
        """Read a branch.

        Raises:
            TreeError: the text is none, or a child is no hash.
        """
        if not text.startswith(BRANCH_PREFIX):
            raise TreeError(f'a branch begins with "{BRANCH_PREFIX}"')
        hashes = text[len(BRANCH_PREFIX) :]
        return cls(tuple(map(_check_hash, hashes.split(","))) if hashes else ())

    def __str__(self) -> str:
        """The content of the TXT record."""
        return BRANCH_PREFIX + ",".join(self.children)


@dataclass(frozen=True, slots=True)
class Link:
    """The URL of a tree: the key that signs it and its domain, in lower case."""

    public_key: PublicKey
    domain: str

    @classmethod
    def parse(cls, text: str) -> Link:
        """Read an `enrtree://` URL.

        Raises:
            TreeError: the text is none; the message says which part is wrong.
        """
        if not text.startswith(LINK_PREFIX):
            raise TreeError(f'the URL of a tree begins with "{LINK_PREFIX}"')
        key_text, at, domain = text[len(LINK_PREFIX) :].partition("@")
        if not at:
            raise TreeError("the URL of a tree is of the form enrtree://KEY@DOMAIN")
        try:
            key = PublicKey.from_point(base32_decode(key_text))
        except (BaseEncodingError, KeyFormatError) as error:
            raise TreeError(f"the key in the URL of a tree: {error}") from error
        return cls(key, check_domain(domain))

    def __str__(self) -> str:
        """The URL."""
        return f"{LINK_PREFIX}{base32_encode(self.public_key.compressed)}@{self.domain}"


Entry: TypeAlias = Branch | Link | Record


def parse_entry(text: str) -> Entry:
    """Read an entry below the root, of whatever kind its first characters tell.

    Raises:
        TreeError: it is of no kind, or not well formed.
    """
    if text.startswith(RECORD_PREFIX):
        try:
            return Record.parse(text)
        except RecordError as error:
            raise TreeError(str(error)) from error
    if text.startswith(BRANCH_PREFIX):
        return Branch.parse(text)
    if text.startswith(LINK_PREFIX):
        return Link.parse(text)
    raise TreeError(f'no entry of a tree begins with "{text[:16]}"')


def is_entry(text: str) -> bool:
    """Tell whether a TXT record claims to be an entry below the root, well formed or not."""
    return text.startswith((RECORD_PREFIX, BRANCH_PREFIX, LINK_PREFIX))


def label_of(text: str) -> str:
    """Return the label under which an entry stands: 26 characters of base32."""
    return base32_encode(keccak256(text.encode())[:_ABBREVIATED_HASH_SIZE])


def has_label(text: str, label: str) -> bool:
    """Tell whether `label`, however abbreviated, is the hash of `text`."""
    return keccak256(text.encode()).startswith(base32_decode(_check_hash(label)))


def check_domain(text: str) -> str:
    """Return the domain of a tree in lower case, without a final dot.

    Raises:
        TreeError: it is no domain, or leaves no room for the labels of entries.
    """
    domain = text.removesuffix(".").lower()
    if not _DOMAIN.fullmatch(domain):
        raise TreeError(f'"{text}" is no domain')
    if len(domain) > MAX_DOMAIN_SIZE:
        raise TreeError(
            f"a domain of {len(domain)} characters; the entries of a tree need theirs, "
            f"so {MAX_DOMAIN_SIZE} are allowed"
        )
    return domain


def _root_content(nodes: str, links: str, seq: int) -> str:
    return f"{ROOT_PREFIX} e={nodes} l={links} seq={seq}"


def _check_hash(text: str) -> str:
    try:
        size = len(base32_decode(text))
    except BaseEncodingError as error:
        raise TreeError(f'"{text[:64]}" is no hash of an entry: {error}') from error
    if not _MIN_HASH_SIZE <= size <= _MAX_HASH_SIZE:
        raise TreeError(f"the hash of an entry has {_MIN_HASH_SIZE} to {_MAX_HASH_SIZE} bytes")
    return text
