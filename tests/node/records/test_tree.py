"""Trees equal go-ethereum's byte for byte, and hold together when read back."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from statusnode.records.enr import Record
from statusnode.records.tree import (
    MAX_CHILDREN,
    Branch,
    Link,
    SignedTree,
    Tree,
    TreeError,
    label_of,
    parse_entry,
)
from support.records import DOMAIN, TREE_KEY, vector_key, vector_node, vector_tree

# The node records and the link of the example tree of EIP-1459, as the specification prints them.
EXAMPLE_NODES = [
    "enr:-HW4QOFzoVLaFJnNhbgMoDXPnOvcdVuj7pDpqRvh6BRDO68aVi5ZcjB3vzQRZH2IcLBGHzo8uUN3snqmgTiE56CH3AMBgmlkgnY0iXNlY3AyNTZrMaECC2_24YYkYHEgdzxlSNKQEnHhuNAbNlMlWJxrJxbAFvA",
    "enr:-HW4QAggRauloj2SDLtIHN1XBkvhFZ1vtf1raYQp9TBW2RD5EEawDzbtSmlXUfnaHcvwOizhVYLtr7e6vw7NAf6mTuoCgmlkgnY0iXNlY3AyNTZrMaECjrXI8TLNXU0f8cthpAMxEshUyQlK-AM0PW2wfrnacNI",
    "enr:-HW4QLAYqmrwllBEnzWWs7I5Ev2IAs7x_dZlbYdRdMUx5EyKHDXp7AV5CkuPGUPdvbv1_Ms1CPfhcGCvSElSosZmyoqAgmlkgnY0iXNlY3AyNTZrMaECriawHKWdDRk2xeZkrOXBQ0dfMFLHY4eENZwdufn1S1o",
]
EXAMPLE_LINK = (
    "enrtree://AM5FCQLWIZX2QFPNJAP7VUERCCRNGRHWZG3YYHIUV7BVDQ5FDPRT2@morenodes.example.org"
)
EMPTY = "FDXN3SN67NA5DKA4J2GOK7BVQI"


def test_the_example_tree_of_the_specification() -> None:
    nodes = [Record.parse(text) for text in EXAMPLE_NODES]

    signed = Tree.build(nodes, [Link.parse(EXAMPLE_LINK)]).sign(TREE_KEY, DOMAIN, 1)

    assert signed.url == (
        "enrtree://AKPYQIUQIL7PSIACI32J7FGZW56E5FKHEFCCOFHILBIMW3M6LWXS2@nodes.example.org"
    )
    assert signed.records() == {
        "nodes.example.org": (
            "enrtree-root:v1 e=JWXYDBPXYWG6FX3GMDIBFA6CJ4 l=C7HRFPF3BLGF3YR4DY5KX3SMBE seq=1 "
            "sig=o908WmNp7LibOfPsr4btQwatZJ5URBr2ZAuxvK4UWHlsB9sUOTJQaGAlLPVAhM__XJesCHxLISo94z5Z2a463gA"
        ),
        "C7HRFPF3BLGF3YR4DY5KX3SMBE.nodes.example.org": EXAMPLE_LINK,
        "JWXYDBPXYWG6FX3GMDIBFA6CJ4.nodes.example.org": (
            "enrtree-branch:2XS2367YHAXJFGLZHVAWLQD4ZY,H4FHT4B454P6UXFD7JCYQ5PWDY,"
            "MHTDO6TMUBRIA2XWG5LUDACK24"
        ),
        "2XS2367YHAXJFGLZHVAWLQD4ZY.nodes.example.org": EXAMPLE_NODES[0],
        "H4FHT4B454P6UXFD7JCYQ5PWDY.nodes.example.org": EXAMPLE_NODES[1],
        "MHTDO6TMUBRIA2XWG5LUDACK24.nodes.example.org": EXAMPLE_NODES[2],
    }


@pytest.mark.parametrize(
    ("nodes", "records", "label", "signature"),
    [
        (
            0,
            2,
            EMPTY,
            "XD0fWBYHcq2OiApozih_Gnpa0GzPPBxgONSYJLAvHkEjncy98OutFfkUItnI3IAJXQtOIvucKSrwYB5gFjjOjwA",
        ),
        (
            1,
            3,
            "MOYOL6CT3U5WEDKI2JRHUS356A",
            "5FDRhnZimIgb83znNzMqObvoPMfK_h5YjjLs9lJ_fhlfpxinp63gUi8SQrv6NzjXb_W_6rY6rsikHpqyy9InpAA",
        ),
        (
            13,
            16,
            "NLH45XXHB6UEQHSC2MHMNB5WHI",
            "io7zvDsUxNaNyBjc21oa3jvD6Y5XcdGbMwLBslRknBkcNejZ1u_fCDSSOodJk-cAjmSkYfjiRmIgnXpzKnYIrQA",
        ),
        (
            14,
            18,
            "R5DOJOTXHP7KIQ3LCACLIRGUEA",
            "5svpP-UxVtaCDh2wLUwgmV_q3sUCSvk0vxmHYxODItUL4n8IP46m7J0t46DczdAl0mtqjPxLh6t3wCMHHQ-X-gE",
        ),
        (
            170,
            187,
            "ZOHW7ZN7YW7EW6F6TOS4GKIBCQ",
            "W8sBQdZL55CJjtb9wE-sbYLvUNnJvaM2Wz3uSDSsXgpTB7KyRXOQrRl1A4DeWEIrPISUp8q_7O4VcpV1mOHzYQE",
        ),
        (
            500,
            545,
            "AQYTKJ6PP5C7Y3MW4B452C75QI",
            "U25nE9xXoUkIjkoOkvy-eNL26mBJU_ECpG21HDOZsdUwqEBViLiYfKQURR0XhfkhNBnILGt6rCpYSyZiXlONsQE",
        ),
    ],
)
def test_trees_of_go_ethereum(nodes: int, records: int, label: str, signature: str) -> None:
    signed = vector_tree(nodes)

    assert len(signed.records()) == records
    assert str(signed.root) == f"enrtree-root:v1 e={label} l={EMPTY} seq=7 sig={signature}"


def test_the_order_of_nodes_does_not_matter_and_that_of_links_does() -> None:
    nodes = [vector_node(number) for number in range(40)]
    links = [Link(vector_key(number).public_key, f"{number}.example.org") for number in range(20)]
    shuffled = random.Random(1).sample(nodes, len(nodes))

    tree = Tree.build(nodes, links)

    assert Tree.build(shuffled, links) == tree
    assert Tree.build(nodes, links[::-1]).link_root != tree.link_root
    assert tree.links == tuple(links)


def test_no_reply_is_too_long_for_a_plain_datagram() -> None:
    for text in vector_tree(500).records().values():
        assert len(text) < 400


def test_every_entry_stands_under_its_hash() -> None:
    for label, text in vector_tree(200).tree.entries.items():
        assert label == label_of(text)
        entry = parse_entry(text)
        if isinstance(entry, Branch):
            assert 2 <= len(entry.children) <= MAX_CHILDREN or entry.children == ()


def test_one_changed_node_changes_only_its_path() -> None:
    before = vector_tree(500)
    nodes = [*before.tree.nodes]
    index = next(i for i, node in enumerate(nodes) if node.node_id == vector_node(7).node_id)
    nodes[index] = Record.sign(vector_key(7), 100, ip="10.1.1.1", tcp=1, udp=1)

    after = Tree.build(nodes)

    assert len(after.entries.keys() - before.tree.entries.keys()) == 4
    assert len(before.tree.entries.keys() - after.entries.keys()) == 4


def test_two_records_of_one_node_are_refused() -> None:
    again = Record.sign(vector_key(0), 2, ip="10.0.0.9", tcp=1)

    with pytest.raises(TreeError, match="two records of one node: enode://"):
        Tree.build([vector_node(0), vector_node(1), again])


def test_a_link_that_is_there_twice_is_refused() -> None:
    with pytest.raises(TreeError, match="twice"):
        Tree.build([], [Link.parse(EXAMPLE_LINK)] * 2)


@pytest.mark.parametrize("seq", [-1, 2**64])
def test_a_sequence_number_has_64_bits(seq: int) -> None:
    with pytest.raises(TreeError, match="sequence number"):
        Tree.build([]).sign(TREE_KEY, DOMAIN, seq)


@pytest.mark.parametrize("nodes", [0, 1, 2, 13, 14, 27, 170])
@pytest.mark.parametrize("links", [0, 1, 14])
def test_a_signed_tree_reads_back(nodes: int, links: int) -> None:
    given_links = tuple(
        Link(vector_key(number).public_key, f"tree-{number}.example.org") for number in range(links)
    )
    signed = vector_tree(nodes, links=given_links)

    again = SignedTree.parse(signed.url, {**signed.records(), "other.example.org": "something"})

    assert again == signed


@given(st.integers(min_value=0, max_value=80), st.integers(min_value=0, max_value=80))
def test_a_tree_with_an_entry_missing_is_refused_by_its_name(nodes: int, index: int) -> None:
    signed = vector_tree(nodes)
    records = signed.records()
    name = sorted(records)[index % len(records)]
    del records[name]

    with pytest.raises(TreeError, match=name if name != DOMAIN else "a root is of the form"):
        SignedTree.parse(signed.url, records)


def test_a_tree_with_a_wrong_entry_is_refused_by_its_name() -> None:
    signed = vector_tree(14)
    records = signed.records()
    first, second = sorted(name for name, text in records.items() if text.startswith("enr:"))[:2]
    records[first] = records[second]

    with pytest.raises(TreeError, match=f"{first}: the entry is not the one"):
        SignedTree.parse(signed.url, records)


def test_a_tree_signed_by_another_key_is_refused() -> None:
    tree = vector_tree(3).tree
    other = tree.sign(vector_key(1), DOMAIN, 7)

    with pytest.raises(TreeError, match="not signed by the key"):
        SignedTree.parse(vector_tree(3).url, other.records())
