"""The command `statusd`: flags in, a running node or a clear sentence out.

Exit codes: 0 after a graceful stop or `-version`; 1 when the configuration is wrong or the node
cannot start; 2 when the flags are wrong. Everything heavy is imported after the flags are read, so
that a mistake is answered at once.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final

from statusnode.cli.flags import (
    ExtraArgumentsError,
    FlagError,
    Flags,
    HelpRequestError,
    parse_flags,
    usage,
)

EXIT_OK: Final = 0
EXIT_FAILED: Final = 1
EXIT_FLAGS: Final = 2


def main() -> None:
    """Run with the arguments of the process, and end it."""
    sys.exit(run(sys.argv[1:]))


def run(arguments: Sequence[str]) -> int:
    """Run `statusd` with a command line without its first word; returns the exit code."""
    try:
        flags = parse_flags(arguments)
    except HelpRequestError:
        _print_error(usage())
        return EXIT_FLAGS
    except FlagError as error:
        _print_error(f"{error}\n{usage()}")
        return EXIT_FLAGS
    except ExtraArgumentsError as error:
        _print_error(f"{error}\n{usage()}")
        return EXIT_FAILED
    return _configure_and_start(flags)


def _configure_and_start(flags: Flags) -> int:
    _end_quietly_until_started()
    from statusnode.config.errors import ConfigError
    from statusnode.config.load import Sources, load
    from statusnode.config.unsupported import unsupported
    from statusnode.node.logs import LogError, level_of
    from statusnode.node.watch import Watch

    sources = Sources(
        data_dir=flags.dir,
        network_id=flags.network_id,
        fleet=flags.fleet,
        mailserver=flags.mailserver,
        register=flags.register,
        files=flags.c,
        listen_addr=flags.addr,
        ipc=flags.ipc,
        ipc_file=flags.ipcfile,
        log_level=flags.log,
    )
    # What changes after this look is seen as a change, even while the node still starts.
    watch = Watch(sources.files)
    try:
        loaded = load(sources)
        level_of(loaded.config.log_level)
    except ConfigError as error:
        _complain(error.problems)
        return EXIT_FAILED
    except LogError as error:
        _complain([error])
        return EXIT_FAILED
    if flags.version:
        from statusnode.cli.version import version_text

        try:
            print(version_text(loaded.config), flush=True)
        except BrokenPipeError:
            # A reader such as head may leave early; that is no error, nor is what is left to flush.
            with Path(os.devnull).open("w") as nowhere:
                os.dup2(nowhere.fileno(), sys.stdout.fileno())
        return EXIT_OK
    problems = [*_unsupported_flags(flags), *unsupported(loaded.config)]
    if problems:
        _complain(problems)
        return EXIT_FAILED

    from statusnode.node.node import Options
    from statusnode.node.run import Run, run_node

    metrics_port = flags.metrics_port if flags.metrics else None
    return run_node(Run(sources, loaded, watch, Options(metrics_port, flags.recover)))


def _end_quietly_until_started() -> None:
    """Let a signal that comes while nothing has been started yet end the process with code 0."""

    def end(_number: int, _frame: object) -> None:
        sys.exit(EXIT_OK)

    signal.signal(signal.SIGTERM, end)
    signal.signal(signal.SIGINT, end)
    signal.signal(signal.SIGHUP, signal.SIG_IGN)


def _unsupported_flags(flags: Flags) -> list[str]:
    """Return a sentence for each flag that asks for what this version does not have."""
    found: list[str] = []
    if flags.mailserver:
        found.append(
            "-mailserver: it means a Whisper mailserver, which this version does not have; for a "
            "Waku mailserver set WakuConfig.EnableMailServer and WakuConfig.MailServerPassword"
        )
    if flags.register:
        found.append("-register: this version has no discovery; leave the flag away")
    if flags.pprof:
        found.append("-pprof: it profiles Go, and this is Python; leave the flag away")
    if flags.sync_and_exit >= 0:
        found.append("-sync-and-exit: this version has no Ethereum client; leave the flag away")
    return found


def _complain(problems: Iterable[object]) -> None:
    for problem in problems:
        _print_error(f"statusd: {problem}")


def _print_error(text: str) -> None:
    print(text, file=sys.stderr)


if __name__ == "__main__":
    main()
