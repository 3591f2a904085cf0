"""The Kubernetes world: one StatefulSet a member, with all that it needs, and the canary.

It sees through a snapshot of what is watched, and reads besides only the Secrets that the spec
names. It makes keys and Services before the plan, since addresses come from them, and writes by
server-side apply, and only what is not as it should be (`applying`). It never restarts a member by
itself: `restart` deletes pods, and whoever calls it decides which and when.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from dataclasses import replace
from types import TracebackType
from typing import Self, get_args

from statusfleet.api.fleet import StatusFleet
from statusfleet.api.roles import RoleName
from statusfleet.kube.client import KubeClient
from statusfleet.kube.kinds import (
    CONFIG_MAP,
    DEPLOYMENT,
    PERSISTENT_VOLUME_CLAIM,
    POD,
    POD_DISRUPTION_BUDGET,
    SECRET,
    SERVICE,
    STATEFUL_SET,
    JsonDict,
    Kind,
)
from statusfleet.plan import Member, MemberId, Observation, ObservedMember, Plan, desired_members
from statusfleet.store import Store
from statusfleet.store.state import State
from statusfleet.worlds.canary import canary_settings
from statusfleet.worlds.kubernetes.addresses import Seen, advertised, dialed
from statusfleet.worlds.kubernetes.applying import Applier, Outcome, child_of, in_turns, together
from statusfleet.worlds.kubernetes.canary import CanaryReader, canary_names, canary_objects
from statusfleet.worlds.kubernetes.claim import claim, drops_claim
from statusfleet.worlds.kubernetes.configmap import config_map
from statusfleet.worlds.kubernetes.credentials import Credentials, Values, secret_values
from statusfleet.worlds.kubernetes.deployment import CANARY_KEY_FILE
from statusfleet.worlds.kubernetes.dns import dns_account, dns_names, dns_objects
from statusfleet.worlds.kubernetes.hostnames import HostNames, LookUp
from statusfleet.worlds.kubernetes.hurrying import hurry
from statusfleet.worlds.kubernetes.names import CANARY, Owner
from statusfleet.worlds.kubernetes.networkpolicy import member_policy
from statusfleet.worlds.kubernetes.pin import Choice, Pins, role_of
from statusfleet.worlds.kubernetes.poddisruptionbudget import pod_disruption_budget
from statusfleet.worlds.kubernetes.records import (
    PodRecord,
    ServiceRecord,
    Snapshot,
    StatefulSetRecord,
)
from statusfleet.worlds.kubernetes.refusals import Refusals
from statusfleet.worlds.kubernetes.secret import member_secret, secret_name
from statusfleet.worlds.kubernetes.seeing import (
    canary_pod_of,
    claim_problems,
    claims_going,
    leftovers,
    no_pod,
    observed_member,
    podless,
    pods_by_member,
)
from statusfleet.worlds.kubernetes.service import service
from statusfleet.worlds.kubernetes.serviceaccount import service_account
from statusfleet.worlds.kubernetes.statefulset import stateful_set
from statusfleet.worlds.protocol import CanaryWish
from statusfleet.worlds.remember import keep_records
from statusnode.discovery.hosts import host_addresses


class KubernetesWorld:
    """One fleet's members on a cluster; an async context manager that leaves no task behind."""

    def __init__(
        self,
        client: KubeClient,
        store: Store,
        snapshot: Callable[[], Snapshot],
        owner: Owner,
        *,
        image: str,
        now: Callable[[], float],
        changed: Callable[[], None],
        look_up: LookUp = host_addresses,
    ) -> None:
        """Take the cluster, the fleet's memory, what is watched of it, and the fleet itself.

        `image` is the operator's own, with tag or digest. `now` gives unix seconds. `changed` is
        called when something happened that no watch shows: a verdict, an address in DNS.
        """
        self._client = client
        self._store = store
        self._snapshot = snapshot
        self._owner = owner
        self._image = image
        self._now = now
        self._changed = changed
        self._applier = Applier(client, now)
        self._names = HostNames(changed, look_up)
        self._credentials = Credentials(store, owner, self._applier.refuse)
        self._canary = CanaryReader(client, owner.namespace, self._canary_pod, changed, now)
        self._refusals = Refusals(client, owner.namespace, changed)
        self._fleet: StatusFleet | None = None
        # What the last observation saw, so that one pass acts upon one picture.
        self._view = Snapshot()
        self._pods: dict[MemberId, PodRecord] = {}
        self._choices: dict[str, Choice] = {}
        self._down: dict[str, float] = {}  # since when a member has no pod that stays
        self._ended: dict[MemberId, str] = {}  # by uid, the pod that was told to end last
        self.unapplied: frozenset[str] = frozenset()
        """Members of whose new start something was refused by now (`World`)."""
        self._group = asyncio.TaskGroup()

    async def __aenter__(self) -> Self:
        await self._group.__aenter__()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._canary.stop()
        self._refusals.stop()
        self._names.stop()
        await self._group.__aexit__(kind, error, traceback)

    def rest(self) -> None:
        """Let go of what only a pass needs, and the next one sees anew."""
        self._fleet, self._view, self._pods, self._choices = None, Snapshot(), {}, {}

    # ── seeing ──

    @property
    def problems(self) -> dict[str, str]:
        """What could not be applied by now, and what becomes of deleted claims (`World`)."""
        wanted = desired_members(self._fleet.spec) if self._fleet is not None else ()
        return {**self._applier.problems, **claim_problems(self._view, wanted)}

    @property
    def retry_at(self) -> float | None:
        """When to try again what could not be applied (Unix seconds), if there is anything."""
        return self._applier.retry_at

    async def observe(self, fleet: StatusFleet) -> Observation:
        """Tell what is there; keys and Services that `fleet` lacks are made first (`World`).

        A paused fleet is only looked at.

        Raises:
            KubeError: the cluster does not answer, or refuses what every fleet needs.
            StoreError: the memory cannot be used.
        """
        self._fleet, self._view = fleet, self._snapshot()
        self._pods = pods_by_member(self._view, self._owner)
        wanted = desired_members(fleet.spec)
        secrets = await secret_values(self._client, self._owner.namespace, fleet.spec)
        state = await self._store.read()
        services = await self._services(fleet, wanted)
        names = (name for record in services.values() for name in record.balancer_names)
        self._names.follow(self._group, names)
        members: dict[str, ObservedMember] = {}
        pins = Pins(fleet, self._image)
        async for one in in_turns(wanted):
            seen = services.get(one.name)
            members[one.name] = await self._member(fleet, one, pins, secrets, seen, state)
        for member in leftovers(self._view, wanted):
            members[member.name] = ObservedMember(member, running=member in self._pods)
        self._down = {name: since for name, since in self._down.items() if name in members}
        self._ended = {member: uid for member, uid in self._ended.items() if member.name in members}
        missing = podless(self._view, [self._owner.stateful_set(m) for m in wanted], self._pods)
        self._refusals.follow(self._group, missing)
        probing = fleet.spec.canary.enabled and not fleet.spec.paused
        key = await self._credentials.canary_key() if probing else None
        return Observation(
            members=members,
            canary_key=key.public_key if key is not None else None,
            canary=self._canary.verdict(),
            secrets=secrets,
            problems=self.problems,
        )

    async def _member(
        self,
        fleet: StatusFleet,
        member: MemberId,
        pins: Pins,
        secrets: Values,
        service_record: ServiceRecord | None,
        state: State,
    ) -> ObservedMember:
        role, pod = role_of(fleet, member), self._pods.get(member)
        stateful = self._view.stateful_sets.get(self._owner.stateful_set(member))
        choice = pins.choose(member, stateful.pinned if stateful else "")
        self._choices[member.name] = choice
        made = (SECRET.kind, self._owner.child(member.name)) in self._view.children
        key, keyless = await self._credentials.key(fleet, member, secrets, made=made)
        record = state.record(member.name)
        node = self._view.nodes.get(pod.node) if pod is not None else None
        previous = frozenset(filter(None, (record.ip, record.ip6))) if record else frozenset[str]()
        last_port = record.enode().tcp if record is not None else 0
        seen = Seen(service_record, node, self._names.found, previous, last_port)
        if pod is not None and not pod.deleting and pod.since is not None:
            self._down[member.name] = self._now()
        down_since = self._down.setdefault(member.name, self._now())
        return observed_member(
            member,
            key=key,
            keyless=keyless,
            choice=choice,
            dial=dialed(service_record),
            advertised=advertised(role.expose, role.override(member.ordinal).address, seen),
            pod=pod,
            node=node,
            record=record,
            down_since=down_since,
            missing=self._why_no_pod(stateful, down_since),
        )

    def _why_no_pod(self, stateful: StatefulSetRecord | None, since: float) -> str:
        name = stateful.child.name if stateful is not None else ""
        return no_pod(name, self._now() - since, self._refusals.said(name)) if name else ""

    async def _services(
        self, fleet: StatusFleet, wanted: Iterable[MemberId]
    ) -> dict[str, ServiceRecord]:
        """Have every member's Service be there; return them by member's name."""
        seen = self._view.services
        found: dict[str, ServiceRecord] = {}

        async def ensure(member: MemberId) -> None:
            name = self._owner.child(member.name)
            record = self._applier.latest((SERVICE.kind, name), seen.get(name))
            if not fleet.spec.paused:
                body = service(self._owner, member, role_of(fleet, member).expose)
                record = (await self._applier.apply(body, seen.get(name))).record
            if isinstance(record, ServiceRecord):
                found[member.name] = record

        await together(ensure(member) for member in wanted)
        return found

    # ── acting ──

    async def apply(self, plan: Plan) -> None:
        """Bring about all objects of the plan's members (`World`).

        What one object's content keeps from being applied is told by `problems`.

        Raises:
            KubeError: the cluster does not answer.
            StoreError: the memory cannot be written.
        """
        await keep_records(self._store, plan)
        assert self._fleet is not None  # noqa: S101 - a plan is made from an observation
        # Also those of members that lack something for now, and run.
        owner, roles = self._owner, {member.role for member in desired_members(self._fleet.spec)}
        await self._ensure(service_account(owner))
        await self._ensure(member_policy(owner))
        await self._serve_tree("embedded" in plan.tree.sinks if plan.tree is not None else False)
        for role in sorted(roles):
            await self._ensure(pod_disruption_budget(owner, role))
        self.unapplied = frozenset()
        await together(self._apply_member(member) for member in plan.members)
        for role in set(get_args(RoleName)) - roles:
            await self._delete(POD_DISRUPTION_BUDGET, owner.child(role))
        self._applier.settle()

    async def _serve_tree(self, wanted: bool) -> None:
        """Run the fleet's own DNS servers, or none."""
        assert self._fleet is not None  # noqa: S101 - a plan is made from an observation
        if wanted:
            spec = self._fleet.spec
            service = spec.tree.served_by if spec.tree is not None else None
            account = await self._apply(dns_account(self._owner))
            uid = child_of(account.record).uid if account.record is not None else ""
            for body in dns_objects(self._owner, uid, spec.image, self._image, service):
                await self._ensure(body)
            return
        for kind, name in dns_names(self._owner):
            await self._delete(kind, name)

    async def _apply_member(self, member: Member) -> None:
        assert self._fleet is not None  # noqa: S101 - a plan is made from an observation
        role = role_of(self._fleet, member.id)
        if role.storage is not None:
            await self._ensure(claim(self._owner, member.id, role.storage))
        settings = [config_map(self._owner, member), member_secret(self._owner, member)]
        changed = [await self._ensure(body) for body in settings]
        if any(map(self._applier.is_refused, settings)):
            self.unapplied |= {member.name}
            return  # whoever is started by these would run as before, and pass for renewed
        body = stateful_set(
            self._owner,
            member.id,
            replace(self._choices[member.name].pin, startup=member.startup),
            member.restart_hash,
            has_claim=role.storage is not None,
            adopted=role.override(member.id.ordinal).node_key_secret,
        )
        seen = self._view.stateful_sets.get(body["metadata"]["name"])
        await self._applier.apply(body, seen)
        if self._applier.is_refused(body):
            self.unapplied |= {member.name}
        if any(changed):
            await hurry(self._client, self._owner.namespace, self._pods.get(member.id), settings)

    async def restart(self, names: Iterable[str]) -> tuple[str, ...]:
        """Have these members' pods made anew, from what was applied last.

        Returns the members whose pods were told to end by this call: each is told once, however
        often it is asked for.

        Raises:
            KubeError: the cluster does not answer.
        """
        # One whose claim was deleted would lose all that is on its volume.
        spared = {member.name for member in claims_going(self._view)}
        wanted, told = frozenset(names) - spared, []
        for member, pod in self._pods.items():
            if member.name not in wanted or pod.deleting or self._ended.get(member) == pod.uid:
                continue
            # One that is another by now was made from what was applied last.
            if await self._applier.delete(POD, self._owner.namespace, pod.name, uid=pod.uid):
                self._ended[member] = pod.uid
                told.append(member.name)
        return tuple(told)

    async def prune(self, plan: Plan) -> None:
        """Stop the members that the plan names as removed; identities are kept (`World`).

        Raises:
            KubeError: the cluster does not answer.
        """
        gone = set(plan.removed)
        for member in leftovers(self._view, ()):
            if member.name in gone:
                await self._remove(member)

    async def _remove(self, member: MemberId) -> None:
        name = self._owner.child(member.name)
        await self._delete(STATEFUL_SET, self._owner.stateful_set(member))
        await self._delete(SERVICE, name)
        await self._delete(SECRET, secret_name(name))
        assert self._fleet is not None  # noqa: S101 - a plan is made from an observation
        if drops_claim(self._fleet.spec.roles, member):
            await self._delete(PERSISTENT_VOLUME_CLAIM, name)
        # The last to go: by it whoever comes after a crash knows that something is left.
        await self._delete(CONFIG_MAP, name)

    async def probe(self, wish: CanaryWish | None) -> None:
        """Have the canary run as told, or not at all (`World`).

        Raises:
            KubeError: the cluster does not answer.
            StoreError: its key cannot be read or made.
        """
        if wish is None:
            self._canary.stop()
            for kind, name in canary_names(self._owner):
                await self._delete(kind, name)
            return
        assert self._fleet is not None  # noqa: S101 - a wish is made from an observation
        if await self._credentials.canary_key() is None:
            return
        settings, image = canary_settings(wish, CANARY_KEY_FILE), self._fleet.spec.image
        there = (DEPLOYMENT.kind, self._owner.child(CANARY)) in self._view.children
        renew = wish.renew or not there
        objects = canary_objects(self._owner, settings, image, self._image, renew=renew)
        changed = [await self._ensure(body) for body in objects]
        if any(changed):
            await hurry(self._client, self._owner.namespace, self._canary_pod(), objects)
        self._canary.start(self._group, wish)

    def _canary_pod(self) -> PodRecord | None:
        return canary_pod_of(self._snapshot())  # also asked for between passes

    # ── objects ──

    async def _ensure(self, body: JsonDict) -> bool:
        """Have an object be there as it should be; tell whether it had to be written."""
        return (await self._apply(body)).written

    async def _apply(self, body: JsonDict) -> Outcome:
        seen = self._view.applied(body["kind"], body["metadata"]["name"])
        return await self._applier.apply(body, seen)

    async def _delete(self, kind: Kind, name: str) -> None:
        """Have an object of the fleet be gone, and leave alone another's of that name."""
        if self._applier.latest((kind.kind, name), self._view.applied(kind.kind, name)) is not None:
            await self._applier.delete(kind, self._owner.namespace, name)
