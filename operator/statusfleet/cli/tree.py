"""`statusfleet tree`: look at a published tree, and sign one by hand.

`show` keeps the last root of each tree it has seen, as `ssh` keeps host keys, so that an old copy
is noticed. It never publishes anything; `sign` writes files and touches no network.
"""

from __future__ import annotations

import asyncio
import enum
import ipaddress
import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from statusnode.records.enr import Record, RecordError
from statusnode.records.tree import Link, SignedTree, Tree, TreeError, check_domain

if TYPE_CHECKING:
    from statusnode.discovery.dns import Reading
    from statusnode.discovery.sequences import SequenceMemory

app = typer.Typer(no_args_is_help=True, help="Look at published trees, and sign trees by hand.")

_DNS_PORT = 53
_MAX_MEMORY = 4 * 1024 * 1024


class Output(enum.Enum):
    """How `show` prints a tree."""

    TABLE = "table"
    JSON = "json"
    ENODES = "enodes"


@dataclass(frozen=True, slots=True)
class Server:
    """A DNS server to ask, by IP address and port."""

    host: str
    port: int


class _CommandError(Exception):
    """A command cannot do its work; the message is for the user."""


def _url(text: str) -> Link:
    try:
        return Link.parse(text)
    except TreeError as error:
        raise typer.BadParameter(str(error)) from error


def _domain(text: str) -> str:
    try:
        return check_domain(text)
    except TreeError as error:
        raise typer.BadParameter(str(error)) from error


def _server(text: str) -> Server:
    host, colon, port = text.rpartition(":")
    if not colon or text.endswith("]"):
        host, port = text, str(_DNS_PORT)
    try:
        address = ipaddress.ip_address(host.removeprefix("[").removesuffix("]"))
    except ValueError as error:
        raise typer.BadParameter(f'"{text}" is not of the form IP:PORT') from error
    if not (port.isascii() and port.isdigit() and 0 < int(port) < 0x10000):
        raise typer.BadParameter(f'"{port}" is no port')
    return Server(str(address), int(port))


@app.command()
def show(
    url: Annotated[Link, typer.Argument(parser=_url, metavar="URL", help="enrtree://KEY@DOMAIN")],
    server: Annotated[
        Server | None,
        typer.Option(
            parser=_server, metavar="ADDR:PORT", help="Ask this DNS server, not the system's."
        ),
    ] = None,
    output: Annotated[Output, typer.Option("--output", "-o", help="What to print.")] = Output.TABLE,
    memory: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            dir_okay=False,
            help="Where the last roots seen are kept.",
            show_default="~/.local/state/statusfleet/trees.json",
        ),
    ] = None,
) -> None:
    """Read and verify a tree, and the trees it links to: signatures, hashes, sequence numbers.

    Exits with 1 if anything is missing or wrong; what could be read is printed all the same.
    """
    path = memory or _default_memory()
    try:
        reading = _read(url, server, path)
    except _CommandError as error:
        raise _told(error) from error
    match output:
        case Output.TABLE:
            _print_table(reading)
        case Output.JSON:
            typer.echo(json.dumps(_as_json(reading), indent=2))
        case Output.ENODES:
            for node in reading.nodes():
                typer.echo(str(node.enode()))
    for tree in reading.trees:
        if tree.warning:
            typer.echo(f"warning: {tree.warning}", err=True)
    for complaint in reading.complaints():
        typer.echo(f"error: {complaint}", err=True)
    if not reading.complete:
        raise typer.Exit(1)


@app.command()
def sign(
    nodes: Annotated[
        Path,
        typer.Argument(
            exists=True, dir_okay=False, metavar="NODES.JSON", help='A list of "enr:…" texts.'
        ),
    ],
    domain: Annotated[
        str, typer.Option(parser=_domain, metavar="DOMAIN", help="Where the tree will stand.")
    ],
    key: Annotated[
        Path,
        typer.Option(
            exists=True, dir_okay=False, metavar="FILE", help="The signing key: 64 hex digits."
        ),
    ],
    out: Annotated[
        Path, typer.Option(file_okay=False, metavar="DIR", help="Where the files are written.")
    ],
    seq: Annotated[
        int | None,
        typer.Option(
            min=0,
            max=2**64 - 1,
            metavar="N",
            help="The sequence number; without it, one more than that of the tree in DIR if the "
            "tree changed.",
        ),
    ] = None,
    link: Annotated[
        list[Link] | None,
        typer.Option(
            parser=_url, metavar="URL", help="Another tree to link to; may be given repeatedly."
        ),
    ] = None,
) -> None:
    """Sign a tree of these nodes; write tree.json and tree.zone."""
    try:
        signed = _sign(_read_nodes(nodes), link or [], domain, key, out, seq)
        _write(signed, out)
    except _CommandError as error:
        raise _told(error) from error
    typer.echo(f"{signed.url} seq {signed.seq}: {len(signed.tree.nodes)} nodes")


def _told(error: _CommandError) -> typer.Exit:
    typer.echo(f"error: {error}", err=True)
    return typer.Exit(1)


def _default_memory() -> Path:
    state = os.environ.get("XDG_STATE_HOME") or "~/.local/state"
    return Path(state).expanduser() / "statusfleet" / "trees.json"


def _read(link: Link, server: Server | None, memory_path: Path) -> Reading:
    from statusnode.discovery.dns import TreeReader
    from statusnode.discovery.resolver import DnsResolver, ResolutionError
    from statusnode.discovery.sequences import StaleTreeError

    memory = _load_memory(memory_path)
    try:
        resolver = DnsResolver((server.host, server.port) if server else None)
        reader = TreeReader(resolver, memory)
        reading = asyncio.run(reader.read_all(str(link)))
    except StaleTreeError as error:
        raise _CommandError(f"{error}; if that is so on purpose, remove {memory_path}") from error
    except (TreeError, ResolutionError) as error:
        raise _CommandError(str(error)) from error
    _save_memory(memory, memory_path)
    return reading


