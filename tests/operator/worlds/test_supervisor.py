"""The supervisor with pretended processes and pretended time.

run ──► STARTING ──► RUNNING ──end──► WAITING ──0.25 s, 0.5 s, 1 s … 30 s──► RUNNING
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

from statusfleet.worlds.processes.backoff import Backoff, BackoffPolicy
from statusfleet.worlds.processes.child import Process, Program
from statusfleet.worlds.processes.errors import PortTakenError
from statusfleet.worlds.processes.supervisor import Phase, Supervisor
from support.fleet_time import run_virtual


class FakeProcess:
    def __init__(self, pid: int, *, stubborn: bool = False) -> None:
        self.pid = pid
        self.stubborn = stubborn
        self.signals: list[str] = []
        self._code: asyncio.Future[int] = asyncio.get_running_loop().create_future()

    def end(self, code: int) -> None:
        if not self._code.done():
            self._code.set_result(code)

    async def wait(self) -> int:
        return await asyncio.shield(self._code)

    def terminate(self) -> None:
        self.signals.append("TERM")
        if not self.stubborn:
            self.end(0)

    def kill(self) -> None:
        self.signals.append("KILL")
        self.end(-9)


class Machine:
    """Starts pretended processes and remembers when."""

    def __init__(self, *, stubborn: bool = False) -> None:
        self.loop = asyncio.get_running_loop()
        self.started: list[tuple[float, str, FakeProcess]] = []
        self.refusals: list[Exception] = []
        self.stubborn = stubborn
        self.changes: list[str] = []

    async def start(
        self, program: Program, on_line: Callable[[bytes], None] | None = None
    ) -> Process:
        if self.refusals:
            raise self.refusals.pop(0)
        process = FakeProcess(100 + len(self.started), stubborn=self.stubborn)
        self.started.append((self.loop.time(), program.name, process))
        return process

    def supervisor(self) -> Supervisor:
        return Supervisor(self.start, self.loop.time, self.changes.append)

    @property
    def last(self) -> FakeProcess:
        return self.started[-1][2]


def program(name: str = "relayer-0", revision: str = "") -> Program:
    return Program(name, "some.module", (), Path("/nowhere/log"), (), revision)


def test_waits_double_up_to_the_longest_and_a_steady_run_forgets_them() -> None:
    backoff = Backoff(BackoffPolicy())
    assert [backoff.ended(1) for _ in range(9)] == [0.25, 0.5, 1, 2, 4, 8, 16, 30, 30]
    assert backoff.ended(30) == 0.25


def test_a_process_that_fails_for_days_still_has_a_finite_wait() -> None:
    assert BackoffPolicy().delay(1_000_000) == 30


def test_programs_start_side_by_side() -> None:
    async def scenario() -> None:
        machine = Machine()
        async with machine.supervisor() as supervisor:
            for name in ("a", "b", "c"):
                supervisor.run(program(name))
            await asyncio.sleep(0.01)
            assert [(when, name) for when, name, _ in machine.started] == [
                (0, "a"),
                (0, "b"),
                (0, "c"),
            ]
            assert all(state.phase is Phase.RUNNING for state in supervisor.states.values())

    run_virtual(scenario())


def test_what_ends_is_started_again_after_a_growing_wait() -> None:
    async def scenario() -> None:
        machine = Machine()
        async with machine.supervisor() as supervisor:
            supervisor.run(program())
            for _ in range(4):
                await asyncio.sleep(5)
                machine.last.end(1)
            await asyncio.sleep(0.01)
            state = supervisor.states["relayer-0"]
            assert state.phase is Phase.WAITING
            assert state.pid is None
            assert state.problem == "exited with code 1"
            await asyncio.sleep(5)
            assert supervisor.states["relayer-0"].phase is Phase.RUNNING
            assert supervisor.states["relayer-0"].starts == 5
        assert [when for when, _, _ in machine.started] == [0, 5.25, 10.5, 16, 22]

    run_virtual(scenario())


def test_a_start_that_is_refused_is_tried_again_and_says_why() -> None:
    async def scenario() -> None:
        machine = Machine()
        machine.refusals = [PortTakenError(30303, "nginx (pid 7)"), OSError("no memory")]
        async with machine.supervisor() as supervisor:
            supervisor.run(program())
            await asyncio.sleep(0.1)
            assert "30303 is used by nginx (pid 7)" in supervisor.states["relayer-0"].problem
            await asyncio.sleep(0.3)
            assert supervisor.states["relayer-0"].problem == "no memory"
            await asyncio.sleep(1)
            assert supervisor.states["relayer-0"].phase is Phase.RUNNING

    run_virtual(scenario())


def test_an_equal_program_is_left_alone_and_a_changed_one_is_restarted_at_once() -> None:
    async def scenario() -> None:
        machine = Machine()
        async with machine.supervisor() as supervisor:
            supervisor.run(program())
            await asyncio.sleep(1)
            supervisor.run(program())
            await asyncio.sleep(1)
            assert len(machine.started) == 1
            supervisor.run(program(revision="2"))
            await asyncio.sleep(1)
            assert [when for when, _, _ in machine.started] == [0, 2]
            assert machine.started[0][2].signals == ["TERM", "KILL"]  # KILL: what it left behind

    run_virtual(scenario())


def test_changes_in_quick_succession_never_run_two_at_once() -> None:
    async def scenario() -> None:
        machine = Machine(stubborn=True)
        async with machine.supervisor() as supervisor:
            supervisor.run(program(revision="1"))
            await asyncio.sleep(1)
            supervisor.run(program(revision="2"))
            supervisor.run(program(revision="3"))
            await asyncio.sleep(1)
            supervisor.run(program(revision="4"))
            await asyncio.sleep(10)
            assert [when for when, _, _ in machine.started] == [0, 4]

    run_virtual(scenario())


def test_what_ignores_the_request_to_end_is_killed_after_the_grace() -> None:
    async def scenario() -> None:
        machine = Machine(stubborn=True)
        async with machine.supervisor() as supervisor:
            supervisor.run(program())
            await asyncio.sleep(1)
            await supervisor.stop(["relayer-0", "unknown"])
            assert machine.loop.time() == 4
            assert machine.last.signals[:2] == ["TERM", "KILL"]
            assert supervisor.states == {}

    run_virtual(scenario())


def test_leaving_the_supervisor_ends_everything_side_by_side() -> None:
    async def scenario() -> None:
        machine = Machine(stubborn=True)
        async with machine.supervisor() as supervisor:
            for name in ("a", "b", "c"):
                supervisor.run(program(name))
            await asyncio.sleep(1)
        assert machine.loop.time() == 4
        assert [process.signals[:2] for _, _, process in machine.started] == [["TERM", "KILL"]] * 3

    run_virtual(scenario())


def test_a_second_interruption_kills_at_once() -> None:
    async def scenario() -> None:
        machine = Machine(stubborn=True)
        async with machine.supervisor() as supervisor:
            supervisor.run(program("a"))
            supervisor.run(program("b"))
            await asyncio.sleep(1)
            machine.loop.call_later(0.5, supervisor.kill)
        assert machine.loop.time() == 1.5
        assert [process.signals[:2] for _, _, process in machine.started] == [["TERM", "KILL"]] * 2

    run_virtual(scenario())
