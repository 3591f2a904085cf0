"""Asking a running member how it is: readiness, peers, envelopes.

Over its metrics port alone (`/ready`, `/metrics`), which needs no key and disturbs nothing. A
member that does not answer is unready; why it does not is the supervisor's knowledge.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from statusfleet.worlds.processes import exposition
from statusfleet.worlds.processes.ports import HOST

if TYPE_CHECKING:
    import aiohttp

_PEERS: Final = "p2p_peers_absolute"
_ENVELOPES: Final = "waku_envelopes_received_total"
_TIMEOUT_SECONDS: Final = 5.0
_LONGEST_REASON: Final = 200


@dataclass(frozen=True, slots=True)
class Health:
    """What a member says of itself."""

    ready: bool
    reason: str = ""  # why it is not ready
    peers: int = 0
    envelopes: int = 0  # received since its start


SILENT: Final = Health(ready=False)


async def ask(session: aiohttp.ClientSession, metrics_port: int) -> Health:
    """Ask the member that serves its metrics on `metrics_port` of the loopback."""
    import aiohttp

    base = f"http://{HOST}:{metrics_port}"
    timeout = aiohttp.ClientTimeout(total=_TIMEOUT_SECONDS)
    try:
        async with session.get(f"{base}/ready", timeout=timeout) as response:
            ready = response.status == 200
            reasons = [] if ready else (await response.text()).splitlines()
        async with session.get(f"{base}/metrics", timeout=timeout) as response:
            numbers = exposition.totals(await response.text(), (_PEERS, _ENVELOPES))
    except (aiohttp.ClientError, OSError, TimeoutError, UnicodeDecodeError):
        return SILENT
    reason = "; ".join(reasons)[:_LONGEST_REASON]
    return Health(ready, reason, numbers.get(_PEERS, 0), numbers.get(_ENVELOPES, 0))
