"""Keys and secret values that a fleet's members need: made once, or read where the spec says."""

from __future__ import annotations

from collections.abc import Callable

from pydantic import SecretStr

from statusfleet.api.fleet import StatusFleet
from statusfleet.api.secrets import SecretId, secret_uses
from statusfleet.api.spec import FleetSpec
from statusfleet.kube.client import KubeClient
from statusfleet.kube.errors import AdmissionError, AnswerError, ForbiddenError
from statusfleet.kube.kinds import SECRET
from statusfleet.kube.secrets import secret_text
from statusfleet.plan import MemberId
from statusfleet.store import CorruptKeyError, LostKeyError, Store
from statusfleet.worlds.errors import WorldError
from statusfleet.worlds.kubernetes.applying import Key
from statusfleet.worlds.kubernetes.names import CANARY, Owner
from statusfleet.worlds.kubernetes.pin import role_of
from statusnode.crypto.keys import KeyFormatError, PrivateKey

Values = dict[SecretId, SecretStr]
"""Values of the Secrets that the spec names."""


async def secret_values(client: KubeClient, namespace: str, spec: FleetSpec) -> Values:
    """Read the values that the spec refers to; one that is not there is left out.

    Read in every pass: users' Secrets bear no label of ours, so no watch shows them.

    Raises:
        KubeError: they cannot be read.
    """
    uses = {use.ref.value_id for use in secret_uses(spec)}
    found: Values = {}
    for name in sorted({name for name, _ in uses}):
        secret = await client.find(SECRET, namespace, name)
        for other, key in uses:
            text = secret_text(secret, key) if other == name else None
            if text is not None:
                found[name, key] = SecretStr(text)
    return found


class Credentials:
    """The keys of one fleet's members and canary."""

    def __init__(
        self, store: Store, owner: Owner, refused: Callable[[Key, AnswerError], None]
    ) -> None:
        """Take whom to tell, by kind and name, of a Secret that cannot be made for a while."""
        self._store = store
        self._owner = owner
        self._refused = refused

    async def key(
        self, fleet: StatusFleet, member: MemberId, values: Values, *, made: bool
    ) -> tuple[PrivateKey | None, str]:
        """Return a member's key, the one that the manifest gives it or its own, made once.

        Where it has none for now, return None and why: one that runs goes on with the key that it
        was started with, and others are none the worse. `made` tells whether its own is there; a
        paused fleet gets none.

        Raises:
            StoreError: the memory cannot be used.
            KubeError: the cluster does not answer.
        """
        try:
            return await self._key(fleet, member, values, made=made), ""
        except AdmissionError as error:
            self._refused((SECRET.kind, self._owner.child(member.name)), error)
            return None, str(error)
        except (WorldError, CorruptKeyError, LostKeyError, ForbiddenError) as error:
            return None, str(error)

    async def canary_key(self) -> PrivateKey | None:
        """Return the canary's key, made once; None where it cannot be made for a while.

        Raises:
            StoreError: its Secret holds no key, or the memory cannot be used.
            KubeError: it cannot be read or made.
        """
        try:
            return await self._store.ensure_canary_key()
        except AdmissionError as error:
            self._refused((SECRET.kind, self._owner.child(CANARY)), error)
            return None

    async def _key(
        self, fleet: StatusFleet, member: MemberId, values: Values, *, made: bool
    ) -> PrivateKey:
        reference = role_of(fleet, member).override(member.ordinal).node_key_secret
        if reference is None:
            if fleet.spec.paused and not made:
                raise WorldError("its node key is not made while the fleet is paused")
            return await self._store.ensure_member_key(member.name)
        value = values.get(reference.value_id)
        if value is None:
            raise WorldError(
                f"its node key should be key {reference.key} of Secret {reference.name}, "
                "which is not there: make it, or take nodeKeySecret out"
            )
        try:
            return PrivateKey.from_hex(value.get_secret_value())
        except KeyFormatError as error:
            raise WorldError(
                f"key {reference.key} of Secret {reference.name} is no node key: {error}"
            ) from None
