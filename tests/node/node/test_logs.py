"""Lines of logfmt, levels of status-go, files that are rotated."""

from __future__ import annotations

import gzip
import logging
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from statusnode.config.model import NodeConfig
from statusnode.node.logs import (
    TRACE,
    LogError,
    LogfmtFormatter,
    RotatedFileHandler,
    level_of,
    start_logging,
)


@pytest.fixture
def untouched_logging() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    root.handlers.clear()
    yield
    for handler in list(root.handlers):
        root.removeHandler(handler)
        handler.close()
    root.handlers[:] = handlers
    root.setLevel(level)
    logging.disable(logging.NOTSET)


def line(message: str, level: int = logging.INFO, **facts: object) -> str:
    record = logging.makeLogRecord({"msg": message, "levelno": level, "created": 0.0} | facts)
    return LogfmtFormatter().format(record)


def test_a_line_has_time_level_message_and_facts() -> None:
    text = line("Started P2P networking", self="enode://a@b:1", port=7)
    moment, rest = text.split(" ", 1)
    assert moment.startswith("t=19")
    assert rest == 'lvl=info msg="Started P2P networking" self=enode://a@b:1 port=7'


@pytest.mark.parametrize(
    ("level", "name"),
    [
        (logging.CRITICAL, "crit"),
        (logging.ERROR, "eror"),
        (logging.WARNING, "warn"),
        (logging.DEBUG, "dbug"),
        (TRACE, "trce"),
    ],
)
def test_levels_have_go_ethereums_names(level: int, name: str) -> None:
    assert f" lvl={name} " in line("x", level)


@given(st.text(), st.text())
def test_no_text_breaks_a_line_in_two(message: str, fact: str) -> None:
    text = line(message.replace("%", ""), fact=fact)
    assert "\n" not in text
    assert text.isprintable()
    assert len(shlex.split(text.replace("'", ""))) == 4


def test_an_exception_stays_in_its_line() -> None:
    with pytest.raises(ValueError, match="boom") as caught:
        int("boom")
    text = line("Failed", exc_info=(caught.type, caught.value, caught.tb))
    assert "\n" not in text
    assert "ValueError: " in text


@pytest.mark.parametrize(
    ("text", "level"),
    [("ERROR", logging.ERROR), ("warn", logging.WARNING), ("Trace", TRACE), ("", logging.INFO)],
)
def test_levels_are_read_in_any_case(text: str, level: int) -> None:
    assert level_of(text) == level


def test_an_unknown_level_is_refused() -> None:
    with pytest.raises(LogError, match="unknown log level 'loud'"):
        level_of("loud")


@pytest.mark.usefixtures("untouched_logging")
def test_the_log_goes_to_standard_error_at_its_level(capsys: pytest.CaptureFixture[str]) -> None:
    start_logging(NodeConfig(log_level="WARN"))
    logging.getLogger("statusnode").info("quiet")
    logging.getLogger("statusnode").warning("loud")
    errors = capsys.readouterr().err
    assert "msg=loud" in errors
    assert "quiet" not in errors


@pytest.mark.usefixtures("untouched_logging")
def test_a_log_that_is_off_says_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    start_logging(NodeConfig(log_enabled=False))
    logging.getLogger("statusnode").critical("loud")
    assert capsys.readouterr().err == ""


@pytest.mark.usefixtures("untouched_logging")
def test_a_log_file_that_cannot_be_written_is_refused(tmp_path: Path) -> None:
    with pytest.raises(LogError, match=r"LogFile .* cannot be written"):
        start_logging(NodeConfig(log_file=str(tmp_path)))


@pytest.mark.parametrize("compress", [True, False])
def test_a_full_file_is_set_aside_and_only_so_many_are_kept(compress: bool, tmp_path: Path) -> None:
    path = tmp_path / "node.log"
    handler = RotatedFileHandler(path, 100, 2, compress=compress)
    for number in range(8):
        handler.emit(logging.makeLogRecord({"msg": f"{number}" * 60}))
    handler.close()
    assert path.read_text() == "7" * 60 + "\n"
    aside = sorted(tmp_path.glob("node-*"))
    texts = [gzip.decompress(p.read_bytes()) if compress else p.read_bytes() for p in aside]
    assert texts == [b"5" * 60 + b"\n", b"6" * 60 + b"\n"]


def test_a_file_goes_on_where_it_ended(tmp_path: Path) -> None:
    path = tmp_path / "node.log"
    for text in ("a", "b"):
        handler = RotatedFileHandler(path, 100, 2, compress=False)
        handler.emit(logging.makeLogRecord({"msg": text}))
        handler.close()
    assert path.read_text() == "a\nb\n"
