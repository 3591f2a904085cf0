"""The Markdown of this repository as data: code, commands with their output, links, headings.

In a `console` block a line that begins with `$ ` is a command, lines with `> ` go on with it, and
what follows is its output. There `…` stands for anything, and a line of `…` alone for any lines.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[2]

_FENCE: Final = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_INLINE: Final = re.compile(r"`([^`\n]+)`")
_LINK: Final = re.compile(r"\]\(([^)\s]+)\)")
_HEADING: Final = re.compile(r"^#+ +(.*)$", re.MULTILINE)
# One of our programs where a command may begin, up to where it ends.
_OURS: Final = re.compile(
    r"(?:^|[(|;&{]|\b(?:then|sudo|time)\b)\s*(?:\w+=\S*\s+)*(?:[\w./~-]*/)?"
    r"(kubectl statusfleet|statusfleet|statusd|make)\s+([^|;&)>#\n]+)"
)


@dataclass(frozen=True, slots=True)
class Block:
    """A fenced block of code."""

    language: str
    text: str


@dataclass(frozen=True, slots=True)
class Step:
    """A command of a console block, and what it prints."""

    command: str
    output: str


@dataclass(frozen=True, slots=True)
class CommandLine:
    """A command line of one of our programs."""

    program: str
    words: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Document:
    """One Markdown file."""

    path: Path

    @property
    def text(self) -> str:
        """What it holds."""
        return self.path.read_text()

    @property
    def blocks(self) -> list[Block]:
        """Its blocks of code."""
        return [Block(*match.groups()) for match in _FENCE.finditer(self.text)]

    @property
    def prose(self) -> str:
        """Everything but the blocks of code."""
        return _FENCE.sub("", self.text)

    @property
    def inline_code(self) -> list[str]:
        """What stands between backquotes in the prose."""
        return _INLINE.findall(self.prose)

    @property
    def links(self) -> list[str]:
        """The targets of links and pictures."""
        return _LINK.findall(self.prose)

    @property
    def headings(self) -> list[str]:
        """Its headings, in order."""
        return _HEADING.findall(self.prose)

    @property
    def anchors(self) -> set[str]:
        """What links may name behind `#`, as GitHub makes it from headings."""
        return {
            re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-")
            for heading in self.headings
        }

    @property
    def steps(self) -> list[Step]:
        """The commands of its console blocks, in order."""
        return [
            step
            for block in self.blocks
            if block.language == "console"
            for step in _steps(block.text)
        ]

    @property
    def command_lines(self) -> list[CommandLine]:
        """Every command line of our programs, in blocks and in the prose."""
        texts = [step.command for step in self.steps]
        texts += [block.text for block in self.blocks if block.language in {"sh", "bash"}]
        texts += self.inline_code
        return [
            CommandLine(program, tuple(words.split()))
            for text in texts
            for line in text.splitlines()
            for program, words in _OURS.findall(line)
        ]


def documents() -> list[Document]:
    """Return every document of the repository."""
    patterns = ("*.md", "docs/**/*.md", "bench/*.md", "charts/*/README.md")
    return [Document(path) for pattern in patterns for path in sorted(ROOT.glob(pattern))]


def _steps(text: str) -> Iterator[Step]:
    command: list[str] = []
    output: list[str] = []
    for line in text.splitlines():
        if line == "^C" or line.startswith("$ "):
            if command:
                yield Step("\n".join(command), "\n".join(output))
            command, output = [line.removeprefix("$ ")], []
        elif line.startswith("> ") and not output:
            command.append(line.removeprefix("> "))
        else:
            output.append(line)
    if command:
        yield Step("\n".join(command), "\n".join(output))


_TERMINAL: Final = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]|\r")
# What differs from run to run, and what stands for it.
_CHANGING: Final = (
    (re.compile(r"[\d-]{10}T[\d:]{8}[+-]\d{4}"), "TIME"),
    (re.compile(r"enode://[0-9a-f]+"), "enode://KEY"),
    (re.compile(r"enrtree://[A-Z2-7]+"), "enrtree://KEY"),
    (re.compile(r"[A-Z2-7]{26}(?=[ .])"), "HASH"),
    (re.compile(r"(?<=sig=)[\w-]+"), "SIGNATURE"),
    (re.compile(r"[0-9a-f]{16,}"), "HEX"),
    (re.compile(r"/\S+/\.statusfleet/"), "/.statusfleet/"),
    (re.compile(r"\S+/bin/statusfleet"), "statusfleet"),
    # Numbers, but for those that are the point: versions of a tree, counts, names, starts.
    (
        re.compile(
            r'(?<!seq )(?<!starts":)(?<![\w-])\d+(?!\d)(?! (?:entries|nodes|records|members))'
        ),
        "0",
    ),
    (re.compile(r"[ \t]+"), " "),
    (re.compile(r" ?\n ?"), "\n"),
)


def plain(output: str) -> str:
    """Return output without what differs from run to run, and without the terminal's codes."""
    text = _TERMINAL.sub("", output)
    for changing, standing in _CHANGING:
        text = changing.sub(standing, text)
    return text.strip()


def matches(documented: str, output: str) -> bool:
    """Tell whether output is what a document says."""
    pattern = "".join(
        r"(?:.*\n)*?" if line == "…" else re.escape(line).replace("…", ".*") + r"\n"
        for line in plain(documented).splitlines()
    )
    text = plain(output)
    return re.fullmatch(pattern, text and text + "\n") is not None
