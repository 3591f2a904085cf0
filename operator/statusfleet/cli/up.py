"""`statusfleet up FILE`: run a fleet on this machine."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from shutil import which
from typing import Annotated

import typer

from statusfleet.cli.screens import Output, choose_screen

FAILED = 1
FOLDER_IN_USE = 3


def up(
    file: Annotated[
        Path,
        typer.Argument(metavar="FILE", exists=True, dir_okay=False, help="The manifest."),
    ],
    data: Annotated[
        Path | None,
        typer.Option(
            "--data",
            metavar="DIR",
            file_okay=False,
            help="Where keys, ports and archives are kept.",
            show_default=".statusfleet/NAME",
        ),
    ] = None,
    check: Annotated[
        bool,
        typer.Option(
            "--check",
            help="Stop with 0 as soon as all members are ready, the tree was read back through "
            "DNS and verified, and the canary has passed; with 1 if that takes too long.",
        ),
    ] = False,
    output: Annotated[
        Output,
        typer.Option(
            "--output",
            "-o",
            help="A live table (without a terminal: a line a change), or JSON lines.",
        ),
    ] = Output.TABLE,
    timeout: Annotated[
        float,
        typer.Option(
            "--timeout", min=0.1, max=86_400, metavar="S", help="Seconds that --check may take."
        ),
    ] = 60.0,
    dns_port: Annotated[
        int | None,
        typer.Option(
            "--dns-port",
            min=1,
            max=65_535,
            metavar="N",
            help="Port of the tree's DNS server.",
            show_default="chosen once and kept",
        ),
    ] = None,
    recover: Annotated[
        bool,
        typer.Option(
            "--recover",
            help="Let mailservers move a corrupt archive aside and begin a new one. Without it "
            "they refuse to start on one.",
        ),
    ] = False,
) -> None:
    """Run a fleet on this machine until Ctrl-C.

    Edits of FILE are carried out as it is saved. Exits with 0, with 1 if something failed or is
    invalid, with 2 after wrong usage, with 3 if another process works in the data folder.
    """
    from statusfleet.api import ManifestError
    from statusfleet.cli.folders import default_folder
    from statusfleet.cli.running import RunningFleet, Wish, load
    from statusfleet.store import FolderInUseError, FolderStore, StoreError

    screen = choose_screen(output, hints=_hints(file, check))
    try:
        manifest = load(file)
        folder = data or default_folder(manifest.fleet.name)
        with FolderStore.open(folder, manifest.fleet.name) as store:
            wish = Wish(file, check, timeout, dns_port, recover)

            async def run() -> int:
                return await RunningFleet(wish, manifest, store, screen).run()

            code = asyncio.run(run())
    except ManifestError as error:
        for problem in error.problems:
            screen.error(problem.message, problem.path)
        code = FAILED
    except StoreError as error:
        screen.error(str(error))
        code = FOLDER_IN_USE if isinstance(error, FolderInUseError) else FAILED
    finally:
        screen.close()
    if code:
        raise typer.Exit(code)


def _hints(file: Path, check: bool) -> dict[str, str]:
    """Say what a person can do while the fleet runs, in words that can be typed."""
    if check:
        return {"next": "stops by itself when all is proven"}
    called = sys.argv[0]
    command = "statusfleet" if which("statusfleet") == called else called
    return {
        "next": f"edit {file} and save it, or stop with Ctrl-C",
        "look": f"{command} status | logs MEMBER | tree show URL --server ADDR:PORT",
    }
