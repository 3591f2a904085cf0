"""The node's key and its folder: kept, refused when corrupt, held by one node alone."""

from __future__ import annotations

from pathlib import Path

import pytest

from statusnode.config.model import NodeConfig
from statusnode.config.sections import StatusFleet
from statusnode.crypto.keys import PrivateKey
from statusnode.node.errors import StartError
from statusnode.node.identity import FolderLock, load_node_key, make_folders


@pytest.fixture
def config(tmp_path: Path) -> NodeConfig:
    made = NodeConfig(
        data_dir=str(tmp_path / "data"), key_store_dir=str(tmp_path / "keys"), name="Statusd"
    )
    make_folders(made)
    return made


def key_file(config: NodeConfig) -> Path:
    return Path(config.data_dir, "Statusd", "nodekey")


def test_a_key_is_made_once_and_kept(config: NodeConfig) -> None:
    key = load_node_key(config)
    assert load_node_key(config).data == key.data
    assert key_file(config).read_text() == key.data.hex()
    assert key_file(config).stat().st_mode & 0o777 == 0o600
    assert [path.name for path in key_file(config).parent.iterdir()] == ["nodekey"]


def test_a_key_of_the_configuration_comes_first_and_is_not_written(config: NodeConfig) -> None:
    key = PrivateKey.generate()
    given = config.model_copy(update={"node_key": key.data.hex()})
    assert load_node_key(given).data == key.data
    assert not key_file(config).exists()


def test_a_key_file_that_is_named_is_read_and_none_is_made(config: NodeConfig) -> None:
    key, path = PrivateKey.generate(), Path(config.data_dir, "given")
    named = StatusFleet(node_key_file=str(path))
    given = config.model_copy(update={"status_fleet": named})
    with pytest.raises(StartError, match=r"cannot read the node key .*given: no such file"):
        load_node_key(given)
    path.write_text(key.data.hex())
    assert load_node_key(given).data == key.data
    other = PrivateKey.generate()
    both = given.model_copy(update={"node_key": other.data.hex()})
    assert load_node_key(both).data == other.data
    assert not key_file(config).exists()


def test_a_line_end_behind_the_key_is_allowed(config: NodeConfig) -> None:
    key = PrivateKey.generate()
    key_file(config).write_text(key.data.hex() + "\n")
    assert load_node_key(config).data == key.data


@pytest.mark.parametrize(
    "content", [b"", b"zz", b"1" * 63, b"1" * 65, b"0" * 64, b"f" * 64, b"\xff" * 32, b"1" * 10**6]
)
def test_a_corrupt_key_is_refused_never_replaced_never_shown(
    content: bytes, config: NodeConfig
) -> None:
    key_file(config).write_bytes(content)
    with pytest.raises(StartError, match="is corrupt") as caught:
        load_node_key(config)
    assert key_file(config).read_bytes() == content
    assert "1111" not in str(caught.value)


def test_a_key_that_is_a_folder_is_refused(config: NodeConfig) -> None:
    key_file(config).mkdir()
    with pytest.raises(StartError, match="cannot read the node key"):
        load_node_key(config)


def test_a_folder_is_one_nodes_alone(config: NodeConfig) -> None:
    with FolderLock(config), pytest.raises(StartError, match="in use by another node"):
        FolderLock(config).__enter__()
    with FolderLock(config):
        pass


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    config = NodeConfig(data_dir=str(tmp_path / "file" / "data"), key_store_dir=str(tmp_path))
    with pytest.raises(StartError, match=r"DataDir: cannot make .*file/data: not a directory"):
        make_folders(config)
