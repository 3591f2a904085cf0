"""The mailserver of a node, made from its configuration."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

from statusnode.config.model import NodeConfig
from statusnode.mailserver.archive import ArchiveError
from statusnode.mailserver.process import ProcessArchive
from statusnode.mailserver.server import MailServer, MailSettings
from statusnode.mailserver.sqlite import FILE_NAME, recover
from statusnode.node.errors import StartError
from statusnode.relay.settings import DEFAULT_MAX_MESSAGE_SIZE

_log: Final = logging.getLogger(__name__)


def mail_settings(config: NodeConfig) -> MailSettings:
    """Return the settings of the mailserver."""
    waku = config.waku
    return MailSettings(
        password=waku.mail_server_password,
        rate_limit_seconds=float(waku.mail_server_rate_limit),
        retention_days=waku.mail_server_data_retention,
        min_pow=waku.minimum_pow,
        max_message_size=waku.max_message_size or DEFAULT_MAX_MESSAGE_SIZE,
    )


def make_mailserver(config: NodeConfig, now: Callable[[], float]) -> MailServer:
    """Make the mailserver; nothing is opened yet."""
    return MailServer(mail_settings(config), ProcessArchive(_archive_path(config)), now)


async def open_mailserver(mail: MailServer, config: NodeConfig, *, move_aside: bool) -> None:
    """Open the archive; with `move_aside` a corrupt one makes room for a new one first.

    Raises:
        StartError: there is no archive to serve from.
    """
    try:
        if move_aside:
            stamp = time.strftime("%Y%m%dT%H%M%S", time.gmtime())
            aside = await asyncio.to_thread(recover, _archive_path(config), stamp)
            if aside is not None:
                _log.warning("Corrupt archive moved aside", extra={"path": aside})
        await mail.start()
    except ArchiveError as error:
        raise StartError(str(error)) from error


def _archive_path(config: NodeConfig) -> Path:
    return Path(config.waku.data_dir, FILE_NAME)
