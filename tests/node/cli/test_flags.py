"""Flags as Go's flag package reads them; the messages are those of statusd 0.68.4."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from statusnode.cli.flags import (
    ExtraArgumentsError,
    FlagError,
    HelpRequestError,
    parse_flags,
    usage,
)

HOME = {"HOME": "/home/a"}


def test_without_flags_the_defaults_stand() -> None:
    flags = parse_flags([], HOME)
    assert flags.dir == "/home/a/.statusd"
    assert flags.fleet == "eth.prod"
    assert flags.network_id == 3
    assert flags.metrics_port == 9305
    assert flags.sync_and_exit == -1
    assert not flags.recover


def test_without_a_home_data_stays_in_the_working_folder() -> None:
    assert parse_flags([], {}).dir == "./statusd-data"


@pytest.mark.parametrize(
    "arguments", [["-dir", "x"], ["-dir=x"], ["--dir", "x"], ["--dir=x"], ["-dir", "a", "-dir=x"]]
)
def test_a_value_is_given_in_four_ways_and_the_last_one_counts(arguments: list[str]) -> None:
    assert parse_flags(arguments, HOME).dir == "x"


def test_a_value_may_look_like_a_flag_or_be_empty() -> None:
    flags = parse_flags(["-dir", "-version", "-fleet", "", "-log="], HOME)
    assert flags.dir == "-version"
    assert flags.fleet == ""
    assert flags.log == ""
    assert not flags.version


@pytest.mark.parametrize("text", ["", "=1", "=t", "=T", "=TRUE", "=true", "=True"])
def test_a_switch_is_on(text: str) -> None:
    assert parse_flags([f"-mailserver{text}"], HOME).mailserver


@pytest.mark.parametrize("text", ["=0", "=f", "=F", "=FALSE", "=false", "=False"])
def test_a_switch_is_off(text: str) -> None:
    assert not parse_flags(["-mailserver", f"-mailserver{text}"], HOME).mailserver


@pytest.mark.parametrize(
    ("text", "number"), [("7", 7), ("-7", -7), ("0x1F", 31), ("010", 8), ("0b11", 3), ("1_0", 10)]
)
def test_numbers_are_gos(text: str, number: int) -> None:
    assert parse_flags(["-network-id", text], HOME).network_id == number


def test_files_are_repeatable_and_absolute(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("a.json", "b.json"):
        (tmp_path / name).write_text("{}")
    monkeypatch.chdir(tmp_path)
    flags = parse_flags(["-c", "a.json", "--c=b.json"], HOME)
    assert flags.c == (tmp_path / "a.json", tmp_path / "b.json")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["-foo"], "flag provided but not defined: -foo"),
        (["--foo=1"], "flag provided but not defined: -foo"),
        (["-dir"], "flag needs an argument: -dir"),
        (["---x"], "bad flag syntax: ---x"),
        (["-=x"], "bad flag syntax: -=x"),
        (["-version=maybe"], 'invalid boolean value "maybe" for -version: parse error'),
        (["-network-id", "x"], 'invalid value "x" for flag -network-id: parse error'),
        (["-network-id", " 7"], 'invalid value " 7" for flag -network-id: parse error'),
        (["-network-id", ""], 'invalid value "" for flag -network-id: parse error'),
        (
            ["-network-id", "99999999999999999999"],
            'invalid value "99999999999999999999" for flag -network-id: value out of range',
        ),
        (
            ["-c", "/nope"],
            'invalid value "/nope" for flag -c: stat /nope: no such file or directory',
        ),
        (["-c", "/"], 'invalid value "/" for flag -c: path does not represent a file: /'),
    ],
)
def test_a_wrong_flag_is_named_in_gos_words(arguments: list[str], message: str) -> None:
    with pytest.raises(FlagError) as caught:
        parse_flags(arguments, HOME)
    assert str(caught.value) == message


@pytest.mark.parametrize("argument", ["-h", "--help", "-help"])
def test_help_is_asked_for(argument: str) -> None:
    with pytest.raises(HelpRequestError):
        parse_flags([argument], HOME)


@pytest.mark.parametrize("arguments", [["x"], ["-"], ["--", "-dir", "x"], ["-version", "x"]])
def test_nothing_may_follow_the_flags(arguments: list[str]) -> None:
    with pytest.raises(ExtraArgumentsError):
        parse_flags(arguments, HOME)


def test_two_dashes_end_the_flags() -> None:
    assert parse_flags(["-version", "--"], HOME).version


@given(st.lists(st.text(), max_size=4))
def test_no_command_line_breaks_the_reader(arguments: list[str]) -> None:
    try:
        parse_flags(arguments, HOME)
    except (FlagError, ExtraArgumentsError) as error:
        assert str(error)  # noqa: PT017 - either outcome is right, but never a silent one


def test_usage_lists_every_flag_with_its_default() -> None:
    text = usage(HOME)
    assert '  -dir string\n    \tfolder of the node\'s data (default "/home/a/.statusd")\n' in text
    assert "  -metrics-port int\n    \tthe port of metrics, " in text
    assert "  -recover\n" in text
