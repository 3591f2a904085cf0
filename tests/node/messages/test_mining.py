"""Proof of work: the nonces of status-go, and a worker that leaves nothing behind.

Every test that needs the worker waits for what it does, never for a time.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import subprocess
import sys
import textwrap
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import psutil
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from statusnode.codec import rlp
from statusnode.crypto.keccak import keccak256
from statusnode.messages import mining, mining_worker
from statusnode.messages.mining import Miner, MiningError, TargetMissedError
from statusnode.messages.mining_worker import Search

VECTORS = json.loads((Path(__file__).parent / "vectors" / "sealed_envelopes.json").read_text())
# expiry 1600000120, ttl 120, topic 01020300, data 00..1f
HEADER = rlp.encode([1600000120, 120, bytes.fromhex("01020300"), bytes(range(32))])


def proof_bits(header: bytes, nonce: int) -> int:
    digest = keccak256(header + nonce.to_bytes(8, "big"))
    return 256 - int.from_bytes(digest, "big").bit_length()


@pytest.fixture
async def miner() -> AsyncIterator[Miner]:
    miner = Miner()
    yield miner
    await miner.close()


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(60):
        while not condition():  # noqa: ASYNC110 - the condition is of another process
            await asyncio.sleep(0.01)


def alive(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def children() -> set[int]:
    """The workers of this process."""
    found = set()
    for child in psutil.Process().children():
        with contextlib.suppress(psutil.NoSuchProcess, psutil.ZombieProcess):
            if mining_worker.__name__ in child.cmdline():
                found.add(child.pid)
    return found


@pytest.mark.parametrize(
    "vector",
    [vector for vector in VECTORS["envelopes"] if vector["requested_pow"] > 0],
    ids=lambda vector: vector["name"],
)
async def test_the_nonce_is_the_one_that_the_reference_finds(vector: dict, miner: Miner) -> None:
    *fields, nonce = rlp.split_list(bytes.fromhex(vector["envelope"]["rlp"]))
    header = rlp.encode_list(fields)
    expected = rlp.as_uint(rlp.decode(nonce))

    assert await miner.mine(header, proof_bits(header, expected), 60) == expected


def test_the_first_best_nonce_is_kept() -> None:
    search = Search(HEADER, 0)
    search.run(5000)

    proofs = [proof_bits(HEADER, nonce) for nonce in range(5000)]
    assert search.bits == max(proofs)
    assert search.nonce == proofs.index(max(proofs))


@settings(max_examples=20)
@given(header=st.binary(max_size=600), target=st.integers(1, 6))
def test_a_search_in_slices_finds_what_one_in_a_piece_finds(header: bytes, target: int) -> None:
    sliced, whole = Search(header, target), Search(header, target)
    while not sliced.run(7):
        pass
    while not whole.run():
        pass

    assert sliced.nonce == whole.nonce
    assert proof_bits(header, sliced.nonce) >= target
    assert all(proof_bits(header, nonce) < target for nonce in range(sliced.nonce))


async def test_a_low_target_needs_no_process(miner: Miner) -> None:
    before = children()

    assert await miner.mine(HEADER, 1, 1) == 0 or proof_bits(HEADER, 0) == 0
    assert children() == before


async def test_a_high_target_is_reached_by_a_process_that_is_kept(miner: Miner) -> None:
    first = await miner.mine(HEADER, 13, 60)
    workers = children()
    second = await miner.mine(HEADER, 14, 60)

    assert proof_bits(HEADER, first) >= 13
    assert proof_bits(HEADER, second) >= 14
    assert len(workers) == 1
    assert children() == workers


async def test_a_target_that_takes_too_long_is_an_error_with_the_time_in_it(miner: Miner) -> None:
    with pytest.raises(TargetMissedError, match=r"specified pow time \(0.01 seconds\)"):
        await miner.mine(HEADER, 200, 0.01)


async def test_no_time_reaches_no_target(miner: Miner) -> None:
    with pytest.raises(TargetMissedError, match=r"\(0 seconds\) was insufficient"):
        await miner.mine(HEADER, 1, 0)
    assert await miner.mine(HEADER, 0, 0) == 0


async def test_without_a_target_the_best_of_the_time_is_taken(miner: Miner) -> None:
    nonce = await miner.mine(HEADER, 0, 0.05)

    bits = proof_bits(HEADER, nonce)
    assert nonce == 0 or all(proof_bits(HEADER, earlier) < bits for earlier in range(nonce))


async def test_jobs_wait_for_each_other(miner: Miner) -> None:
    headers = [HEADER + bytes((index,)) for index in range(8)]

    nonces = await asyncio.gather(*(miner.mine(header, 12, 60) for header in headers))

    assert all(
        proof_bits(header, nonce) >= 12 for header, nonce in zip(headers, nonces, strict=True)
    )
    assert len(children()) == 1


async def test_more_jobs_than_may_wait_are_refused(
    miner: Miner, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mining, "_MAX_WAITING", 1)
    async with asyncio.TaskGroup() as tasks:
        endless = tasks.create_task(miner.mine(HEADER, 250, 3600))
        await until(lambda: bool(children()))
        with pytest.raises(MiningError, match="wait for their proof of work"):
            await miner.mine(HEADER, 250, 3600)
        endless.cancel()


async def test_a_cancelled_job_ends_its_process_and_the_next_job_starts_another(
    miner: Miner,
) -> None:
    job = asyncio.create_task(miner.mine(HEADER, 250, 3600))
    await until(lambda: bool(children()))

    job.cancel()
    with pytest.raises(asyncio.CancelledError):
        await job

    assert not children()
    assert proof_bits(HEADER, await miner.mine(HEADER, 12, 60)) >= 12


async def test_a_killed_worker_fails_one_job_only(miner: Miner) -> None:
    job = asyncio.create_task(miner.mine(HEADER, 250, 3600))
    await until(lambda: bool(children()))

    os.kill(children().pop(), signal.SIGKILL)
    with pytest.raises(MiningError, match="the miner ended"):
        await job

    assert proof_bits(HEADER, await miner.mine(HEADER, 12, 60)) >= 12


async def test_closing_ends_the_process_and_the_job() -> None:
    miner = Miner()
    job = asyncio.create_task(miner.mine(HEADER, 250, 3600))
    await until(lambda: bool(children()))

    await miner.close()
    with pytest.raises(MiningError):
        await job

    assert not children()
    with pytest.raises(MiningError, match="closed"):
        await miner.mine(HEADER, 250, 1)


def test_the_worker_ends_when_its_parent_is_killed() -> None:
    program = textwrap.dedent("""
        import asyncio
        from statusnode.messages.mining import Miner

        async def main():
            miner = Miner()
            job = asyncio.create_task(miner.mine(b"header", 250, 3600))
            while miner._process is None:
                await asyncio.sleep(0.01)
            print(miner._process.pid, flush=True)
            await job

        asyncio.run(main())
    """)
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE) as parent:
        assert parent.stdout is not None
        worker = int(parent.stdout.readline())
        assert alive(worker)
        parent.kill()
    asyncio.run(until(lambda: not alive(worker)))
