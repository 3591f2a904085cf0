"""The entries of a tree as text: the specification's own, and what is none."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from statusnode.records.enr import Record
from statusnode.records.tree import (
    Branch,
    Link,
    Root,
    TreeError,
    check_domain,
    has_label,
    label_of,
    parse_entry,
)
from support.records import TREE_KEY, vector_key, vector_node

# EIP-1459, "DNS Record Structure", with the root as its nodes are really signed.
ROOT = (
    "enrtree-root:v1 e=JWXYDBPXYWG6FX3GMDIBFA6CJ4 l=C7HRFPF3BLGF3YR4DY5KX3SMBE seq=1 "
    "sig=o908WmNp7LibOfPsr4btQwatZJ5URBr2ZAuxvK4UWHlsB9sUOTJQaGAlLPVAhM__XJesCHxLISo94z5Z2a463gA"
)
BRANCH = (
    "enrtree-branch:2XS2367YHAXJFGLZHVAWLQD4ZY,H4FHT4B454P6UXFD7JCYQ5PWDY,"
    "MHTDO6TMUBRIA2XWG5LUDACK24"
)
LINK = "enrtree://AM5FCQLWIZX2QFPNJAP7VUERCCRNGRHWZG3YYHIUV7BVDQ5FDPRT2@morenodes.example.org"


def test_the_example_root() -> None:
    root = Root.parse(ROOT)

    assert (root.nodes, root.links) == ("JWXYDBPXYWG6FX3GMDIBFA6CJ4", "C7HRFPF3BLGF3YR4DY5KX3SMBE")
    assert root.seq == 1
    assert str(root) == ROOT
    assert root.is_signed_by(TREE_KEY.public_key)
    assert not root.is_signed_by(vector_key(0).public_key)
    assert Root.sign(TREE_KEY, root.nodes, root.links, 1) == root


def test_the_example_branch_and_link_stand_under_their_hashes() -> None:
    assert label_of(BRANCH) == "JWXYDBPXYWG6FX3GMDIBFA6CJ4"
    assert label_of(LINK) == "C7HRFPF3BLGF3YR4DY5KX3SMBE"
    assert isinstance(parse_entry(BRANCH), Branch)
    assert str(parse_entry(BRANCH)) == BRANCH
    assert str(parse_entry(LINK)) == LINK


def test_a_branch_may_be_empty() -> None:
    assert parse_entry("enrtree-branch:") == Branch(())
    assert label_of(str(Branch(()))) == "FDXN3SN67NA5DKA4J2GOK7BVQI"


def test_a_node_record_is_an_entry() -> None:
    assert parse_entry(str(vector_node(3))) == vector_node(3)


def test_a_label_may_be_abbreviated_anywhere_between_12_and_32_bytes() -> None:
    assert has_label(BRANCH, label_of(BRANCH))
    assert has_label(BRANCH, label_of(BRANCH)[:20])
    assert not has_label(BRANCH, "A" + label_of(BRANCH)[1:])
    for label in (label_of(BRANCH)[:19], "A" * 53, label_of(BRANCH).lower(), "1" * 26, ""):
        with pytest.raises(TreeError):
            has_label(BRANCH, label)


@pytest.mark.parametrize(
    "text",
    [
        "",
        ROOT.replace("v1", "v2"),
        ROOT.replace("seq=1", "seq=01"),
        ROOT.replace("seq=1", "seq=-1"),
        ROOT.replace("seq=1", f"seq={2**64}"),
        ROOT.replace("seq=1", "seq=٣"),
        ROOT.replace(" l=", "  l="),
        ROOT + " ",
        ROOT[:-1],
        ROOT[:-1] + "B",
        ROOT.replace("e=JWXY", "e=jwxy"),
        ROOT.replace("e=JWXYDBPXYWG6FX3GMDIBFA6CJ4", "e=JWXY"),
    ],
)
def test_what_is_no_root_is_refused(text: str) -> None:
    with pytest.raises(TreeError):
        Root.parse(text)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("v=spf1 -all", "no entry"),
        ("enrtree-root:v1 e=", "no entry"),
        ("enrtree-branch:,", "no hash|12 to 32"),
        ("enrtree-branch:JWXYDBPXYWG6FX3GMDIBFA6CJ4,", "12 to 32"),
        ("enrtree-branch:jwxydbpxywg6fx3gmdibfa6cj4", "no hash"),
        ("enrtree-branch:JWXYDBPXYWG6FX3GMDIBFA6CJ4 ", "no hash"),
        ("enr:AAAA", "canonical RLP"),
        ("enrtree://", "KEY@DOMAIN"),
        ("enrtree://morenodes.example.org", "KEY@DOMAIN"),
        (LINK.replace("AM5F", "am5f"), "base32"),
        (LINK.replace("AM5F", "A25F"), "no point"),
        (LINK.split("@", maxsplit=1)[0] + "@", "no domain"),
        (LINK.split("@", maxsplit=1)[0] + "@a..b", "no domain"),
        (LINK + "/path", "no domain"),
    ],
)
def test_what_is_no_entry_is_refused(text: str, why: str) -> None:
    with pytest.raises(TreeError, match=why):
        parse_entry(text)


def test_a_url_is_read_whatever_the_case_of_its_domain() -> None:
    assert Link.parse(LINK.replace("morenodes.example", "MoreNodes.Example") + ".") == Link.parse(
        LINK
    )


@pytest.mark.parametrize("domain", ["", ".", "a b", "-a.b", "a-.b", "é.org", "a" * 64 + ".b"])
def test_what_is_no_domain_is_refused(domain: str) -> None:
    with pytest.raises(TreeError, match="no domain"):
        check_domain(domain)


def test_a_domain_must_leave_room_for_the_labels_of_entries() -> None:
    fits = ".".join(["a" * 62] * 3 + ["b" * 37])
    assert len(fits) == 226

    assert check_domain(fits.upper()) == fits
    with pytest.raises(TreeError, match="227 characters"):
        check_domain(fits + "b")


@given(st.integers(min_value=0, max_value=2**64 - 1), st.binary(min_size=12, max_size=32))
def test_every_root_reads_back(seq: int, data: bytes) -> None:
    label = label_of(data.hex())
    root = Root.sign(TREE_KEY, label, label, seq)

    assert Root.parse(str(root)) == root
    assert root.is_signed_by(TREE_KEY.public_key)


@given(st.lists(st.integers().map(lambda number: label_of(str(number))), max_size=20))
def test_every_branch_reads_back(labels: list[str]) -> None:
    branch = Branch(tuple(labels))

    assert parse_entry(str(branch)) == branch


@given(
    st.sampled_from(["enrtree-root:v1 e=", "enrtree-branch:", "enrtree://", "enr:", ""]),
    st.text(alphabet="ABC234abc_-,@. =lseqig\u00e9", max_size=80),
)
def test_garbage_is_refused_or_reads_back(prefix: str, rest: str) -> None:
    for read in (parse_entry, Root.parse):
        try:
            entry = read(prefix + rest)
        except TreeError:
            continue
        assert isinstance(entry, Record) or str(entry).lower().startswith(
            (prefix + rest).lower().rstrip(".")
        )
