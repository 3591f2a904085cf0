"""Packet codes of Waku, counted from the start of the capability (VAC-6 and VAC-10, "Packets")."""

from __future__ import annotations

from enum import IntEnum
from typing import Final

RESERVED_CODES: Final = 128


class PacketCode(IntEnum):
    """Every code that this node sends or understands; others are ignored."""

    STATUS = 0
    MESSAGES = 1
    BATCH_ACKNOWLEDGED = 11
    MESSAGE_RESPONSE = 12
    STATUS_UPDATE = 22
    MAIL_RESPONSE = 125
    MAIL_REQUEST = 126
    DIRECT_MESSAGES = 127
