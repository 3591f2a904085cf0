"""The chart, installed on a real cluster for the fleets of one namespace, as helm's users do it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass

from support.chart import CHART

RELEASE = "statusfleet"
WAIT = ("--wait", "--timeout", "90s")

Helm = Callable[..., Awaitable[str]]
"""Runs helm in that namespace; returns what it says."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where the chart is installed: a namespace of a cluster that knows what a StatusFleet is."""

    helm: str
    kubeconfig: str
    namespace: str
    image: str


@asynccontextmanager
async def installed(place: Place, *more: str) -> AsyncIterator[Helm]:
    """Install the chart, with `more` of helm's flags; it is uninstalled afterwards."""

    async def run(*arguments: str) -> str:
        where = ("--kubeconfig", place.kubeconfig, "--namespace", place.namespace)
        process = await asyncio.create_subprocess_exec(
            *(place.helm, *where, *arguments),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        said = (await process.communicate())[0].decode()
        assert process.returncode == 0, said
        return said

    repository, _, tag = place.image.rpartition(":")
    image = f"image.repository={repository},image.tag={tag},image.pullPolicy=Never"
    own = f"crds.enabled=false,namespaces={{{place.namespace}}}"
    await run("install", RELEASE, str(CHART), "--set", image, "--set", own, *more, *WAIT)
    try:
        yield run
    finally:
        # What a failed test leaves goes with its namespace; this is what lies outside.
        await run("uninstall", RELEASE, "--ignore-not-found", "--timeout", "60s")
