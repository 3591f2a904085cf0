"""The operator as a process of its own, as a pod would run it, and a fleet as its users see it."""

from __future__ import annotations

import asyncio
import contextlib
import json
import secrets
import signal
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from statusfleet.kube import KubeClient
from statusfleet.kube.kinds import STATUS_FLEET

PATIENCE_SECONDS = 90.0


class OperatorProcess:
    """`statusfleet operator`, running."""

    def __init__(self, process: asyncio.subprocess.Process, log: Path) -> None:
        self._process = process
        self._log = log

    @property
    def log(self) -> str:
        return self._log.read_text(errors="replace")

    async def leads(self) -> bool:
        """Whether it has ever led."""
        return "this process leads" in self.log

    def send(self, number: signal.Signals) -> None:
        self._process.send_signal(number)

    async def end(self, number: signal.Signals = signal.SIGTERM) -> int:
        """End it; return its exit code."""
        if self._process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                self._process.send_signal(number)
        return await asyncio.wait_for(self._process.wait(), PATIENCE_SECONDS)


@asynccontextmanager
async def operator(
    folder: Path, kubeconfig: str, namespace: str, image: str, *more: str
) -> AsyncIterator[OperatorProcess]:
    """Run an operator of one namespace."""
    log = folder / f"operator-{secrets.token_hex(4)}.log"
    command = [sys.executable, "-m", "statusfleet.cli.main", "operator", "--image", image]
    where = ["--kubeconfig", kubeconfig, "-n", namespace, "--lease-namespace", namespace]
    with log.open("wb") as file:
        process = await asyncio.create_subprocess_exec(
            *command, *where, "--port", "0", *more, stdout=file, stderr=file
        )
    running = OperatorProcess(process, log)
    try:
        yield running
    finally:
        await running.end(signal.SIGKILL)


class FleetUser:
    """Somebody with kubectl, and one fleet."""

    def __init__(
        self,
        client: KubeClient,
        namespace: str,
        name: str = "small",
        *,
        patience_seconds: float = PATIENCE_SECONDS,
    ) -> None:
        self.patience_seconds = patience_seconds
        self.client = client
        self.namespace = namespace
        self.name = name

    async def apply(self, annotations: dict[str, str] | None = None, **spec: Any) -> None:
        metadata: dict[str, Any] = {"namespace": self.namespace, "name": self.name}
        metadata["annotations"] = annotations or {}
        body = {
            "apiVersion": STATUS_FLEET.api_version,
            "kind": STATUS_FLEET.kind,
            "metadata": metadata,
            "spec": spec,
        }
        found = await self.get()
        if found is None:
            await self.client.create(body)
        else:
            patch = {"metadata": {"annotations": metadata["annotations"]}, "spec": spec}
            await self.client.patch(STATUS_FLEET, self.namespace, self.name, patch)

    async def get(self) -> dict[str, Any] | None:
        return await self.client.find(STATUS_FLEET, self.namespace, self.name)

    async def status(self) -> dict[str, Any]:
        return ((await self.get()) or {}).get("status") or {}

    async def delete(self) -> None:
        await self.client.delete(STATUS_FLEET, self.namespace, self.name)

    async def until(self, holds: Callable[[dict[str, Any]], bool], what: str) -> dict[str, Any]:
        """Wait until the status of the present generation is as wished; return it."""
        found: dict[str, Any] | None = None
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self.patience_seconds):
                while True:
                    found = await self.get()
                    status = (found or {}).get("status") or {}
                    generation = (found or {}).get("metadata", {}).get("generation")
                    if status.get("observedGeneration") == generation and holds(status):
                        return status
                    await asyncio.sleep(0.1)
        raise AssertionError(f"not {what}: {json.dumps((found or {}).get('status'), indent=1)}")

    async def until_gone(self) -> None:
        async def gone() -> bool:
            return await self.get() is None

        await eventually(gone, self.patience_seconds)


async def eventually(
    check: Callable[[], Awaitable[bool]], patience_seconds: float = PATIENCE_SECONDS
) -> None:
    """Wait until something holds."""
    async with asyncio.timeout(patience_seconds):
        while True:
            if await check():
                return
            await asyncio.sleep(0.1)


def condition(status: dict[str, Any], kind: str) -> dict[str, Any]:
    """Return a condition of a status, an empty one where there is none."""
    return next((one for one in status.get("conditions") or () if one["type"] == kind), {})


def is_true(kind: str) -> Callable[[dict[str, Any]], bool]:
    """Return the question whether a condition holds."""
    return lambda status: condition(status, kind).get("status") == "True"


def has_reason(kind: str, reason: str) -> Callable[[dict[str, Any]], bool]:
    """Return the question whether a condition has that reason."""
    return lambda status: condition(status, kind).get("reason") == reason
