"""A fleet's memory in a folder of its own: the data folder of `statusfleet up`.

    lock                      held by flock while somebody works here; holds the process's id
    state.json                sequence numbers, published tree, ports: `State`
    tree.key, canary.key      made once
    members/relayer-0/        a member's folder, kept when the member goes
    members/relayer-0/nodekey its identity, made once

Reading needs no lock, since files are replaced whole.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import os
import re
import time
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from statusfleet.store import files
from statusfleet.store.errors import (
    FolderInUseError,
    LostKeyError,
    NewerVersionError,
    StoreError,
)
from statusfleet.store.keys import ensure_key, read_key
from statusfleet.store.state import LAYOUT, State, decode_state, encode_state, successor
from statusnode.crypto.keys import PrivateKey

_MAX_STATE: Final = 256 * 1024 * 1024
# Who only asks whether somebody works here holds the lock for an instant, hence a second look.
_PATIENCE_SECONDS: Final = (0.05, 0.1, 0.0)
_MEMBER: Final = re.compile(r"(bootstrap|relayer|rendezvous|mailserver)-[0-9]{1,6}")


class FolderReader:
    """Reads a data folder, also one in which somebody works."""

    def __init__(self, path: Path) -> None:
        self.path = path.absolute()

    def state(self) -> State:
        """Return the remembered state; an empty one where there is none.

        Raises:
            NewerVersionError: a newer version wrote it.
            CorruptStateError: it cannot be understood.
            FolderError: it cannot be read.
        """
        path = self.path / "state.json"
        data = files.read(path, _MAX_STATE)
        if data is None:
            return State()
        layout, state = decode_state(data, str(path))
        if state is None:
            remedy = ", or choose another folder with --data"
            raise NewerVersionError(self.path, layout, LAYOUT, or_else=remedy)
        return state

    def holder(self) -> int | None:
        """Return the id of the process that works here (0 where it cannot be told), else None."""
        try:
            descriptor = os.open(self.path / "lock", os.O_RDONLY | os.O_CLOEXEC)
        except OSError:
            return None
        try:
            fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return _pid(descriptor)
        finally:
            os.close(descriptor)
        return None

    def member_folder(self, member: str) -> Path:
        """Return a member's own folder, which may not be there yet."""
        if not _MEMBER.fullmatch(member):
            raise StoreError(f"{member!r} is no member's name, such as relayer-0")
        return self.path / "members" / member

    def member_key(self, member: str) -> PrivateKey | None:
        """Return a member's key, None where it has none yet; raises as `read_key`."""
        return read_key(self.member_folder(member) / "nodekey")


class FolderStore(FolderReader):
    """The data folder, locked: `with FolderStore.open(path) as store`. One process at a time."""

    def __init__(self, path: Path, fleet: str, descriptor: int) -> None:
        super().__init__(path)
        self.fleet = fleet
        self._descriptor = descriptor
        self._writing = asyncio.Lock()

    @classmethod
    def open(cls, path: Path, fleet: str) -> Self:
        """Take the folder for `fleet`, making it if it is missing.

        Raises:
            FolderInUseError: another process has it.
            NewerVersionError: a newer version wrote it.
            CorruptStateError: its state cannot be understood.
            FolderError: it cannot be made, read or written.
            StoreError: it belongs to another fleet.
        """
        path = path.absolute()
        files.make_folder(path)
        with contextlib.ExitStack() as undo:
            descriptor = _take_lock(path)
            undo.callback(os.close, descriptor)
            store = cls(path, fleet, descriptor)
            store._check_owner()
            files.make_folder(path / "members")
            undo.pop_all()
        return store

    def close(self) -> None:
        """Let the folder go."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    async def read(self) -> State:
        """Return the remembered state; raises as `state`."""
        return await asyncio.to_thread(self.state)

    async def write(self, wish: State) -> State:
        """Remember `wish`, which was made from the state of the same revision; return it as kept.

        Raises:
            ConflictError: another write came first.
            SequenceError: a sequence number would fall.
            FolderError: it cannot be written.
        """
        async with self._writing:
            return await asyncio.to_thread(self._swap, wish)

    async def ensure_member_key(self, member: str) -> PrivateKey:
        """Return a member's key, made now if it never had one.

        Raises:
            LostKeyError: it had one, and its file is gone.
            CorruptKeyError, FolderError: as `ensure_key`.
        """
        used = member in (await self.read()).records
        return await self._ensure(self.member_folder(member) / "nodekey", used=used)

    async def ensure_tree_key(self) -> PrivateKey:
        """Return the key that signs the tree, made now if nothing was signed yet.

        Raises:
            LostKeyError: a tree was signed, and the key's file is gone.
            CorruptKeyError, FolderError: as `ensure_key`.
        """
        used = (await self.read()).tree.seq > 0
        return await self._ensure(self.path / "tree.key", used=used)

    async def ensure_canary_key(self) -> PrivateKey:
        """Return the canary's key, made now if there is none; raises as `ensure_key`."""
        return await self._ensure(self.path / "canary.key", used=False)

    async def _ensure(self, path: Path, *, used: bool) -> PrivateKey:
        async with self._writing:
            return await asyncio.to_thread(_used_key if used else ensure_key, path)

    def _check_owner(self) -> None:
        owner = self.state().fleet
        if owner not in ("", self.fleet):
            raise StoreError(
                f"the data folder {self.path} belongs to the fleet {owner}, not {self.fleet}: "
                "choose another folder with --data"
            )

    def _swap(self, wish: State) -> State:
        state = successor(self.state(), replace(wish, fleet=self.fleet))
        files.replace(self.path / "state.json", encode_state(state))
        return state


def _used_key(path: Path) -> PrivateKey:
    """Return a key that others know already: no other may take its place."""
    key = read_key(path)
    if key is None:
        raise LostKeyError(
            f"{path} is gone, and a new key would be another identity: bring the file back from a "
            f"copy, or choose a new one (openssl rand -hex 32 > {path})"
        )
    return key


def _take_lock(folder: Path) -> int:
    """Return the descriptor that holds the folder's lock."""
    path = folder / "lock"
    with files.told_as_folder_error(path, "written"), contextlib.ExitStack() as undo:
        flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC
        descriptor = os.open(path, flags, files.FILE_MODE)
        undo.callback(os.close, descriptor)
        for wait_seconds in _PATIENCE_SECONDS:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                time.sleep(wait_seconds)
            else:
                break
        else:
            raise FolderInUseError(folder, _pid(descriptor))
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
        undo.pop_all()
    return descriptor


def _pid(descriptor: int) -> int:
    with contextlib.suppress(ValueError, OSError):
        return int(os.pread(descriptor, 32, 0).decode("ascii", "replace").strip() or 0)
    return 0
