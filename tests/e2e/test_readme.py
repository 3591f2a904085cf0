"""README and the tutorial are true: their commands exist, their links lead somewhere, and what they
show is what happens.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from enum import EnumMeta
from pathlib import Path
from typing import Any

import pytest
import typer.main

from statusfleet.cli.kubectl.main import app as plugin
from statusfleet.cli.main import app
from statusnode.cli.flags import parse_flags
from support.documentation import ROOT, CommandLine, Document, documents, matches, plain
from support.fleet_up import nobody_left
from support.terminal import Shell, Terminal, environment, shell, terminal

README = Document(ROOT / "README.md")
TUTORIAL = Document(ROOT / "docs" / "tutorial.md")
FOLDERS = tuple(f"{path.name}/" for path in ROOT.iterdir() if path.is_dir())
UP = "statusfleet up fleet.yaml"
PLACEHOLDER = re.compile(r"[A-Z.…/:\[\]|$(){}*-]+")

each_document = pytest.mark.parametrize(
    "document", documents(), ids=lambda document: str(document.path.relative_to(ROOT))
)


@each_document
def test_every_link_leads_to_something_that_is_there(document: Document) -> None:
    for link in document.links:
        if "://" in link:
            continue
        name, _, anchor = link.partition("#")
        target = document.path.parent / name if name else document.path
        assert target.exists(), link
        assert not anchor or anchor in Document(target).anchors, link


@each_document
def test_every_file_that_is_named_is_there(document: Document) -> None:
    for code in document.inline_code:
        for word in code.split():
            if word.startswith(FOLDERS) and not re.search(r"[<>{}…]", word):
                assert list(ROOT.glob(word.rstrip("/,;:"))), word


@each_document
def test_every_command_line_can_be_typed(document: Document) -> None:
    for line in document.command_lines:
        match line.program:
            case "statusfleet":
                check_command(typer.main.get_command(app), line)
            case "kubectl statusfleet":
                check_command(typer.main.get_command(plugin), line)
            case "statusd":
                check_statusd(line)
            case _:
                check_make(line)


def check_command(command: Any, line: CommandLine) -> None:
    """The subcommand exists, and so do its options and their choices; enough arguments follow."""
    words = list(line.words)
    while hasattr(command, "commands") and words and not words[0].startswith("-"):
        assert words[0] in command.commands, line
        command = command.commands[words.pop(0)]
    options = {name: option for option in command.params for name in option.opts}
    arguments = [param for param in command.params if param.param_type_name == "argument"]
    positional = 0
    while words:
        word = words.pop(0)
        if not word.startswith("-"):
            positional += 1
            continue
        name, is_set, value = word.partition("=")
        if name == "--help":
            return
        assert name in options, f"{name} of {line}"
        option = options[name]
        if getattr(option, "is_flag", False):
            continue
        if not is_set:
            assert words, f"{name} of {line} needs a value"
            value = words.pop(0)
        kind = option.bare_type
        if isinstance(kind, EnumMeta) and not PLACEHOLDER.fullmatch(value):
            assert value in [choice.value for choice in kind], line  # type: ignore[var-annotated]
    if hasattr(command, "commands"):
        return
    assert positional <= len(arguments) or any(a.nargs == -1 for a in arguments), line


def check_statusd(line: CommandLine) -> None:
    """Its flags exist."""
    words = [word for word in line.words if word not in {"…", "..."}]
    parse_flags([word.strip("\"'") for word in words])


def check_make(line: CommandLine) -> None:
    """Its targets exist."""
    targets = set(re.findall(r"(?m)^([a-z-]+):", (ROOT / "Makefile").read_text()))
    for word in line.words:
        assert "=" in word or word in targets, f"make {word}"


@pytest.fixture
async def checkout(tmp_path: Path) -> AsyncIterator[Path]:
    """What a fleet needs of a clone. A member that leaves does so slowly enough to be watched."""
    shutil.copytree(ROOT / "examples", tmp_path / "examples")
    example = tmp_path / "examples" / "local.yaml"
    example.write_text(example.read_text().replace("root: 5s", "root: 15s"))
    yield tmp_path
    await nobody_left(tmp_path)


def frame(text: str) -> str:
    """Return the live table as it was drawn last."""
    head = "member role state"
    return head + plain(text).rpartition(head)[2]


async def shows(running: Terminal, documented: str) -> None:
    """Wait until the live table is what a document shows."""
    wanted = frame(documented)
    await running.until(lambda text: matches(wanted, frame(text)))
    assert matches(wanted, frame(running.text)), frame(running.text)


@pytest.mark.slow
async def test_make_up_shows_what_readme_shows(checkout: Path) -> None:
    (shown,) = [step.output for step in README.steps if step.command == "make up"]
    command = ("statusfleet", "up", "examples/local.yaml")
    async with terminal(checkout, environment(checkout), *command) as running:
        await shows(running, shown)
        assert await running.interrupt() == 0


@pytest.mark.slow
@pytest.mark.timeout(600)
async def test_the_tutorial_works_command_by_command(checkout: Path) -> None:
    for program, package in {"curl": "curl", "jq": "jq", "dig": "bind9-dnsutils"}.items():
        if shutil.which(program) is None:
            pytest.skip(f"needs {program} (Debian: {package})")
    env = environment(checkout)
    async with shell(checkout, env) as second, AsyncExitStack() as first:
        running: Terminal | None = None
        for step in TUTORIAL.steps:
            if step.command == UP and running is None:
                running = await first.enter_async_context(terminal(checkout, env, *UP.split()))
                await shows(running, step.output)
            elif step.command == "^C":
                assert running is not None
                assert await running.interrupt() == 0
                await running.until(lambda text: "stopped" in frame(text))
                assert step.output.splitlines()[-1] in running.text.replace("\r", "")
            else:
                await prints(second, step.command, step.output)
        assert running is not None


async def prints(second: Shell, command: str, documented: str) -> None:
    """Run a command, again and again where its output is not yet what the document says."""
    output = await second.until(command, lambda text: matches(documented, text))
    assert matches(documented, output), f"$ {command}\n{output}"
