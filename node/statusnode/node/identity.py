"""Who the node is: its key, kept in the data folder, and the lock that keeps the folder its own.

`<DataDir>/Statusd/nodekey` holds 64 hex digits, as go-ethereum writes it. A file that holds
anything else is refused, never replaced: the peers and lists that know this node would lose it.
A file that `StatusFleet.NodeKeyFile` names must be there: it is somebody else's, and none is made
in its place.
"""

from __future__ import annotations

import fcntl
import os
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from statusnode.config.load import CLIENT_NAME
from statusnode.config.model import NodeConfig
from statusnode.crypto.keys import KeyFormatError, PrivateKey
from statusnode.node.errors import StartError

_KEY_FILE: Final = "nodekey"
_LOCK_FILE: Final = "LOCK"
_FOLDER_MODE: Final = 0o700
_KEY_MODE: Final = 0o600
_LARGEST_KEY_FILE: Final = 256


def instance_folder(config: NodeConfig) -> Path:
    """Return the folder inside `DataDir` that belongs to statusd."""
    return Path(config.data_dir, CLIENT_NAME)


def make_folders(config: NodeConfig) -> None:
    """Make the folders of the node.

    Raises:
        StartError: one cannot be made or written.
    """
    for name, folder in (
        ("DataDir", Path(config.data_dir)),
        ("KeyStoreDir", Path(config.key_store_dir)),
        ("DataDir", instance_folder(config)),
    ):
        try:
            folder.mkdir(mode=_FOLDER_MODE, parents=True, exist_ok=True)
        except OSError as error:
            raise StartError(f"{name}: cannot make {folder}: {_reason(error)}") from error
    if not os.access(instance_folder(config), os.W_OK | os.X_OK):
        raise StartError(f"DataDir: {instance_folder(config)} cannot be written")


def load_node_key(config: NodeConfig) -> PrivateKey:
    """Return the key of the configuration or of the file that it names, else of the data folder;
    made there the first time.

    Raises:
        StartError: the key file cannot be read or written, or holds no key.
    """
    if config.node_key:
        return PrivateKey.from_hex(config.node_key)
    if config.status_fleet is not None and config.status_fleet.node_key_file:
        return _read_node_key(Path(config.status_fleet.node_key_file))
    path = instance_folder(config) / _KEY_FILE
    # Also a link that leads nowhere is somebody's, and not to be replaced.
    return _read_node_key(path) if os.path.lexists(path) else _make_node_key(path)


def _read_node_key(path: Path) -> PrivateKey:
    try:
        with path.open("rb") as file:
            content = file.read(_LARGEST_KEY_FILE)
    except OSError as error:
        raise StartError(f"cannot read the node key {path}: {_reason(error)}") from error
    try:
        return PrivateKey.from_hex(content.decode("ascii"))
    except (KeyFormatError, UnicodeDecodeError):
        raise StartError(
            f"the node key {path} is corrupt (64 hex digits are wanted); restore it, or remove it "
            "to give the node a new identity"
        ) from None


def _make_node_key(path: Path) -> PrivateKey:
    key = PrivateKey.generate()
    # Written beside and moved, so that a crash leaves a whole key or none.
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, _KEY_MODE)
        with os.fdopen(descriptor, "w", encoding="ascii") as file:
            file.write(key.data.hex())
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
        _sync_folder(path.parent)
    except OSError as error:
        draft.unlink(missing_ok=True)
        raise StartError(f"cannot write the node key {path}: {_reason(error)}") from error
    return key


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


class FolderLock:
    """Holds a data folder while the node runs; the kernel lets go of it when the process ends."""

    def __init__(self, config: NodeConfig) -> None:
        self._path = instance_folder(config) / _LOCK_FILE
        self._descriptor = -1

    def __enter__(self) -> Self:
        """Take the lock.

        Raises:
            StartError: another node holds it, or it cannot be made.
        """
        try:
            self._descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT, _KEY_MODE)
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            self._close()
            folder = self._path.parent.parent
            raise StartError(f"DataDir: {folder} is in use by another node") from None
        except OSError as error:
            self._close()
            raise StartError(f"cannot lock {self._path}: {_reason(error)}") from error
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._close()

    def _close(self) -> None:
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1


def _reason(error: OSError) -> str:
    return (error.strerror or str(error)).lower()
