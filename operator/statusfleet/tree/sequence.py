"""Which sequence number a tree gets: one more when it changed, the same when it did not.

Readers refuse a number lower than one they have seen, so a number is never given twice to different
trees, across restarts and restores too.
"""

from __future__ import annotations

from statusnode.records.tree import SignedTree, Tree


def next_sequence(
    tree: Tree, url: str, *, published: SignedTree | None, highest_seen: int = 0
) -> int:
    """Return the number for `tree` at `url`.

    `published` is what readers may hold now, `highest_seen` the highest number that was ever kept
    on disk or read from a sink. Where that is above the published tree's, another tree may have
    been shown under it (a crash between keeping the number and keeping the tree), so it is spent.
    """
    if published is None:
        return highest_seen + 1
    same = (
        published.url == url
        and published.root.nodes == tree.node_root
        and published.root.links == tree.link_root
    )
    if same and published.seq >= highest_seen:
        return published.seq
    return max(published.seq, highest_seen) + 1
