"""Where `up` shows a fleet: a live table, a line a change, or JSON lines.

A terminal gets a table that stands still; everything else gets text that can be kept. The table
shows the numbers that move; the others only what changes the picture.
"""

from __future__ import annotations

import json
import sys
from collections import deque
from collections.abc import Mapping
from enum import StrEnum
from typing import TYPE_CHECKING, Final, Protocol, TextIO

from statusfleet.cli import table
from statusfleet.cli.picture import JsonObject, Picture, events, sentence
from statusfleet.worlds.processes.world import Detail

if TYPE_CHECKING:
    from rich.console import Console

_KEPT_LINES: Final = 5
_ERROR: Final = "error: "


class Output(StrEnum):
    """How `up` and `status` write."""

    TABLE = "table"
    JSON = "json"


class Screen(Protocol):
    """Shows one fleet for as long as it runs."""

    def show(self, picture: Picture, details: Mapping[str, Detail]) -> None:
        """Show a picture, which may equal the last one."""
        ...

    def numbers(self, details: Mapping[str, Detail]) -> None:
        """Show numbers that moved."""
        ...

    def error(self, message: str, path: str = "") -> None:
        """Say what went wrong, and in which field of the manifest if it is one."""
        ...

    def note(self, text: str) -> None:
        """Say something that is worth knowing."""
        ...

    def close(self) -> None:
        """Write what is to stand last."""
        ...


def choose_screen(
    output: Output, stream: TextIO | None = None, *, hints: Mapping[str, str] | None = None
) -> Screen:
    """Return the screen for what the user asked for and what standard output is.

    `hints` say, by title, what a person can do while the fleet runs; the live table shows them.
    """
    stream = stream or sys.stdout
    if output is Output.JSON:
        return JsonScreen(stream)
    return TableScreen(hints=hints) if stream.isatty() else LineScreen(stream)


class JsonScreen:
    """One JSON object a line; a summary after every change, and last of all."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._picture: Picture | None = None
        self._errors: list[str] = []  # before the first picture

    def show(self, picture: Picture, details: Mapping[str, Detail]) -> None:
        """Write the events between the last picture and this one, then the summary (`Screen`)."""
        if picture == self._picture:
            return
        for event in events(self._picture, picture):
            self._write(event)
        self._picture = picture
        self._write_summary()

    def numbers(self, details: Mapping[str, Detail]) -> None:
        """Nothing: numbers are asked of members themselves (`Screen`)."""

    def error(self, message: str, path: str = "") -> None:
        """Write an error event (`Screen`)."""
        if self._picture is None:
            self._errors.append(f"{path}: {message}" if path else message)
        self._write({"event": "error", "path": path or None, "message": message})

    def note(self, text: str) -> None:
        """Write a note event (`Screen`)."""
        self._write({"event": "note", "message": text})

    def close(self) -> None:
        """Write the last summary again, so that it is the last line (`Screen`).

        Of a fleet that never came so far it says why.
        """
        self._write_summary()

    def _write_summary(self) -> None:
        picture = self._picture
        if picture is None:
            picture = Picture("", "", missing=tuple(self._errors or ("nothing was started",)))
        self._write({"event": "summary", **picture.to_json()})

    def _write(self, event: JsonObject) -> None:
        self._stream.write(json.dumps(event, ensure_ascii=False) + "\n")
        self._stream.flush()


class LineScreen:
    """One line a change."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._last: dict[str, str] = {}
        self._picture: Picture | None = None

    def show(self, picture: Picture, details: Mapping[str, Detail]) -> None:
        """Write a line for each event between the last picture and this one (`Screen`)."""
        for event in events(self._picture, picture):
            line, name = sentence(event), str(event.get("name", event["event"]))
            if self._last.get(name) != line:  # a program may care for what makes no other line
                self._write(line)
            self._last[name] = line
        if picture.whole and not (self._picture and self._picture.whole):
            self._write(f"fleet {picture.fleet} is whole: {len(picture.members)} members ready")
        self._picture = picture

    def numbers(self, details: Mapping[str, Detail]) -> None:
        """Nothing: lines are for changes (`Screen`)."""

    def error(self, message: str, path: str = "") -> None:
        """Write a line (`Screen`)."""
        self._write(f"error: {path}: {message}" if path else f"error: {message}")

    def note(self, text: str) -> None:
        """Write a line (`Screen`)."""
        self._write(text)

    def close(self) -> None:
        """Say what is missing (`Screen`)."""
        for text in self._picture.missing if self._picture is not None else ():
            self._write(f"missing: {text}")

    def _write(self, line: str) -> None:
        self._stream.write(line + "\n")
        self._stream.flush()


class TableScreen:
    """A table that stands still, with the last few lines of news below it.

    Before there is a picture to draw, news are plain lines.
    """

    def __init__(
        self, console: Console | None = None, *, hints: Mapping[str, str] | None = None
    ) -> None:
        from rich.console import Console
        from rich.live import Live

        self._console = console or Console()
        self._live = Live(console=self._console, auto_refresh=False)
        self._picture: Picture | None = None
        self._details: Mapping[str, Detail] = {}
        self._news: deque[str] = deque(maxlen=_KEPT_LINES)
        self._hints = hints or {}

    def show(self, picture: Picture, details: Mapping[str, Detail]) -> None:
        """Draw the table anew (`Screen`)."""
        if self._picture is None:
            self._live.start()
        elif picture.whole and not self._picture.whole:
            self._news = deque(filter(_is_no_error, self._news), _KEPT_LINES)  # they are over
        self._picture = picture
        self.numbers(details)

    def numbers(self, details: Mapping[str, Detail]) -> None:
        """Draw the table anew with other numbers (`Screen`)."""
        self._details = details
        self._draw()

    def error(self, message: str, path: str = "") -> None:
        """Put it below the table (`Screen`)."""
        self.note(f"{_ERROR}{path}: {message}" if path else f"{_ERROR}{message}")

    def note(self, text: str) -> None:
        """Put it below the table (`Screen`)."""
        if self._picture is None:
            self._console.print(text, highlight=False, markup=False, soft_wrap=True)
            return
        if text in self._news:
            self._news.remove(text)
        self._news.append(text)
        self._draw()

    def close(self) -> None:
        """Leave the table as it was last, and say that it is history (`Screen`)."""
        if self._picture is not None:
            self._hints = {"next": "stopped; the same command brings the same nodes back"}
            self._draw()
            self._live.stop()

    def _draw(self) -> None:
        from rich.console import Group
        from rich.text import Text

        if self._picture is not None:
            drawing = table.fleet_table(
                self._picture, self._details, tuple(self._news), hints=self._hints
            )
            # The cursor rests on an empty line, where the terminal's "^C" breaks no full one.
            self._live.update(Group(drawing, Text()), refresh=True)


def _is_no_error(news: str) -> bool:
    return not news.startswith(_ERROR)
