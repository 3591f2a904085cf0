"""Where JSON-RPC is served, from the configuration."""

from __future__ import annotations

import os
from pathlib import Path

from statusnode.config.load import DEFAULT_IPC_FILE
from statusnode.config.model import NodeConfig
from statusnode.rpc.http import HttpSettings
from statusnode.rpc.server import RpcSettings


def rpc_settings(config: NodeConfig) -> RpcSettings:
    """Return the settings of JSON-RPC; as in status-go, HTTP needs a host to be served at all."""
    return RpcSettings(
        http=HttpSettings(
            host=config.http_host,
            port=config.http_port,
            modules=_names(config.api_modules.split(",")),
            virtual_hosts=_names(config.http_virtual_hosts or ()),
            cors_origins=_names(config.http_cors or ()),
        ),
        http_enabled=config.http_enabled and bool(config.http_host),
        ipc_path=_ipc_path(config) if config.ipc_enabled else None,
    )


def places(settings: RpcSettings) -> str:
    """Name what is to be opened, for a sentence about why it was not."""
    found = []
    if settings.http_enabled:
        found.append(f"HTTPHost {settings.http.host}, HTTPPort {settings.http.port}")
    if settings.ipc_path is not None:
        found.append(f"IPCFile {settings.ipc_path}")
    return "; ".join(found)


def _names(texts: list[str] | tuple[str, ...]) -> frozenset[str]:
    return frozenset(text.strip() for text in texts) - {""}


def _ipc_path(config: NodeConfig) -> Path:
    """Return the socket: a bare name lies inside the node's folder."""
    name = config.ipc_file or DEFAULT_IPC_FILE
    return Path(name) if os.sep in name else Path(config.data_dir, name)
