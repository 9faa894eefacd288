"""rules: what kube-proxy would feed to a node's kernel, in each mode, for objects in a file."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import click

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


@click.command(short_help="Print the rules of kube-proxy for objects in a file.")
@click.option("--mode", type=click.Choice(["iptables", "nftables", "ipvs"]), required=True, help="kube-proxy's mode.")
@click.option("--node", metavar="NODE", required=True, help="Whose kernel: what is local depends on it.")
@click.option("--objects", "path", metavar="FILE", required=True, help="JSON; - is standard input.")
@click.option("--cluster-cidr", metavar="CIDR", help="The pods' range; one for each family, with a comma between.")
@click.option("--nfacct/--no-nfacct", default=True, show_default=True,
              help="Mode iptables on a kernel with nfacct; kubelab's own nodes do without.")  # fmt: skip
def rules(mode: str, node: str, path: str, cluster_cidr: str | None, nfacct: bool) -> None:
    """Print what the first sync of a plain kube-proxy feeds to the kernel of a node. Nothing is loaded.

    FILE is one JSON object whose keys are services, endpointslices, nodes and servicecidrs: lists of API objects, bare
    or as `kubectl get services -A -o json` prints them. All may be left out.
    """
    from kubelab.engine.proxy.text import rules_text

    objects = _objects(path)
    nodes = [each["metadata"]["name"] for each in objects.get("nodes") or ()]
    if nodes and node not in nodes:
        named = ", ".join(nodes)
        click.echo(f"kubelab: {path} has no node {node!r} ({named}), so its addresses and zone are unknown.", err=True)
    try:
        text = rules_text(mode, node, objects, cluster_cidr, nfacct=nfacct)
    except ValueError as error:
        _refuse(f"{error}.")
    click.echo(text, nl=False)


def _objects(path: str) -> Mapping[str, Sequence[dict[str, Any]]]:
    from kubelab.engine.proxy.objects import ObjectsError, read_objects

    try:
        text = (sys.stdin.buffer.read() if path == "-" else Path(path).read_bytes()).decode()
    except FileNotFoundError:
        _refuse(f"There is no file {path}.")
    except OSError as error:
        _refuse(f"{path} cannot be read: {error.strerror}.")
    except UnicodeDecodeError as error:
        _refuse(f"{path} is not text in UTF-8 (byte {error.start}).")
    try:
        return read_objects(text)
    except ObjectsError as error:
        _refuse(f"{'Standard input' if path == '-' else path}: {error}.")


def _refuse(sentence: str) -> NoReturn:
    click.echo(f"kubelab: {sentence}", err=True)
    sys.exit(1)
