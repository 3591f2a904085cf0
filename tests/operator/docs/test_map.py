"""The page of all pages leads to every page."""

from __future__ import annotations

from support.documentation import ROOT, Document, documents


def test_every_page_is_on_the_map() -> None:
    page = Document(ROOT / "docs/README.md")
    linked = {(page.path.parent / link.partition("#")[0]).resolve() for link in page.links}
    pages = {one.path for one in documents() if ROOT / "docs" in one.path.parents}
    assert pages - {page.path} <= linked
