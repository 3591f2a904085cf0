"""The data folder: one holder, identities that stay, refusals that say what to do."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from statusfleet.store import (
    ConflictError,
    CorruptKeyError,
    CorruptStateError,
    FolderError,
    FolderInUseError,
    FolderReader,
    FolderStore,
    LostKeyError,
    NewerVersionError,
    SequenceError,
    State,
    StoreError,
    TreeState,
)
from statusnode.records.enr import Record

HOLD = """
import sys, time
from pathlib import Path
from statusfleet.store import FolderStore
store = FolderStore.open(Path(sys.argv[1]), "eth-dev")
print("held", flush=True)
time.sleep(600)
"""

WRITE = """
import asyncio, sys
from dataclasses import replace
from pathlib import Path
from statusfleet.store import FolderStore, TreeState

async def write():
    with FolderStore.open(Path(sys.argv[1]), "eth-dev") as store:
        state = await store.read()
        while True:
            state = await store.write(replace(state, tree=TreeState(seq=state.tree.seq + 1)))
            print(state.tree.seq, flush=True)

asyncio.run(write())
"""


async def test_keys_are_made_once_and_stay(tmp_path: Path) -> None:
    with FolderStore.open(tmp_path / "data", "eth-dev") as store:
        first = await store.ensure_member_key("relayer-0")
        assert (await store.ensure_member_key("relayer-0")).data == first.data
        assert (await store.ensure_member_key("relayer-1")).data != first.data
        tree, canary = await store.ensure_tree_key(), await store.ensure_canary_key()
        assert len({first.data, tree.data, canary.data}) == 3
    with FolderStore.open(tmp_path / "data", "eth-dev") as store:
        assert (await store.ensure_member_key("relayer-0")).data == first.data
        assert (await store.ensure_tree_key()).data == tree.data
    text = (tmp_path / "data/members/relayer-0/nodekey").read_text()
    assert text == first.data.hex()


async def test_a_lost_key_that_others_know_is_asked_for_and_not_replaced(tmp_path: Path) -> None:
    with FolderStore.open(tmp_path, "eth-dev") as store:
        first = await store.ensure_member_key("relayer-0")
        await store.ensure_tree_key()
        record = str(Record.sign(first, 1, ip="127.0.0.1", tcp=30303))
        await store.write(State(records={"relayer-0": record}, tree=TreeState(seq=1)))
        member, tree = tmp_path / "members/relayer-0/nodekey", tmp_path / "tree.key"
        copy = member.read_text()
        member.unlink()
        tree.unlink()
        with pytest.raises(LostKeyError, match=r"relayer-0/nodekey is gone.* bring the file back"):
            await store.ensure_member_key("relayer-0")
        with pytest.raises(LostKeyError, match=r"tree\.key is gone"):
            await store.ensure_tree_key()
        assert not member.exists()
        # The member that nobody knows yet gets its key, and a copy is taken as it is.
        await store.ensure_member_key("relayer-1")
        member.write_text(copy)
        assert (await store.ensure_member_key("relayer-0")).data == first.data


async def test_two_who_ask_at_once_get_the_same_key(tmp_path: Path) -> None:
    with FolderStore.open(tmp_path, "eth-dev") as store:
        keys = await asyncio.gather(*(store.ensure_member_key("relayer-0") for _ in range(8)))
    assert len({key.data for key in keys}) == 1


async def test_a_key_of_statusd_s_own_format_is_taken(tmp_path: Path) -> None:
    with FolderStore.open(tmp_path, "eth-dev") as store:
        path = store.member_folder("relayer-0") / "nodekey"
        path.parent.mkdir()
        path.write_text(f"0x{'5d' * 32}\n")
        assert (await store.ensure_member_key("relayer-0")).data == b"\x5d" * 32


@pytest.mark.parametrize("content", [b"", b"5d", b"zz" * 32, b"00" * 32, b"\xff" * 64])
async def test_a_damaged_key_is_refused_by_name_and_left_alone(
    tmp_path: Path, content: bytes
) -> None:
    with FolderStore.open(tmp_path, "eth-dev") as store:
        path = store.member_folder("relayer-0") / "nodekey"
        path.parent.mkdir()
        path.write_bytes(content)
        with pytest.raises(CorruptKeyError, match="relayer-0/nodekey holds no key"):
            await store.ensure_member_key("relayer-0")
        assert path.read_bytes() == content


@pytest.mark.parametrize("name", ["", "..", "relayer-0/../x", "relayer", "relayer--1", "x-0"])
def test_only_members_have_folders(tmp_path: Path, name: str) -> None:
    with pytest.raises(StoreError, match="is no member's name"):
        FolderReader(tmp_path).member_folder(name)


async def test_what_was_written_is_remembered(tmp_path: Path) -> None:
    with FolderStore.open(tmp_path, "eth-dev") as store:
        assert await store.read() == State()
        first = await store.write(State(ports={"relayer-0/p2p": 30303}))
        assert (first.fleet, first.revision) == ("eth-dev", 1)
        second = await store.write(replace(first, tree=TreeState(seq=9)))
    assert FolderReader(tmp_path).state() == second
    assert second.ports == {"relayer-0/p2p": 30303}


async def test_of_two_writers_one_loses(tmp_path: Path) -> None:
    with FolderStore.open(tmp_path, "eth-dev") as store:
        state = await store.write(State())
        results = await asyncio.gather(
            *(store.write(replace(state, ports={"p": n})) for n in range(5)),
            return_exceptions=True,
        )
        assert sum(isinstance(result, ConflictError) for result in results) == 4
        assert (await store.read()).revision == 2


async def test_a_number_never_falls(tmp_path: Path) -> None:
    with FolderStore.open(tmp_path, "eth-dev") as store:
        state = await store.write(State(tree=TreeState(seq=9)))
        with pytest.raises(SequenceError):
            await store.write(replace(state, tree=TreeState(seq=8)))
        assert await store.read() == state


def test_a_second_holder_is_refused_with_the_first_one_s_process(tmp_path: Path) -> None:
    command = [sys.executable, "-c", HOLD, str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        with pytest.raises(FolderInUseError, match=f"in use by process {holder.pid}") as refused:
            FolderStore.open(tmp_path, "eth-dev")
        assert refused.value.pid == holder.pid
        assert FolderReader(tmp_path).holder() == holder.pid
        holder.send_signal(signal.SIGKILL)
    assert FolderReader(tmp_path).holder() is None
    FolderStore.open(tmp_path, "eth-dev").close()


def test_within_one_process_too_there_is_one_holder(tmp_path: Path) -> None:
    with FolderStore.open(tmp_path, "eth-dev"), pytest.raises(FolderInUseError):
        FolderStore.open(tmp_path, "eth-dev")
    FolderStore.open(tmp_path, "eth-dev").close()


def test_who_only_looks_needs_no_lock_and_makes_nothing(tmp_path: Path) -> None:
    reader = FolderReader(tmp_path / "none")
    assert reader.state() == State()
    assert (reader.holder(), reader.member_key("relayer-0")) == (None, None)
    assert not (tmp_path / "none").exists()


async def test_a_folder_belongs_to_one_fleet(tmp_path: Path) -> None:
    with FolderStore.open(tmp_path, "eth-dev") as store:
        await store.write(State())
    with pytest.raises(StoreError, match="belongs to the fleet eth-dev, not other"):
        FolderStore.open(tmp_path, "other")
    FolderStore.open(tmp_path, "eth-dev").close()


def test_a_folder_of_a_newer_version_is_refused(tmp_path: Path) -> None:
    (tmp_path / "state.json").write_text('{"layout": 9}')
    with pytest.raises(NewerVersionError, match="has layout 9 of a newer statusfleet"):
        FolderStore.open(tmp_path, "eth-dev")
    assert FolderReader(tmp_path).holder() is None
    assert (tmp_path / "state.json").read_text() == '{"layout": 9}'


def test_a_damaged_state_is_refused_and_left_alone(tmp_path: Path) -> None:
    (tmp_path / "state.json").write_text('{"layout": 1, "rev')
    with pytest.raises(CorruptStateError, match=r"state\.json is damaged"):
        FolderStore.open(tmp_path, "eth-dev")
    assert (tmp_path / "state.json").read_text() == '{"layout": 1, "rev'


def test_a_folder_that_cannot_be_made_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(FolderError, match="cannot be made: Not a directory"):
        FolderStore.open(tmp_path / "file" / "data", "eth-dev")
    with pytest.raises(FolderError, match="cannot be made"):
        FolderStore.open(Path("/proc/statusfleet"), "eth-dev")


def test_a_folder_that_is_read_only_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(path: Path, *_: object) -> int:
        # In the system's place, which lets root write everywhere.
        raise PermissionError(13, os.strerror(13), str(path))

    monkeypatch.setattr(os, "open", refuse)
    with pytest.raises(FolderError, match="lock cannot be written: Permission denied"):
        FolderStore.open(tmp_path, "eth-dev")


def test_killed_at_any_moment_the_number_is_there_and_not_lower(tmp_path: Path) -> None:
    seen = 0
    for _ in range(3):
        command = [sys.executable, "-c", WRITE, str(tmp_path)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as writer:
            assert writer.stdout is not None
            told = int(writer.stdout.readline())
            writer.kill()
        found = FolderReader(tmp_path).state().tree.seq
        assert found >= told > seen
        seen = found
        assert FolderReader(tmp_path).holder() is None
