"""Real processes: tiny honest programs that stand for a member, started as members are."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from statusfleet.worlds.processes import logfile, ports
from statusfleet.worlds.processes.child import Program, describe_end, start
from statusfleet.worlds.processes.errors import PortTakenError

_PATIENCE_SECONDS = 30


@pytest.fixture
def modules(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder whose Python files children can run as modules."""
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    return tmp_path


def program(
    folder: Path, source: str, *arguments: str, listens: tuple[tuple[str, int], ...] = ()
) -> Program:
    (folder / "pretended_member.py").write_text(textwrap.dedent(source))
    return Program("m", "pretended_member", arguments, folder / "m.log", listens)


async def gone(pid: int) -> None:
    async with asyncio.timeout(_PATIENCE_SECONDS):
        while psutil.pid_exists(pid):
            with contextlib.suppress(psutil.NoSuchProcess):
                if psutil.Process(pid).status() == psutil.STATUS_ZOMBIE:
                    return
            await asyncio.sleep(0.02)


async def test_what_a_program_says_stands_in_its_log(modules: Path) -> None:
    process = await start(
        program(
            modules, "import sys; print(sys.argv[1:]); print('bad', file=sys.stderr)", "-c", "x"
        )
    )
    assert await process.wait() == 0
    assert sorted((modules / "m.log").read_text().splitlines()) == ["['-c', 'x']", "bad"]


async def test_lines_of_output_are_handed_over_and_an_endless_line_is_dropped(
    modules: Path,
) -> None:
    lines: list[bytes] = []
    source = "print('x' * 1_000_000); print('one'); print('two')"
    process = await start(program(modules, source), lines.append)
    assert await process.wait() == 0
    assert lines[-2:] == [b"one\n", b"two\n"]


async def test_a_child_is_in_a_session_of_its_own_so_that_ctrl_c_reaches_it_once(
    modules: Path,
) -> None:
    process = await start(program(modules, "import time; time.sleep(600)"))
    try:
        assert os.getsid(process.pid) == process.pid
    finally:
        process.kill()
    assert await process.wait() == -signal.SIGKILL


async def test_killing_a_child_ends_what_it_started(modules: Path) -> None:
    started: asyncio.Future[int] = asyncio.get_running_loop().create_future()
    source = """
        import subprocess, sys
        sleep = "import time; time.sleep(600)"
        print(subprocess.Popen([sys.executable, "-c", sleep]).pid, flush=True)
        sys.stdin.read()
        import time; time.sleep(600)
    """
    process = await start(program(modules, source), lambda line: started.set_result(int(line)))
    waiting = asyncio.create_task(process.wait())
    grandchild = await asyncio.wait_for(started, _PATIENCE_SECONDS)
    process.kill()
    await waiting
    await gone(grandchild)


async def test_children_end_when_their_parent_is_killed(modules: Path) -> None:
    """The parent here is a third process, killed as nothing can catch."""
    (modules / "pretended_member.py").write_text("import time; time.sleep(600)")
    parent_source = textwrap.dedent(f"""
        import asyncio, pathlib
        from statusfleet.worlds.processes.child import Program, start

        async def main():
            log = pathlib.Path({str(modules / "m.log")!r})
            children = [await start(Program("m", "pretended_member", (), log)) for _ in range(2)]
            print(*(child.pid for child in children), flush=True)
            await asyncio.sleep(600)

        asyncio.run(main())
    """)
    parent = await asyncio.create_subprocess_exec(
        sys.executable, "-c", parent_source, stdout=asyncio.subprocess.PIPE
    )
    assert parent.stdout is not None
    children = [int(pid) for pid in (await parent.stdout.readline()).split()]
    assert len(children) == 2
    parent.kill()
    await parent.communicate()
    for child in children:
        await gone(child)


async def test_a_child_whose_parent_is_already_gone_does_not_start(modules: Path) -> None:
    marker = modules / "ran"
    (modules / "pretended_member.py").write_text(f"open({str(marker)!r}, 'w').close()")
    orphan = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "statusfleet.worlds.processes.launcher", "1", "pretended_member"
    )
    assert await orphan.wait() == 1
    assert not marker.exists()


@pytest.fixture
def holder() -> Iterator[ports.PortHolder]:
    result = ports.PortHolder()
    yield result
    result.close()


def test_ports_of_two_fleets_never_meet(holder: ports.PortHolder) -> None:
    other = ports.PortHolder()
    try:
        mine = {holder.choose() for _ in range(20)}
        theirs = {other.choose() for _ in range(20)}
    finally:
        other.close()
    assert len(mine) == len(theirs) == 20
    assert not mine & theirs


def test_a_held_port_can_be_listened_on_and_a_taken_one_names_its_holder(
    holder: ports.PortHolder,
) -> None:
    port = holder.choose()
    ports.check(ports.HOST, port)
    with socket.create_server((ports.HOST, port)), pytest.raises(PortTakenError) as caught:
        ports.check(ports.HOST, port)
    assert caught.value.port == port
    assert f"(pid {os.getpid()})" in str(caught.value)


async def test_a_program_does_not_start_while_its_port_is_taken(
    modules: Path, holder: ports.PortHolder
) -> None:
    port = holder.choose()
    with socket.create_server((ports.HOST, port)), pytest.raises(PortTakenError):
        await start(program(modules, "", listens=((ports.HOST, port),)))
    process = await start(program(modules, "", listens=((ports.HOST, port),)))
    assert await process.wait() == 0


def test_a_kept_port_that_somebody_has_is_reported_at_the_check_not_at_the_hold(
    holder: ports.PortHolder,
) -> None:
    with socket.create_server((ports.HOST, 0)) as server:
        port = server.getsockname()[1]
        holder.hold(port)
        with pytest.raises(PortTakenError):
            ports.check(ports.HOST, port)


def test_a_log_beyond_its_bound_is_moved_aside_while_its_writer_goes_on(tmp_path: Path) -> None:
    path = tmp_path / "log"
    with path.open("ab", buffering=0) as writer:
        writer.write(b"x" * 100)
        assert not logfile.bound(path, 100)
        writer.write(b"y")
        assert logfile.bound(path, 100)
        writer.write(b"after")
    assert path.read_bytes() == b"after"
    assert logfile.previous(path).read_bytes() == b"x" * 100 + b"y"
    assert not logfile.bound(tmp_path / "none")


@pytest.mark.parametrize(
    ("code", "words"),
    [(0, "exited with code 0"), (3, "exited with code 3"), (-9, "was ended by SIGKILL")],
)
def test_an_end_is_said_in_words(code: int, words: str, tmp_path: Path) -> None:
    assert describe_end(code, tmp_path / "none") == words


def test_a_failure_is_told_with_the_last_words_of_the_log(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_text("starting\nstatusd: the archive is damaged; run with --recover\n\n")
    said = "exited with code 1: statusd: the archive is damaged; run with --recover"
    assert describe_end(1, log) == said
    assert describe_end(-9, log) == "was ended by SIGKILL"
