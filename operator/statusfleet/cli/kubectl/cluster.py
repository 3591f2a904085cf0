"""What the commands share: the options that kubectl has too, the way to the cluster, and how what
goes wrong is told.
"""

from __future__ import annotations

import asyncio
import functools
import inspect
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, Concatenate, ParamSpec, TypeVar

import typer

if TYPE_CHECKING:
    from statusfleet.api.fleet import StatusFleet
    from statusfleet.kube import KubeClient
    from statusfleet.kube.kinds import JsonDict

Rest = ParamSpec("Rest")
Result = TypeVar("Result")


def _given(value: str) -> str:
    """Refuse the name that a variable without a value makes."""
    if not value:
        raise typer.BadParameter("is empty")
    return value


Name = Annotated[str, typer.Argument(metavar="NAME", help="Name of the fleet.", callback=_given)]
Namespace = Annotated[
    str,
    typer.Option(
        "--namespace",
        "-n",
        metavar="NAME",
        help="Its namespace.",
        show_default="the namespace of the context",
    ),
]
Kubeconfig = Annotated[
    str,
    typer.Option(
        "--kubeconfig",
        metavar="FILE",
        help="Way to the cluster.",
        show_default="KUBECONFIG, the pod's service account, ~/.kube/config",
    ),
]
Context = Annotated[
    str, typer.Option("--context", metavar="NAME", help="Context of the kubeconfig.")
]


class CommandError(Exception):
    """A command cannot do its work; the message is for the user."""


@dataclass(frozen=True, slots=True)
class Place:
    """Which fleet, and where."""

    name: str
    namespace: str = ""
    """Its namespace; "" means the one of the context."""
    kubeconfig: str = ""
    context: str = ""


def on_fleet(command: Callable[Concatenate[Place, Rest], None]) -> Callable[..., None]:
    """Give a command the argument NAME and kubectl's options, as its first argument: a `Place`."""
    return _placed(command, name=Name)


def on_cluster(command: Callable[Concatenate[Place, Rest], None]) -> Callable[..., None]:
    """Give a command kubectl's options, as its first argument: a `Place` that names no fleet."""
    return _placed(command)


def _placed(command: Callable[..., None], **before: object) -> Callable[..., None]:
    """Return a command whose signature, by which it is called, names each option."""
    own = inspect.signature(command, eval_str=True)
    _, *others = own.parameters.values()
    kind = inspect.Parameter.POSITIONAL_OR_KEYWORD
    after = {"namespace": Namespace, "kubeconfig": Kubeconfig, "context": Context}
    parameters = [
        *(inspect.Parameter(key, kind, annotation=value) for key, value in before.items()),
        *others,
        *(inspect.Parameter(k, kind, annotation=v, default="") for k, v in after.items()),
    ]

    @functools.wraps(command)
    def called(**values: Any) -> None:  # noqa: ANN401 - as the signature says
        place = Place(values.pop("name", ""), *(values.pop(key, "") for key in after))
        command(place, **values)

    called.__annotations__ = {one.name: one.annotation for one in parameters}
    vars(called)["__signature__"] = own.replace(parameters=parameters)
    return called


@dataclass(frozen=True, slots=True)
class Remote:
    """One fleet of a cluster, by name; whether it exists is not known yet."""

    client: KubeClient
    namespace: str
    name: str

    def __str__(self) -> str:
        return f"{self.namespace}/{self.name}"

    async def get(self) -> JsonDict:
        """Return the fleet as it stands in the cluster.

        Raises:
            CommandError: there is none of that name.
            KubeError: the cluster does not answer.
        """
        from statusfleet.kube.kinds import STATUS_FLEET

        found = await self.client.find(STATUS_FLEET, self.namespace, self.name)
        if found is None:
            raise self.missing()
        return found

    def missing(self) -> CommandError:
        """Return what is told where there is no such fleet."""
        return CommandError(f"there is no fleet {self.name} in the namespace {self.namespace}")


@asynccontextmanager
async def connected(place: Place) -> AsyncIterator[Remote]:
    """Hold a way to a fleet's cluster; raises KubeConfigError."""
    from statusfleet.kube import KubeClient

    async with await KubeClient.connect(place.kubeconfig, place.context) as client:
        yield Remote(client, place.namespace or client.namespace, place.name)


def run(
    place: Place,
    work: Callable[[Remote], Awaitable[Result]],
    *,
    failed: int = 1,
    interrupted: int = 0,
) -> Result:
    """Do a command's work on a fleet and return what came of it.

    What goes wrong is a line on standard error and the exit code `failed`; Ctrl-C ends with
    `interrupted`, for most commands an end like any.
    """
    from statusfleet.kube import KubeError
    from statusfleet.store import StoreError

    async def whole() -> Result:
        async with connected(place) as remote:
            return await work(remote)

    try:
        return asyncio.run(whole())
    except (CommandError, KubeError, StoreError) as error:
        typer.echo(f"error: {error}", err=True)
        raise typer.Exit(failed) from error
    except KeyboardInterrupt:
        raise typer.Exit(interrupted) from None


def parse(body: JsonDict) -> StatusFleet:
    """Return the typed form of a fleet.

    Raises:
        CommandError: it does not fit; the operator tells of it too.
    """
    from statusfleet.api.manifest import parse_fleet

    fleet, problems = parse_fleet(body)
    if fleet is None:
        path, message = problems[0]
        raise CommandError(f"{'.'.join(map(str, path))}: {message}")
    return fleet
