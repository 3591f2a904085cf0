"""The nodes and trees that tests of records share: go-ethereum gives the same for them."""

from __future__ import annotations

import functools

from statusnode.crypto.keccak import keccak256
from statusnode.crypto.keys import PrivateKey
from statusnode.records.enr import Record
from statusnode.records.tree import Link, SignedTree, Tree

# The key that signs the example tree of EIP-1459 (go-ethereum's public test key).
TREE_KEY = PrivateKey.from_hex("dc599867fc513f8f5e2c2c9c489cde5e71362d1d9ec6e693e0de063236ed1240")
DOMAIN = "nodes.example.org"


@functools.cache
def vector_key(number: int) -> PrivateKey:
    """The key of node `number`: keccak256 of "vector-0", "vector-1", …"""
    return PrivateKey(keccak256(f"vector-{number}".encode()))


@functools.cache
def vector_node(number: int) -> Record:
    """Node `number`, at an address made of its number."""
    ip = f"10.0.{number >> 8}.{number & 255}"
    return Record.sign(vector_key(number), number + 1, ip=ip, tcp=30303, udp=30303)


def vector_tree(
    nodes: int, seq: int = 7, links: tuple[Link, ...] = (), domain: str = DOMAIN
) -> SignedTree:
    """The signed tree of the first nodes."""
    tree = Tree.build([vector_node(number) for number in range(nodes)], links)
    return tree.sign(TREE_KEY, domain, seq)
