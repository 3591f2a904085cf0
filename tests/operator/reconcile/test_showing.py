"""What is said of members that not every sink shows."""

from __future__ import annotations

import pytest

from statusfleet.api.status import ConditionType
from statusfleet.publishers.sink import WholeZone
from statusfleet.reconcile.fleet import Reconciler
from statusfleet.reconcile.publishing import TreeKeeper
from statusfleet.reconcile.reasons import Reason
from statusfleet.reconcile.showing import SinkState, TreeState, words_of_missing
from statusfleet.reconcile.status import fleet_status
from support.fleet_fakes import FakeDns, Stage, with_relayers

BOTH = frozenset(("relayer-0", "relayer-1"))
HERE = SinkState("embedded", "Published", 3)
NOT_YET = SinkState("rfc2136:ns1.example.org:53", "Failed", 0, "it does not answer")


@pytest.mark.parametrize(
    ("tree", "words"),
    [
        (TreeState(), "not in the tree yet: relayer-0, relayer-1"),
        (
            TreeState(seq=3, signed=BOTH, sinks=(HERE, NOT_YET)),
            (
                "not in the tree at rfc2136:ns1.example.org:53 yet: relayer-0, relayer-1; "
                "number 3 with 2 records is served by embedded"
            ),
        ),
        (
            TreeState(seq=3, signed=frozenset(("relayer-0",)), sinks=(HERE, NOT_YET)),
            (
                "not in the tree yet: relayer-1; "
                "not in the tree at rfc2136:ns1.example.org:53 yet: relayer-0; "
                "number 3 with 1 record is served by embedded"
            ),
        ),
        (
            TreeState(seq=4, signed=BOTH, sinks=(HERE, NOT_YET)),
            "not in the tree yet: relayer-0, relayer-1",
        ),
    ],
    ids=["no tree", "at one sink", "one of two", "nowhere"],
)
def test_words_tell_which_sink_lacks_members_and_which_serves_them(
    tree: TreeState, words: str
) -> None:
    assert words_of_missing(tree, sorted(BOTH), 5) == words


async def test_a_tree_that_one_sink_serves_is_counted_and_told_where_another_lacks_it(
    stage: Stage,
) -> None:
    there, refusing = FakeDns(), FakeDns(refuses="it does not answer")
    sinks = [WholeZone("embedded", there), WholeZone("zoneFile:eth", refusing)]
    keeper = TreeKeeper(stage.store, sinks, lambda: stage.time)
    stage.reconciler = Reconciler(
        stage.world, keeper, stage.store, lambda: stage.time, grace_seconds=0.0
    )
    fleet = with_relayers(2)
    report = await stage.grown(fleet)
    ready = next(one for one in report.findings if one.type == ConditionType.READY)
    assert (ready.status, ready.reason) == ("False", Reason.NOT_PUBLISHED)
    assert "not in the tree at zoneFile:eth yet: mailserver-0" in ready.message
    assert "number 1 with 3 records is served by embedded" in ready.message
    assert fleet_status(fleet, report, {}, stage.time)["tree"]["records"] == 3
