"""`kubectl statusfleet canary NAME`: send messages through a fleet now, and tell each leg's time.

Its user needs what the role `edit` gives in the fleet's namespace: to make a Job and a Secret, and
to read pods and their logs. A Secret is read only where the fleet has a mail password of its own.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator, Sequence
from contextlib import aclosing, asynccontextmanager
from typing import TYPE_CHECKING, Annotated, Final

import typer

from statusfleet.cli.kubectl.cluster import CommandError, Place, Remote, on_fleet, run

if TYPE_CHECKING:
    from pydantic import SecretStr

    from statusfleet.api.fleet import StatusFleet
    from statusfleet.kube.kinds import JsonDict
    from statusfleet.worlds.canary import LegDetail
    from statusfleet.worlds.protocol import CanaryWish

_LOOK_SECONDS: Final = 0.5
_SPARE_SECONDS: Final = 30.0
_INTERRUPTED: Final = 130
_LAST_LINES: Final = 5


@on_fleet
def canary(
    place: Place,
    runs: Annotated[
        int | None,
        typer.Option(
            "--runs",
            min=1,
            max=1000,
            metavar="N",
            help="Messages to send, each through the next pair of relayers.",
            show_default="one for each relayer, at most 20",
        ),
    ] = None,
    start: Annotated[
        int,
        typer.Option(
            "--start-timeout",
            min=1,
            max=3600,
            metavar="SECONDS",
            help="How long to wait for its pod to run.",
        ),
    ] = 120,
) -> None:
    """Send messages through a fleet now, and tell how long each leg takes or why it fails.

    Legs: connect (TCP, RLPx and Waku handshakes), post (proof of work and handing over), receive
    (relayed by another member), fetch (archived and delivered by a mailserver). It runs in a pod
    of the fleet's namespace, beside the fleet's own canary and also where that is disabled, and is
    removed afterwards.

    Exits with 0 if every leg worked, 1 if one failed.
    """

    async def work(remote: Remote) -> Sequence[Sequence[LegDetail]]:
        return await _probe(remote, runs, float(start))

    from statusfleet.cli.kubectl.probe import all_passed, verdict_lines

    found = run(place, work, interrupted=_INTERRUPTED)
    for line in verdict_lines(found):
        typer.echo(line)
    if not all_passed(found):
        raise typer.Exit(1)


async def _probe(
    remote: Remote, runs: int | None, start_seconds: float
) -> Sequence[Sequence[LegDetail]]:
    from statusfleet.cli.kubectl.nodes import read_nodes
    from statusfleet.cli.kubectl.probe import image_in_use, job, left_out, runs_of, wish_of
    from statusfleet.worlds.kubernetes.names import Owner

    fleet, nodes = await read_nodes(remote)
    image = image_in_use(fleet)
    wish = wish_of(fleet, nodes, await _password(remote, fleet))
    if missing := left_out(nodes):
        typer.echo(f"left out, since not ready: {', '.join(missing)}", err=True)
    count = runs or runs_of(wish)
    run_seconds = count * max(wish.interval_seconds, wish.timeout_seconds) + _SPARE_SECONDS
    owner = Owner(remote.namespace, remote.name, "")
    name = f"{remote.name}-canary-{secrets.token_hex(3)}"
    body = job(owner, name, fleet, image, int(start_seconds + run_seconds))
    async with _job(remote, body, wish) as made:
        pod = await _running_pod(remote, made, start_seconds)
        try:
            async with asyncio.timeout(run_seconds):
                return await _verdicts(remote, pod, count)
        except TimeoutError:
            raise CommandError(f"the pod {pod} said nothing for too long") from None


async def _password(remote: Remote, fleet: StatusFleet) -> SecretStr:
    """Return the password of mail requests: the protocol's public one, or the fleet's own."""
    import base64
    import binascii

    from pydantic import SecretStr

    from statusfleet.kube.kinds import SECRET
    from statusfleet.plan.settings import PUBLIC_MAIL_PASSWORD

    mailserver = fleet.spec.roles.mailserver
    if mailserver is None or mailserver.password is None:
        return SecretStr(PUBLIC_MAIL_PASSWORD)
    reference = mailserver.password.secret_key_ref
    found = await remote.client.get(SECRET, remote.namespace, reference.name)
    value = str((found.get("data") or {}).get(reference.key, ""))
    try:
        text = base64.b64decode(value, validate=True).decode()
    except (binascii.Error, ValueError):
        text = ""
    if not text:
        where = f"key {reference.key} of Secret {reference.name}"
        raise CommandError(f"the password of mail requests should be {where}, which holds none")
    return SecretStr(text)


@asynccontextmanager
async def _job(remote: Remote, body: JsonDict, wish: CanaryWish) -> AsyncIterator[JsonDict]:
    """Have a canary beside the fleet's own; whatever happens, it is taken away."""
    from statusfleet.cli.kubectl.probe import job_secret
    from statusfleet.kube.kinds import JOB
    from statusfleet.worlds.canary import canary_settings
    from statusfleet.worlds.kubernetes.names import Owner
    from statusnode.crypto.keys import PrivateKey

    owner = Owner(remote.namespace, remote.name, "")
    try:
        made = await remote.client.create(body)
        settings = canary_settings(wish, PrivateKey.generate())
        await remote.client.create(job_secret(owner, made, settings))
        yield made
    finally:
        name = body["metadata"]["name"]
        await remote.client.delete(JOB, remote.namespace, name, propagation="Background")


