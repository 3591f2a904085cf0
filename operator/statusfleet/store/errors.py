"""What can go wrong with what a fleet must remember. No message ever shows a key."""

from __future__ import annotations

from pathlib import Path


class StoreError(Exception):
    """What the fleet must remember cannot be read or written."""


class FolderError(StoreError):
    """The data folder cannot be used: not a folder, not readable, not writable, disk full."""


class FolderInUseError(StoreError):
    """Another process works in the data folder; `pid` is 0 where it could not be told."""

    def __init__(self, path: Path, pid: int) -> None:
        holder = f"process {pid}" if pid else "another process"
        super().__init__(
            f"the data folder {path} is in use by {holder}; stop that one, or choose another "
            "folder with --data"
        )
        self.path = path
        self.pid = pid


class NewerVersionError(StoreError):
    """What is kept was written by a newer version of this program."""

    def __init__(self, source: Path | str, found: int, known: int, *, or_else: str = "") -> None:
        """Take where it is kept, the layouts, and what else there is to do than to use that one."""
        super().__init__(
            f"{source} has layout {found} of a newer statusfleet, and this one knows layout "
            f"{known}: use that version{or_else}"
        )
        self.found = found


class CorruptStateError(StoreError):
    """The state cannot be understood. It is left as it is."""


class CorruptKeyError(StoreError):
    """A key file holds no key. It is left as it is, since the identity may still be saved."""


class LostKeyError(StoreError):
    """A key that others know is gone. No other takes its place: that would be somebody else."""


class ConflictError(StoreError):
    """Somebody else has written since the state was read: read again and decide again."""


class SequenceError(StoreError):
    """A sequence number would fall; readers would take the older record for the newer one."""
