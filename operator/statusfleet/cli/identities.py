"""`statusfleet identities`: carry a fleet's identities out of a cluster and into another.

The file is sealed by age before it touches the disk. It holds every node key, the tree's signing
key and the sequence numbers: whoever opens it can be the fleet.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

if TYPE_CHECKING:
    from statusfleet.store.bundle import Bundle

app = typer.Typer(
    no_args_is_help=True, help="Carry a fleet's identities from one cluster to another."
)

Fleet = Annotated[str, typer.Argument(help="Name of the fleet.")]
Namespace = Annotated[
    str, typer.Option("--namespace", "-n", help="Its namespace; the context's own if left out.")
]
Kubeconfig = Annotated[str, typer.Option(help="Path of the kubeconfig, as kubectl takes it.")]
Context = Annotated[str, typer.Option(help="Context of the kubeconfig.")]
PassphraseFile = Annotated[
    Path | None, typer.Option(help="File whose first line is the passphrase; asked for otherwise.")
]


@app.command("export")
def export_(
    fleet: Fleet,
    output: Annotated[
        Path, typer.Option("--output", "-o", help="File to write; none may be there.")
    ],
    recipient: Annotated[
        list[str] | None,
        typer.Option(help="age recipient (age1…) that can open it, instead of a passphrase."),
    ] = None,
    passphrase_file: PassphraseFile = None,
    namespace: Namespace = "",
    kubeconfig: Kubeconfig = "",
    context: Context = "",
) -> None:
    """Write node keys, tree key and sequence numbers of a fleet into a sealed file."""
    from statusfleet.store import sealing
    from statusfleet.store.bundle import encode_bundle

    with _told_as_error():
        bundle = asyncio.run(_export(fleet, namespace, kubeconfig, context))
        if not bundle.keys:
            _fail(f"the cluster has no identities of a fleet {fleet} in that namespace")
        data = encode_bundle(bundle)
        if recipient:
            sealed = sealing.seal_for_recipients(data, recipient)
        else:
            sealed = sealing.seal_for_passphrase(data, _passphrase(passphrase_file, twice=True))
        _write_new(output, sealed)
    typer.echo(f"{output}: {len(bundle.keys)} identities of {fleet}, sealed")


@app.command("import")
def import_(
    fleet: Fleet,
    file: Annotated[Path, typer.Argument(help="What `export` wrote.")],
    identity_file: Annotated[
        Path | None, typer.Option(help="age identity file, instead of a passphrase.")
    ] = None,
    passphrase_file: PassphraseFile = None,
    namespace: Namespace = "",
    kubeconfig: Kubeconfig = "",
    context: Context = "",
) -> None:
    """Bring a fleet's identities into a cluster, before its manifest is applied there.

    A key that is there already is never overwritten: another one under the same name refuses all.
    """
    from statusfleet.store import sealing
    from statusfleet.store.bundle import decode_bundle

    with _told_as_error():
        sealed = file.read_bytes()
        if identity_file is not None:
            data = sealing.open_with_identities(sealed, identity_file.read_text())
        else:
            passphrase = _passphrase(passphrase_file, twice=False)
            data = sealing.open_with_passphrase(sealed, passphrase)
        bundle = decode_bundle(data)
        asyncio.run(_import(fleet, bundle, namespace, kubeconfig, context))
    typer.echo(f"{len(bundle.keys)} identities of {fleet} are in the cluster")


async def _export(fleet: str, namespace: str, kubeconfig: str, context: str) -> Bundle:
    from statusfleet.kube import KubeClient
    from statusfleet.store.kubernetes import KubernetesStore

    async with await KubeClient.connect(kubeconfig, context) as client:
        return await KubernetesStore(client, namespace or client.namespace, fleet).export()


async def _import(
    fleet: str, bundle: Bundle, namespace: str, kubeconfig: str, context: str
) -> None:
    from statusfleet.kube import KubeClient
    from statusfleet.store.kubernetes import KubernetesStore

    async with await KubeClient.connect(kubeconfig, context) as client:
        await KubernetesStore(client, namespace or client.namespace, fleet).adopt(bundle)


@contextmanager
def _told_as_error() -> Iterator[None]:
    """Turn what can go wrong into a line for the user and the exit code 1."""
    from statusfleet.kube import KubeError
    from statusfleet.store import StoreError

    try:
        yield
    except (KubeError, StoreError) as error:
        _fail(str(error))
    except OSError as error:
        _fail(f"{error.filename}: {error.strerror}")
    except UnicodeDecodeError as error:
        _fail(f"the file is no text: {error.reason}")


def _fail(text: str) -> NoReturn:
    typer.echo(f"error: {text}", err=True)
    raise typer.Exit(1)


def _passphrase(file: Path | None, *, twice: bool) -> str:
    if file is None:
        text: str = typer.prompt("Passphrase", hide_input=True, confirmation_prompt=twice)
    else:
        text = (file.read_text().splitlines() or [""])[0]
    if not text:
        _fail("an empty passphrase protects nothing")
    return text


def _write_new(path: Path, data: bytes) -> None:
    """Write a file for its owner's eyes where none is."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
    with os.fdopen(os.open(path, flags, 0o600), "wb") as file:
        file.write(data)
