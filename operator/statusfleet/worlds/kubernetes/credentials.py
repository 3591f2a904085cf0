"""Keys and secret values that a fleet's members need: made once, or read where the spec says."""

from __future__ import annotations

from pydantic import SecretStr

from statusfleet.api.fleet import StatusFleet
from statusfleet.api.secrets import SecretId, secret_uses
from statusfleet.api.spec import FleetSpec
from statusfleet.kube.client import KubeClient
from statusfleet.kube.kinds import SECRET
from statusfleet.kube.secrets import secret_text
from statusfleet.plan import MemberId
from statusfleet.store import Store
from statusfleet.worlds.errors import WorldError
from statusfleet.worlds.kubernetes.pin import role_of
from statusnode.crypto.keys import KeyFormatError, PrivateKey

Values = dict[SecretId, SecretStr]
"""Values of the Secrets that the spec names."""


class Credentials:
    """What one fleet may know of Secrets."""

    def __init__(self, client: KubeClient, store: Store, namespace: str) -> None:
        self._client = client
        self._store = store
        self._namespace = namespace

    async def values(self, spec: FleetSpec) -> Values:
        """Read the values that the spec refers to; one that is not there is left out.

        Read in every pass: users' Secrets bear no label of ours, so no watch shows them.

        Raises:
            KubeError: they cannot be read.
        """
        uses = {use.ref.value_id for use in secret_uses(spec)}
        found: Values = {}
        for name in sorted({name for name, _ in uses}):
            secret = await self._client.find(SECRET, self._namespace, name)
            for other, key in uses:
                text = secret_text(secret, key) if other == name else None
                if text is not None:
                    found[name, key] = SecretStr(text)
        return found

    async def key(
        self, fleet: StatusFleet, member: MemberId, values: Values, *, made: bool
    ) -> PrivateKey:
        """Return a member's key: the one that the manifest gives it, or its own, made once.

        `made` tells whether its own is there; a paused fleet gets none.

        Raises:
            WorldError: the key that it should have is not there, or is none.
            StoreError: its own Secret holds no key.
            KubeError: it cannot be read or made.
        """
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
