"""A watch of Kopf's that is one part of a process: it can end by itself, and another can begin.

Kopf's own way to run (`kopf.run`, `kopf.run_tasks`) takes the whole process for its own: at its end
it cancels every task that is younger than its own. So its tasks are started as Kopf does, and ended
here. It ends by itself where it meets an answer that it does not expect: the kind is not there any
more, or may not be seen.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable, Collection
from dataclasses import dataclass
from typing import Any, Final, NoReturn, cast

import kopf

from statusfleet.kube.connection import load_connection
from statusfleet.kube.kinds import LEASE
from statusfleet.kube.names import MANAGED_BY

NOT_FOR_THE_LOG: Final = ("kopf._core.reactor.orchestration", "kopf._core.reactor.running")
"""Loggers that tell, each with a traceback, of what ends a watch; it is raised to us as well."""
_PAGE: Final = 20
"""Kopf works on all objects of a page at a time, and of the next when it comes: few are held."""
_REQUEST_SECONDS: Final = 60.0
_IDLE_SECONDS: Final = 0.2
"""For how long Kopf keeps a task and the last body of an object that nothing happens to."""
_FIRST_PAUSE_SECONDS: Final = 1.0
_LONGEST_PAUSE_SECONDS: Final = 30.0
_LONG_SECONDS: Final = 120.0
"""A watch that lasted for so long ended for no reason that the one before had."""
_log: Final = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class KopfWatch:
    """How Kopf watches for us.

    `kubeconfig` and `context` are the way to the cluster, `lease` the name of the only Lease that
    is watched; `started` is called when Kopf has begun, and has taken the signals for itself.
    """

    kubeconfig: str
    context: str
    lease: str
    started: Callable[[], None]

    async def run(self, registry: kopf.OperatorRegistry, namespace: str) -> None:
        """Watch what is registered, in a namespace or ("") in all, until cancelled.

        Raises:
            Exception: what Kopf meets and does not get over; nothing of it runs any more.
        """

        @kopf.on.login(registry=registry)
        async def login(**_: object) -> kopf.ConnectionInfo:
            return await _credentials(self.kubeconfig, self.context)

        stop = asyncio.Event()
        # In a task, since an end that came in the middle of it would leave some behind.
        spawning = asyncio.create_task(self._spawn(registry, namespace, stop))
        try:
            tasks = await asyncio.shield(spawning)
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            await _end(await spawning, stop)
        for task in done:
            task.result()

    async def _spawn(
        self, registry: kopf.OperatorRegistry, namespace: str, stop: asyncio.Event
    ) -> Collection[asyncio.Task[None]]:
        tasks = await kopf.spawn_tasks(
            registry=registry,
            settings=self._settings(),
            standalone=True,
            # Made of the user's name otherwise, and the user of a container may have none.
            identity=cast("Any", MANAGED_BY),
            clusterwide=not namespace,
            namespaces=(namespace,) if namespace else (),
            stop_flag=stop,
        )
        self.started()
        return tasks

    def _settings(self) -> kopf.OperatorSettings:
        settings = kopf.OperatorSettings()
        settings.posting.enabled = False
        settings.scanning.disabled = True  # asks for no right to see all of the cluster's CRDs
        settings.process.ultimate_exiting_timeout = None
        settings.networking.request_timeout = _REQUEST_SECONDS
        settings.watching.chunk_size = _PAGE
        settings.queueing.idle_timeout = _IDLE_SECONDS
        settings.watching.field_selectors[LEASE.api_version, LEASE.plural] = (
            f"metadata.name={self.lease}"
        )
        return settings


async def again(what: str, watch: Callable[[], Awaitable[None]]) -> NoReturn:
    """Have a watch, and another whenever one has ended, until cancelled; `what` is for the log."""
    loop = asyncio.get_running_loop()
    pause = _FIRST_PAUSE_SECONDS
    while True:
        began = loop.time()
        try:
            await watch()
            reason = "it ended"
        except Exception as error:  # noqa: BLE001 - whatever it is, the next may get over it
            # Kopf's errors of answers bring the whole answer with them.
            reason = str(getattr(error, "message", None) or error or type(error).__name__)
        if loop.time() - began > _LONG_SECONDS:
            pause = _FIRST_PAUSE_SECONDS
        # Another watch may be told the same meanwhile, and say it better.
        await asyncio.sleep(pause * random.uniform(0.8, 1.2))  # noqa: S311 - no secret
        _log.warning("the watch of %s begins anew: %s", what, reason)
        pause = min(_LONGEST_PAUSE_SECONDS, pause * 2)


async def _end(tasks: Collection[asyncio.Task[None]], stop: asyncio.Event) -> None:
    """End what Kopf has begun."""
    every = {*tasks, *asyncio.all_tasks()}
    stop.set()
    for task in tasks:
        task.cancel()
    await asyncio.wait(tasks)
    for task in every:
        # Of a task that it ends while it fails, Kopf does not ask how it has ended.
        if task.done() and not task.cancelled():
            task.exception()


async def _credentials(kubeconfig: str, context: str) -> kopf.ConnectionInfo:
    """Find the cluster for Kopf as our own client does; asked again when they are refused."""
    connection = await load_connection(kubeconfig, context)
    found: Any = connection.configuration  # annotated in parts only
    header = await found.get_api_key_with_prefix("BearerToken") or ""
    return kopf.ConnectionInfo(
        server=found.host,
        ca_path=found.ssl_ca_cert,
        insecure=not found.verify_ssl,
        certificate_path=found.cert_file,
        private_key_path=found.key_file,
        token=header.rpartition(" ")[2] or None,  # after "Bearer" or, in a pod, "bearer"
        default_namespace=connection.namespace,
    )
