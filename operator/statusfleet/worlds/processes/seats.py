"""Keys and ports of members on this machine: made once, then read back from the data folder."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Final

from pydantic import SecretStr

import statusnode
from statusfleet.api.exposure import LOOPBACK_PREFIX
from statusfleet.api.fleet import StatusFleet
from statusfleet.api.roles import MemberOverride
from statusfleet.plan import Endpoint, MemberId, Seat
from statusfleet.store import CorruptKeyError, FolderError, FolderReader, FolderStore, LostKeyError
from statusfleet.worlds.errors import WorldError
from statusfleet.worlds.processes.ports import HOST, PortHolder
from statusnode.crypto.keys import KeyFormatError, PrivateKey

Secrets = Mapping[tuple[str, str], SecretStr]
"""Values of the Secrets that stand beside the manifest, by name and key."""

STATUSD: Final = "statusnode.cli.main"
_PORTS: Final = ("p2p", "rpc", "metrics")


class SeatMaker:
    """Gives members their keys and seats."""

    def __init__(self, store: FolderStore, holder: PortHolder) -> None:
        self._store = store
        self._holder = holder
        self._own: dict[str, PrivateKey] = {}

    async def seats(self, fleet: StatusFleet, members: tuple[MemberId, ...]) -> dict[str, Seat]:
        """Return every member's seat by name, with ports as they were chosen the first time.

        A loopback address that the manifest gives a member is where it listens.

        Raises:
            WorldError: no port is free.
            StoreError: the memory cannot be read or written.
        """
        state = await self._store.read()
        ports = dict(state.ports)
        for member in members:
            for use in _PORTS:
                kept = ports.get(f"{member.name}/{use}")
                if kept:
                    self._holder.hold(kept)
                else:
                    ports[f"{member.name}/{use}"] = self._holder.choose()
        if ports != state.ports:
            await self._store.write(replace(state, ports=ports))
        return {member.name: seat_of(fleet, member, ports, self._store) for member in members}

    async def key(self, fleet: StatusFleet, member: MemberId, secrets: Secrets) -> PrivateKey:
        """Return the member's key: the one that the manifest gives it, or its own, made once.

        Raises:
            WorldError: there is a key and it cannot be used, or the Secret is not there.
        """
        reference = override(fleet, member).node_key_secret
        try:
            if reference is None:
                if member.name not in self._own:
                    self._own[member.name] = await self._store.ensure_member_key(member.name)
                return self._own[member.name]
            value = secrets.get((reference.name, reference.key))
            if value is None:
                raise WorldError(
                    f"its node key should be key {reference.key} of Secret {reference.name}, "
                    "which is not in the manifest"
                )
            return PrivateKey.from_hex(value.get_secret_value())
        except KeyFormatError as error:
            raise WorldError(f"its node key cannot be used: {error}") from None
        except (CorruptKeyError, FolderError, LostKeyError) as error:
            raise WorldError(str(error)) from error


def seat_of(
    fleet: StatusFleet,
    member: MemberId,
    ports: Mapping[str, int],
    folder: FolderReader,
    *,
    unknown_port: int = 0,
) -> Seat:
    """Return the seat of a member by the ports that are kept; `unknown_port` stands for others."""
    p2p, rpc, metrics = (
        Endpoint(HOST, ports.get(f"{member.name}/{use}", unknown_port)) for use in _PORTS
    )
    own = override(fleet, member).address
    if own is not None and own.ip.startswith(LOOPBACK_PREFIX):
        p2p = Endpoint(own.ip, own.tcp)
    # The metrics port is a flag of the program, and with it a matter of its start.
    program = f"{STATUSD} {statusnode.__version__} metrics {metrics.tcp}"
    return Seat(p2p, rpc, metrics, str(folder.member_folder(member.name)), program)


def override(fleet: StatusFleet, member: MemberId) -> MemberOverride:
    """Return what the manifest says of one member alone."""
    role = next(role for role in fleet.spec.roles.present() if role.role == member.role)
    return role.override(member.ordinal)
