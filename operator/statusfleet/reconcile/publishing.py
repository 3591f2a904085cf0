"""The tree of a fleet, from decision to proof: signed, remembered, shown everywhere, read back.

In this order, and each step only after the one before: what other writers left at the sinks is
looked at, so that a number never falls; a number is remembered before anybody sees it, so no crash
makes two trees share one; a sink has the new entries before its root moves; entries go when their
time is over, and are forgotten only when every sink has let them go; and what is served counts as
propagated only when it was read back and verified like a stranger would.

Their time is counted from when readers were last seen to get an old root, with the longest TTL that
any root had which they may still hold: both are remembered, or asked for.

A sink that fails holds up nobody but itself: it keeps the whole old tree until it takes the new.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import replace

from statusfleet.api.tree import Sink as SinkSpec
from statusfleet.plan import DesiredTree
from statusfleet.publishers.sink import Sink, Target
from statusfleet.reconcile.place import withdrawal, zone_settings
from statusfleet.reconcile.places import Places, Waiting
from statusfleet.reconcile.showing import SinkState, TreeState
from statusfleet.reconcile.twins import Namesakes
from statusfleet.reconcile.withdrawing import Reach, Withdrawals, remembered
from statusfleet.store import RootTtl, Store
from statusfleet.store.state import Shown
from statusfleet.tree.publication import Publication
from statusfleet.tree.sequence import next_sequence
from statusnode.crypto.keys import PrivateKey
from statusnode.records.enr import Record
from statusnode.records.tree import Link, Tree, TreeError


class TreeKeeper:
    """Keeps one fleet's tree published."""

    def __init__(
        self,
        store: Store,
        sinks: Iterable[Sink],
        now: Callable[[], float],
        *,
        waiting: Waiting = nullcontext,
        reach: Reach | None = None,
        served: int = 0,
        namesakes: Namesakes = lambda _url: (),
        ended: Callable[[], None] | None = None,
    ) -> None:
        """Take the memory and the sinks; `waiting` surrounds every wait for sinks.

        With `ended`, `publish` waits for no sink that takes its time, and `ended` is called when
        that sink is through: then publish again.
        With `reach`, sinks that are no longer used are reached again, to withdraw the tree there.
        `served` is the number of the tree that every sink had when a process before this one said
        so. `namesakes` names other fleets that are known to have a tree of a URL.
        """
        self._store = store
        self._places = Places(sinks, now, waiting, namesakes, ended)
        self._now = now
        self._publication: Publication | None = None
        self._is_withdrawn = False  # as an earlier fleet of that name was deleted
        self._serving: Publication | None = None
        self._served = served
        self._root_ttl = RootTtl()
        self._link: Link | None = None
        self._specs: dict[str, SinkSpec] = {}
        self._shown: Shown = {}
        self._withdrawals = Withdrawals(reach, now, waiting) if reach is not None else None

    @property
    def publication(self) -> Publication | None:
        """What was published last; None before the first tree, and before `recall`."""
        return self._publication

    @property
    def published(self) -> Publication | None:
        """`publication` where readers may find it: nobody finds what was withdrawn."""
        return None if self._is_withdrawn else self._publication

    @property
    def serving(self) -> Publication | None:
        """What every sink served last, as far as is known; behind `publication` while one fails."""
        return self._serving

    @property
    def behind(self) -> bool:
        """Whether some sink may show a tree that is neither `publication` nor `serving`."""
        known = {str(p.tree.root) for p in (self._publication, self._serving) if p is not None}
        return self._publication is not None and self._places.may_show_another(known)

    @property
    def states(self) -> tuple[SinkState, ...]:
        """How far each sink is, as last seen."""
        return self._places.states

    @property
    def retry_at(self) -> float | None:
        """When to publish again although nothing has changed, because a sink is not there yet.

        Unix seconds; from two seconds on later and later, to a minute.
        """
        return self._places.retry_at

    @property
    def next_expiry(self) -> float | None:
        """When the next retired entry may go (Unix seconds), None where there is none."""
        if self._publication is None:
            return None
        return self._publication.pruned(now=self._now()).next_expiry

    @property
    def leftovers(self) -> dict[str, str]:
        """The sinks that are not used any more and still show the tree, by name, each with what
        keeps it there.
        """
        return self._withdrawals.problems if self._withdrawals is not None else {}

    @property
    def let_go_at(self) -> float | None:
        """When to try again to withdraw the tree from a leftover (Unix seconds), if at all."""
        return self._withdrawals.retry_at if self._withdrawals is not None else None

    def kept_seconds(self, root_ttl_seconds: int, *, now: float) -> float:
        """Return for how long readers may keep a root that they got by `now` (Unix seconds).

        That is its TTL, `root_ttl_seconds` as the spec says, or an earlier and longer one.
        """
        return self._root_ttl.kept_seconds(root_ttl_seconds, now=now)

    async def __aenter__(self) -> TreeKeeper:
        return self

    async def __aexit__(self, *_: object) -> None:
        """End what is under way at sinks; what is published stays."""
        await self._places.stop()

    async def use(self, sinks: Iterable[Sink], specs: Iterable[SinkSpec] = ()) -> tuple[Sink, ...]:
        """Publish to these sinks from now on; return those that are not used any more.

        What is known of a sink that stays is kept. The caller closes the others. A sink whose spec
        is among `specs`, by its name, is remembered while it may show the tree.
        """
        self._specs = {spec.name: remembered(spec) for spec in specs}
        return await self._places.use(sinks)

    async def recall(self) -> None:
        """Take up what was published last, by this process or by one before it.

        Raises:
            StoreError: the memory cannot be read.
        """
        if self._publication is None:
            state = await self._store.read()
            memory, self._root_ttl = state.tree, state.underway.root_ttl
            self._publication, self._shown = memory.publication, memory.shown
            self._is_withdrawn = bool(memory.withdrawn)
            if memory.publication is not None and memory.publication.tree.seq == self._served:
                self._serving = memory.publication

    async def publish(
        self, desired: DesiredTree, records: Sequence[Record] | None, key: PrivateKey
    ) -> TreeState:
        """Publish a tree of `records`, if it is another than the present one, and prove it.

        None instead of records keeps the tree as it is. Before there ever was a record, there is
        no tree.

        Raises:
            StoreError: the memory cannot be written; nothing has changed then.
        """
        link = Link(key.public_key, desired.domain)
        state = TreeState(url=str(link))
        if link != self._link:
            self._link = link
            await self._places.forget()
        if self._publication is not None and self._publication.tree.link != link and self._shown:
            # What there is of the old tree is known only until a new one takes its place.
            named = ", ".join(sorted(self._shown))
            old = self._publication.tree.domain
            return replace(state, problem=f"the tree at {old} is withdrawn first: {named}")
        if records or (records is not None and self.published is not None):
            await self._meet(link, records)
            try:
                await self._decide(desired, records, link, key)
            except TreeError as error:
                return replace(state, problem=str(error), refused=True)
        elif self.published is not None:
            await self._meet(link)
        if self.published is None or self.published.tree.link != link:
            return replace(state, sinks=self.states)
        return await self._serve(desired, self.published, state)

    async def let_go(self, *, keep: bool) -> tuple[frozenset[str], frozenset[str]]:
        """Withdraw the tree from sinks that are not used any more and may show it.

        Return the names of those from which it was taken now, and of those where it is left for
        ever: with `keep`, all but the fleet's own servers. What fails is kept in `leftovers`; so is
        every one while no sink of the spec has the tree: one mistyped server takes it from nobody.

        Raises:
            StoreError: the memory cannot be written; all is done again then.
        """
        publication, dropped = self._publication, self._dropped()
        if publication is None or self._withdrawals is None:
            return frozenset(), frozenset()
        left = frozenset(name for name, spec in dropped.items() if keep and spec.embedded is None)
        due = {name: spec for name, spec in dropped.items() if name not in left}
        taken = frozenset[str]()
        shared = self._link == publication.tree.link
        if shared and self._places.every and not self._places.any_served:
            self._withdrawals.hold(due)
        else:
            taken = await self._withdrawals.take(due, withdrawal(publication), shared=shared)
        await self._keep_shown({n: s for n, s in self._shown.items() if n not in taken | left})
        if taken:  # it may have been the same server under another name
            await self._places.forget()
        return taken, left

    async def unpublish(self) -> tuple[SinkState, ...]:
        """Take the tree away from every sink; Published in the answer means that it is still there.

        May be repeated until no sink fails. The tree itself stays remembered.

        Raises:
            StoreError: the memory cannot be written; all is done again then.
        """
        publication = self._publication
        if publication is None:
            return ()
        await self._places.stop()
        await self._meet(publication.tree.link, patient=True)
        target = withdrawal(publication)
        await self._places.withdraw(target, self._shown.keys())
        if self._withdrawals is None:
            return self.states
        taken = await self._withdrawals.take(self._dropped(), target, shared=False, at_once=True)
        await self._keep_shown({n: s for n, s in self._shown.items() if n not in taken})
        left = (SinkState(name, "Failed", 0, text) for name, text in self.leftovers.items())
        return (*self.states, *left)

    def _dropped(self) -> Shown:
        """Return the sinks that may show the tree and should not."""
        publication = self._publication
        names = {place.sink.name for place in self._places.every}
        if publication is not None and self._link not in (None, publication.tree.link):
            names = set()  # what they show is another tree
        return {name: spec for name, spec in self._shown.items() if name not in names}

    def _to_remember(self) -> Shown:
        """Return which sinks may show the tree: also those that are about to be written to.

        How to reach one is taken over only when that has worked.
        """
        fresh = {
            place.sink.name: self._specs[place.sink.name]
            for place in self._places.every
            if place.sink.name in self._specs
            and (place.served is not None or (place.met and place.sink.name not in self._shown))
        }
        return {**self._shown, **fresh}

    async def _keep_shown(self, shown: Shown) -> None:
        if shown != self._shown:
            memory = await self._store.read()
            await self._store.write(replace(memory, tree=replace(memory.tree, shown=shown)))
            self._shown = shown

    async def _meet(
        self, link: Link, records: Sequence[Record] = (), *, patient: bool = False
    ) -> None:
        """Look at sinks; `records` are those that are to be published."""
        publication = self._publication

        async def familiar(nodes: Collection[bytes]) -> bool:
            memory = await self._store.read()
            remembered = [memory.record(member) for member in memory.records]
            ours = {record.node_id for record in (*records, *remembered) if record is not None}
            if publication is not None:
                ours |= {record.node_id for record in publication.tree.tree.nodes}
            return not ours.isdisjoint(nodes)

        known = str(publication.tree.root) if publication is not None else None
        await self._places.meet(link, known, familiar, patient=patient)

    async def _decide(
        self, desired: DesiredTree, records: Sequence[Record], link: Link, key: PrivateKey
    ) -> None:
        """Make and remember another tree where there should be one."""
        tree = Tree.build(records, [Link.parse(text) for text in desired.links])
        memory = await self._store.read()
        before, now = self._publication, self._now()
        seq = next_sequence(
            tree,
            str(link),
            published=before.tree if before else None,
            highest_seen=memory.tree.seq,
        )
        seq = max(seq, self._places.highest_beside + 1)
        if before is not None and seq == before.tree.seq:
            if self._is_withdrawn:
                told = replace(memory.tree, withdrawn={})
                await self._store.write(replace(memory, tree=told))
                self._is_withdrawn = False
            return
        signed = tree.sign(key, desired.domain, seq)
        kept = self.kept_seconds(desired.root_ttl_seconds, now=now)
        after = (
            Publication(signed)
            if before is None
            else before.replaced_by(signed, now=now, root_ttl_seconds=kept)
        )
        shown, ttl = self._to_remember(), self._root_ttl.before(desired.root_ttl_seconds)
        told = replace(memory.tree, seq=seq, publication=after, withdrawn={}, shown=shown)
        underway = replace(memory.underway, root_ttl=ttl)
        await self._store.write(replace(memory, tree=told, underway=underway))
        self._publication, self._shown, self._is_withdrawn = after, shown, False
        self._root_ttl = ttl
        self._places.hurry()

    async def _serve(
        self, desired: DesiredTree, publication: Publication, state: TreeState
    ) -> TreeState:
        state = replace(state, seq=publication.tree.seq)
        await self._keep_ttl(self._root_ttl.before(desired.root_ttl_seconds))
        await self._keep_shown(self._to_remember())
        knew = self._places.tried
        target = await self._bring(desired, publication)
        if not knew and self._places.tried:  # only now it is known what readers hold
            target = await self._bring(desired, self._publication or publication)
        await self._keep_shown(self._to_remember())
        every = self._places.every
        if all(place.served == target for place in every):
            self._serving = target.publication
            await self._forget(target.publication)
            now = self._now()
            await self._keep_ttl(self._root_ttl.after(desired.root_ttl_seconds, now=now))
            proved = all(place.proved == target for place in every)
            propagated = proved if proved or not self._places.busy else None
            state = replace(state, published=True, propagated=propagated)
        self._places.schedule(target)
        rivalry, problem = self._places.rivalry, self._places.problem
        return replace(state, problem=problem, rivalry=rivalry, sinks=self.states)

    async def _bring(self, desired: DesiredTree, publication: Publication) -> Target:
        """Bring a publication to the sinks; return what was to be brought."""
        whole = await self._prolong(desired, publication)
        due = whole.pruned(now=self._now()) if self._places.tried else whole
        target = Target(due, zone_settings(desired), frozenset(whole.records()))
        await self._places.bring(target)
        return target

    async def _forget(self, served: Publication) -> None:
        """Forget the entries whose time is over, once no sink has them any more."""
        if served is not self._publication and not self._dropped():
            await self._remember(served)

    async def _prolong(self, desired: DesiredTree, publication: Publication) -> Publication:
        """Keep what the readers of a sink need that is behind: their time begins when it moves."""
        now = self._now()
        kept = self.kept_seconds(desired.root_ttl_seconds, now=now)
        longer = publication.prolonged(self._places.roots, now=now, root_ttl_seconds=kept)
        if longer is not publication:
            await self._remember(longer)
        return longer

    async def _remember(self, publication: Publication) -> None:
        memory = await self._store.read()
        told = replace(memory.tree, publication=publication)
        await self._store.write(replace(memory, tree=told))
        self._publication = publication

    async def _keep_ttl(self, ttl: RootTtl) -> None:
        if ttl != self._root_ttl:
            memory = await self._store.read()
            underway = replace(memory.underway, root_ttl=ttl)
            await self._store.write(replace(memory, underway=underway))
            self._root_ttl = ttl


def listed(
    publication: Publication | None, records: Mapping[str, Record | None]
) -> dict[str, Record]:
    """Return by name those of `records` whose node is in a tree, with the record that it holds."""
    if publication is None:
        return {}
    nodes = {record.node_id: record for record in publication.tree.tree.nodes}
    return {
        name: nodes[record.node_id]
        for name, record in records.items()
        if record is not None and record.node_id in nodes
    }