def _load_memory(path: Path) -> SequenceMemory:
    from statusfleet.store import FolderError
    from statusfleet.store.files import read
    from statusnode.discovery.sequences import SequenceMemory

    try:
        data = read(path, _MAX_MEMORY)
        if data is None:
            return SequenceMemory()
        return SequenceMemory(json.loads(data)["roots"])
    except FolderError as error:
        raise _CommandError(str(error)) from error
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise _CommandError(f"{path} does not hold the last roots seen: {error!r}") from error


def _save_memory(memory: SequenceMemory, path: Path) -> None:
    """Keep the memory; that it cannot be kept is no reason to show nothing."""
    from statusfleet.store import FolderError
    from statusfleet.store.files import make_folder, replace

    try:
        make_folder(path.parent)
        replace(path, json.dumps({"roots": memory.dump()}, indent=1).encode())
    except FolderError as error:
        typer.echo(f"warning: the sequence numbers are not remembered: {error}", err=True)


def _print_table(reading: Reading) -> None:
    from rich.console import Console
    from rich.table import Table

    console = Console()
    for tree in reading.trees:
        console.print(str(tree.link), style="bold", soft_wrap=True, highlight=False)
        console.print(f"seq {tree.root.seq}, {tree.entries} entries, {len(tree.nodes)} nodes")
        for link in tree.links:
            console.print(f"links to {link}", soft_wrap=True, highlight=False)
        table = Table("node", "address", "tcp", "udp", "seq", box=None, header_style="bold")
        for node in tree.nodes:
            enode = node.enode()
            table.add_row(
                node.node_id.hex()[:16],
                enode.host or "none",
                str(enode.tcp or "-"),
                str(enode.udp or "-"),
                str(node.seq),
            )
        if tree.nodes:
            console.print(table)


def _as_json(reading: Reading) -> dict[str, Any]:
    first = reading.trees[0]
    return {
        "url": str(first.link),
        "seq": first.root.seq,
        "complete": reading.complete,
        "nodes": [_node_as_json(node) for node in reading.nodes()],
        "trees": [
            {
                "url": str(tree.link),
                "seq": tree.root.seq,
                "root": str(tree.root),
                "entries": tree.entries,
                "nodes": len(tree.nodes),
                "links": [str(link) for link in tree.links],
                "warning": tree.warning,
            }
            for tree in reading.trees
        ],
        "problems": list(reading.complaints()),
    }


def _node_as_json(node: Record) -> dict[str, Any]:
    return {
        "id": node.node_id.hex(),
        "enode": str(node.enode()),
        "enr": str(node),
        "seq": node.seq,
        "ip": node.ip,
        "ip6": node.ip6,
        "tcp": node.tcp,
        "udp": node.udp,
    }


def _read_nodes(path: Path) -> list[Record]:
    try:
        texts = json.loads(path.read_bytes())
    except (OSError, ValueError) as error:
        raise _CommandError(f"{path} is no JSON: {error}") from error
    if not isinstance(texts, list):
        raise _CommandError(f'{path} must hold a list of "enr:…" texts')
    nodes = []
    for position, text in enumerate(texts):
        if not isinstance(text, str):
            raise _CommandError(f'{path}: [{position}]: must be an "enr:…" text')
        try:
            nodes.append(Record.parse(text))
        except RecordError as error:
            raise _CommandError(f"{path}: [{position}]: {error}") from error
    return nodes


def _sign(
    nodes: list[Record], links: list[Link], domain: str, key_path: Path, out: Path, seq: int | None
) -> SignedTree:
    from statusfleet.store import StoreError
    from statusfleet.store.keys import read_key
    from statusfleet.tree.sequence import next_sequence

    try:
        key = read_key(key_path)
        if key is None:
            raise _CommandError(f"{key_path} is gone")
        tree = Tree.build(nodes, links)
        if seq is None:
            url = str(Link(key.public_key, domain))
            seq = next_sequence(tree, url, published=_signed_before(out / "tree.json"))
        return tree.sign(key, domain, seq)
    except (StoreError, TreeError) as error:
        raise _CommandError(str(error)) from error


def _signed_before(path: Path) -> SignedTree | None:
    if not path.exists():
        return None
    try:
        kept = json.loads(path.read_bytes())
        return SignedTree.parse(kept["url"], kept["records"])
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        raise _CommandError(
            f"{path} holds no tree to take the sequence number from ({error}); say --seq"
        ) from error


def _write(signed: SignedTree, out: Path) -> None:
    from statusfleet.tree.zone import Zone, ZoneSettings

    kept = {"url": signed.url, "seq": signed.seq, "records": signed.records()}
    zone = Zone.of(signed, ZoneSettings(signed.domain))
    try:
        out.mkdir(parents=True, exist_ok=True)
        _replace(out / "tree.json", json.dumps(kept, indent=2) + "\n")
        _replace(out / "tree.zone", zone.to_text())
    except OSError as error:
        raise _CommandError(f"{out} cannot be written: {error.strerror}") from error


def _replace(path: Path, text: str) -> None:
    """Write a file whole or not at all; unlike a fleet's own files, others may read it."""
    neighbour = path.with_name(f".{path.name}.new")
    neighbour.write_text(text, encoding="utf-8")
    neighbour.replace(path)
