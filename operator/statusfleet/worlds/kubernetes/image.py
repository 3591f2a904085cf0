"""Which image members run: what the spec says, filled up from the operator's own. Pure."""

from __future__ import annotations

from statusfleet.api.spec import Image


def image_of(wish: Image, own: str) -> str:
    """Return the reference of an image; `own` is that of the operator, with a tag or digest.

    A spec that names another repository and neither tag nor digest means that repository's
    version of the operator's tag, since node and operator are released together.
    """
    own_repository, own_tag, own_digest = _parts(own)
    repository = wish.repository or own_repository
    if wish.digest:
        tag, digest = wish.tag, wish.digest
    elif wish.tag:
        tag, digest = wish.tag, ""
    else:
        tag, digest = own_tag, "" if wish.repository else own_digest
    return repository + (f":{tag}" if tag else "") + (f"@{digest}" if digest else "")


def _parts(reference: str) -> tuple[str, str, str]:
    """Part a reference into repository, tag and digest."""
    rest, _, digest = reference.partition("@")
    head, slash, last = rest.rpartition("/")
    name, _, tag = last.partition(":")
    return head + slash + name, tag, digest
