"""Files that are there whole or not at all."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from statusfleet.store import FolderError, files


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_a_file_and_its_folders_are_for_their_owner_only(tmp_path: Path) -> None:
    folder = tmp_path / "a" / "b"
    files.make_folder(folder)
    files.replace(folder / "x", b"1")
    assert files.create(folder / "y", b"2")
    assert [mode(folder), mode(folder.parent)] == [0o700, 0o700]
    assert [mode(folder / "x"), mode(folder / "y")] == [0o600, 0o600]


def test_replacing_leaves_the_new_content_and_nothing_else(tmp_path: Path) -> None:
    for content in (b"1", b"2"):
        files.replace(tmp_path / "x", content)
    assert files.read(tmp_path / "x", 10) == b"2"
    assert [path.name for path in tmp_path.iterdir()] == ["x"]


def test_creating_never_touches_what_is_there(tmp_path: Path) -> None:
    assert files.create(tmp_path / "x", b"1")
    assert not files.create(tmp_path / "x", b"2")
    assert files.read(tmp_path / "x", 10) == b"1"
    assert [path.name for path in tmp_path.iterdir()] == ["x"]


def test_what_an_interrupted_write_left_is_in_nobody_s_way(tmp_path: Path) -> None:
    (tmp_path / ".x.new").write_bytes(b"half")
    files.replace(tmp_path / "x", b"whole")
    assert [path.name for path in tmp_path.iterdir()] == ["x"]


@pytest.mark.parametrize("step", ["fsync", "write"])
def test_a_write_that_fails_leaves_the_old_content(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    files.replace(tmp_path / "x", b"old")

    def refuse(*_: object) -> None:
        raise OSError(28, os.strerror(28))

    if step == "fsync":
        monkeypatch.setattr(os, "fsync", refuse)
    else:
        monkeypatch.setattr(Path, "replace", refuse)
    with pytest.raises(FolderError, match="x cannot be written: No space left on device"):
        files.replace(tmp_path / "x", b"new")
    assert files.read(tmp_path / "x", 10) == b"old"


def test_a_file_that_is_not_there_is_none_and_one_too_large_is_refused(tmp_path: Path) -> None:
    assert files.read(tmp_path / "none", 10) is None
    (tmp_path / "large").write_bytes(b"x" * 11)
    with pytest.raises(FolderError, match="larger than 10 bytes"):
        files.read(tmp_path / "large", 10)


def test_what_stands_in_the_way_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(FolderError, match="file/data cannot be made: Not a directory"):
        files.make_folder(tmp_path / "file" / "data")
    with pytest.raises(FolderError, match="cannot be written"):
        files.replace(tmp_path / "missing" / "x", b"")