async def _running_pod(remote: Remote, job: JsonDict, start_seconds: float) -> str:
    """Wait until the Job's pod runs; return its name. What it waits for is told once."""
    from statusfleet.cli.kubectl.probe import JOB_NAME
    from statusfleet.kube.kinds import POD
    from statusfleet.worlds.kubernetes.records import pod_from_body

    told = ""
    loop = asyncio.get_running_loop()
    end = loop.time() + start_seconds
    labels = {JOB_NAME: job["metadata"]["name"]}
    while True:
        pods = await remote.client.list(POD, remote.namespace, labels=labels)
        problem = "" if pods else await _why_no_pod(remote, job)
        for body in pods:
            pod = pod_from_body(body)
            if pod.running or (body.get("status") or {}).get("phase") in ("Failed", "Succeeded"):
                return pod.name
            problem = pod.problem
        if loop.time() > end:
            why = f": {problem}" if problem else ""
            raise CommandError(f"its pod does not run after {start_seconds:.0f} s{why}")
        if problem and problem != told:
            typer.echo(f"waiting for its pod: {problem}", err=True)
            told = problem
        await asyncio.sleep(_LOOK_SECONDS)


async def _why_no_pod(remote: Remote, job: JsonDict) -> str:
    """Return what the cluster complains of; "" where it does not, or may not be asked."""
    from statusfleet.kube import ForbiddenError
    from statusfleet.kube.kinds import EVENT

    fields = f"involvedObject.uid={job['metadata']['uid']},type=Warning"
    try:
        events = await remote.client.list(EVENT, remote.namespace, fields=fields)
    except ForbiddenError:
        return ""
    return str(events[-1].get("message", "")) if events else ""


async def _verdicts(remote: Remote, pod: str, count: int) -> Sequence[Sequence[LegDetail]]:
    """Read the canary's lines until it has made `count` runs."""
    from statusfleet.worlds.canary import legs_of, read_verdict
    from statusfleet.worlds.kubernetes.names import CANARY

    found: list[tuple[LegDetail, ...]] = []
    others: list[str] = []
    lines = remote.client.logs(remote.namespace, pod, container=CANARY, follow=True)
    async with aclosing(lines):
        async for line in lines:
            verdict = read_verdict(line)
            if verdict is None:
                others = [*others[1 - _LAST_LINES :], line]
                continue
            found.append(legs_of(verdict[1]))
            if len(found) == count:
                return found
    told = " ".join(others) or "without a word"
    raise CommandError(f"the pod {pod} ended after {len(found)} of {count} runs: {told}")
