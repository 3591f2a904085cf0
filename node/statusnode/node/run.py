"""The life of the process: from a checked configuration to an exit code.

SIGTERM and SIGINT stop the node gracefully, SIGHUP and a change of a configuration file reload it.
A start that fails ends with code 1 and one sentence.
"""

from __future__ import annotations

import asyncio
import logging
import resource
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

from statusnode.config.errors import ConfigError
from statusnode.config.load import Loaded, Sources, load
from statusnode.config.unsupported import refuse_unsupported
from statusnode.node import systemd
from statusnode.node.errors import StartError
from statusnode.node.logs import LogError, start_logging
from statusnode.node.node import Node, Options
from statusnode.node.watch import Watch

EXIT_OK: Final = 0
EXIT_FAILED: Final = 1

_log: Final = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Run:
    """What the command line decided."""

    sources: Sources
    """Read again at each reload."""
    loaded: Loaded
    watch: Watch
    """Of the files in `sources`, begun before they were read."""
    options: Options


def run_node(run: Run) -> int:
    """Run a node until it is told to stop; returns the exit code."""
    try:
        start_logging(run.loaded.config)
    except LogError as error:
        print(f"statusd: {error}", file=sys.stderr)  # noqa: T201 - there is no log
        return EXIT_FAILED
    _allow_many_sockets()
    with asyncio.Runner(loop_factory=_loop_factory()) as runner:
        return runner.run(_run(run))


def _allow_many_sockets() -> None:
    """Raise the soft limit of open files to the hard one, as every program in Go does.

    The usual soft limit of 1,024 is for programs that use `select`; it would turn away the peers
    of a mailserver long before `MaxPeers` does.
    """
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    """Return what makes the fastest event loop there is; None for the standard one."""
    try:
        import uvloop
    except ImportError:
        return None
    return uvloop.new_event_loop


async def _run(run: Run) -> int:
    stop, reload = asyncio.Event(), asyncio.Event()
    with _signals({signal.SIGTERM: stop, signal.SIGINT: stop, signal.SIGHUP: reload}):
        return await _live(run, stop, reload)


@contextmanager
def _signals(events: dict[signal.Signals, asyncio.Event]) -> Iterator[None]:
    """Set an event at each signal; afterwards signals are ignored, since the end has begun."""
    loop = asyncio.get_running_loop()
    for number, event in events.items():
        loop.add_signal_handler(number, event.set)
    try:
        yield
    finally:
        for number in events:
            loop.remove_signal_handler(number)
            signal.signal(number, signal.SIG_IGN)


async def _live(run: Run, stop: asyncio.Event, reload: asyncio.Event) -> int:
    _warn_of_unknown_keys(run.loaded)
    try:
        async with Node(run.loaded.config, run.options) as node:
            systemd.notify("READY=1")
            await _serve(run, node, stop, reload)
            systemd.notify("STOPPING=1")
            _log.info("Got interrupt, shutting down...")
    except StartError as error:
        _report(run, error)
        return EXIT_FAILED
    except ExceptionGroup as failures:
        _log.critical("Node failed", exc_info=failures)
        return EXIT_FAILED
    _log.info("Node stopped")
    return EXIT_OK


async def _serve(run: Run, node: Node, stop: asyncio.Event, reload: asyncio.Event) -> None:
    """Run everything that has no end of its own, until `stop` is set."""
    async with asyncio.TaskGroup() as group:
        endless = [
            group.create_task(node.run(), name="node"),
            group.create_task(_watch(run.watch, reload), name="configuration watch"),
            group.create_task(_reload(run, node, reload), name="configuration reload"),
            group.create_task(systemd.keep_alive(), name="systemd watchdog"),
        ]
        await stop.wait()
        for task in endless:
            task.cancel()


async def _watch(watch: Watch, reload: asyncio.Event) -> None:
    async for _ in watch.changes():
        reload.set()


async def _reload(run: Run, node: Node, wanted: asyncio.Event) -> None:
    """Take up what has changed, whenever it is wanted; a broken file changes nothing."""
    while True:
        await wanted.wait()
        wanted.clear()
        try:
            loaded = load(run.sources)
            refuse_unsupported(loaded.config)
        except ConfigError as error:
            for problem in error.problems:
                _log.error("Configuration not reloaded, the old one stays", extra={"err": problem})
            continue
        _warn_of_unknown_keys(loaded)
        node.apply(loaded.config)


def _warn_of_unknown_keys(loaded: Loaded) -> None:
    for key in loaded.unknown_keys:
        _log.warning(
            "Unknown key in the configuration, ignored",
            extra={"key": key.path, "file": key.source},
        )


def _report(run: Run, error: StartError) -> None:
    """Say why the node cannot start, in the log and to whoever does not see that."""
    _log.error("Node start failed", extra={"error": error})
    if run.loaded.config.log_file or not run.loaded.config.log_enabled:
        print(f"statusd: {error}", file=sys.stderr)  # noqa: T201 - the log is elsewhere
