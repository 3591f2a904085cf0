"""The EIP-1459 tree as a value: built, signed and compared; it never touches the network.

The same nodes and links always give the same tree, byte for byte the one of go-ethereum: nodes in
the order of their ids, links as given, at most 13 children to a branch so that a reply stays below
512 bytes (`p2p/dnsdisc/tree.go`).
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from statusnode.crypto.keys import PrivateKey
from statusnode.records.enr import Record
from statusnode.records.entries import (
    Branch,
    Entry,
    Link,
    Root,
    TreeError,
    check_domain,
    has_label,
    is_entry,
    label_of,
    parse_entry,
)
from statusnode.records.walk import Walk

__all__ = [
    "MAX_CHILDREN",
    "Branch",
    "Entry",
    "Link",
    "Root",
    "SignedTree",
    "Tree",
    "TreeError",
    "check_domain",
    "has_label",
    "is_entry",
    "label_of",
    "parse_entry",
]

MAX_CHILDREN: Final = 13


@dataclass(frozen=True, slots=True)
class Tree:
    """A tree without a root: what it says, and its entries by their labels.

    `entries` holds both subtrees; `node_root` and `link_root` are the labels where they begin.
    """

    nodes: tuple[Record, ...]
    links: tuple[Link, ...]
    node_root: str
    link_root: str
    entries: Mapping[str, str]

    @classmethod
    def build(cls, nodes: Sequence[Record], links: Sequence[Link] = ()) -> Tree:
        """Make the tree of these nodes and links.

        Raises:
            TreeError: a node or a link is there twice.
        """
        ordered = tuple(sorted(nodes, key=lambda node: node.node_id))
        for first, second in itertools.pairwise(ordered):
            if first.node_id == second.node_id:
                raise TreeError(f"two records of one node: {first.enode()}")
        if len(set(links)) != len(links):
            raise TreeError("a link is there twice")
        entries: dict[str, str] = {}
        node_root = _add(entries, [str(node) for node in ordered])
        link_root = _add(entries, [str(link) for link in links])
        return cls(ordered, tuple(links), node_root, link_root, MappingProxyType(entries))

    def sign(self, key: PrivateKey, domain: str, seq: int) -> SignedTree:
        """Put a root on the tree. The domain is no part of what is signed.

        Raises:
            TreeError: the domain or the sequence number is none.
        """
        link = Link(key.public_key, check_domain(domain))
        return SignedTree(self, link, Root.sign(key, self.node_root, self.link_root, seq))


@dataclass(frozen=True, slots=True)
class SignedTree:
    """A tree with its root and its place in the DNS."""

    tree: Tree
    link: Link
    root: Root

    @classmethod
    def parse(cls, url: str, records: Mapping[str, str]) -> SignedTree:
        """Read back what `url` and `records` gave; what the root does not lead to is left out.

        Raises:
            TreeError: the URL is none, the root is not signed by its key, or an entry is missing
                or wrong; the message names it.
        """
        link = Link.parse(url)
        root = Root.parse(records.get(link.domain, ""))
        if not root.is_signed_by(link.public_key):
            raise TreeError(f"the root at {link.domain} is not signed by the key of the URL")
        walk = Walk(root)
        while batch := walk.take_wanted():
            for wanted in batch:
                text = records.get(f"{wanted.label}.{link.domain}")
                if text is None:
                    walk.fail(wanted, "missing")
                else:
                    walk.receive(wanted, text)
        if walk.problems:
            problem = walk.problems[0]
            raise TreeError(f"{problem.label}.{link.domain}: {problem.reason}")
        nodes, links = tuple(walk.nodes), tuple(walk.links)
        tree = Tree(nodes, links, root.nodes, root.links, MappingProxyType(walk.entries))
        return cls(tree, link, root)

    @property
    def url(self) -> str:
        """The `enrtree://` URL by which readers find and check the tree."""
        return str(self.link)

    @property
    def domain(self) -> str:
        """The name of the root."""
        return self.link.domain

    @property
    def seq(self) -> int:
        """The version of the tree."""
        return self.root.seq

    def records(self) -> dict[str, str]:
        """Every TXT record of the tree: its full name (without a final dot) and its content."""
        domain = self.domain
        records = {domain: str(self.root)}
        records.update((f"{label}.{domain}", text) for label, text in self.tree.entries.items())
        return records


def _add(entries: dict[str, str], texts: list[str]) -> str:
    """Add one subtree, from its leaves up, and return the label where it begins."""
    labels = []
    for text in texts:
        label = label_of(text)
        entries[label] = text
        labels.append(label)
    while len(labels) != 1:
        # A last group of one stays a bare leaf and moves up as it is.
        groups = [labels[at : at + MAX_CHILDREN] for at in range(0, len(labels), MAX_CHILDREN)]
        labels = [_add_branch(entries, group) for group in groups or [[]]]
    return labels[0]


def _add_branch(entries: dict[str, str], labels: list[str]) -> str:
    if len(labels) == 1:
        return labels[0]
    text = str(Branch(tuple(labels)))
    label = label_of(text)
    entries[label] = text
    return label
