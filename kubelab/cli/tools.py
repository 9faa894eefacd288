"""kubectl … · node NODE -- …"""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Sequence
from typing import NoReturn, Protocol, runtime_checkable

import click

from kubelab.cli.options import name_option, running
from kubelab.clusters.base import Node

PASS_ON = {"ignore_unknown_options": True, "allow_interspersed_args": False}


@runtime_checkable
class _Shelled(Protocol):
    """A cluster in whose nodes commands can be run."""

    def places(self) -> Sequence[Node]: ...


@click.command(context_settings=PASS_ON, add_help_option=False, short_help="Run kubectl on this cluster.")
@name_option
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def kubectl(name: str, arguments: tuple[str, ...]) -> None:
    """Run kubectl on this cluster; what follows is kubectl's own (--name comes first)."""
    program = shutil.which("kubectl")
    if program is None:
        click.echo(
            "kubelab: kubectl is not installed; https://kubernetes.io/docs/tasks/tools/ says how to get it.", err=True
        )
        sys.exit(127)
    environment = os.environ | {"KUBECONFIG": str(running(name).kubeconfig)}
    sys.stdout.flush()
    os.execve(program, ["kubectl", *arguments], environment)


@click.command(name="node", context_settings=PASS_ON, short_help="Run a command in a node's network.")
@name_option
@click.argument("node", metavar="NODE")
@click.argument("command", nargs=-1, type=click.UNPROCESSED)
def node(name: str, node: str, command: tuple[str, ...]) -> None:
    """Run a command in a node's network, or a shell.

    NODE is a node's name, its last part (worker2), or "outside" for the client that stands outside the cluster:
    kubelab node worker -- iptables-save -t nat
    """
    from kubelab.clusters.base import ClusterError

    cluster = running(name)
    if not isinstance(cluster, _Shelled):
        raise ClusterError(f"Cluster {name!r} ({cluster.provider}) lets nobody run commands in its nodes.")
    places = {each.name: each for each in cluster.places()}
    full = node if node in places else f"{name}-{node}"
    if full not in places:
        raise click.UsageError(f"There is no node {node!r}; there are {', '.join(places)}.")
    argv = command[1:] if command[:1] == ("--",) else command
    _run_here(places[full], argv)


def _run_here(place: Node, argv: Sequence[str]) -> NoReturn:
    from kubelab.cli.terminal import run_here
    from kubelab.clusters.embedded import EmbeddedNode

    if isinstance(place, EmbeddedNode):
        sys.exit(run_here(place.state, place.place, argv or [os.environ.get("SHELL", "/bin/sh")]))
    from kubelab.clusters.kind.nodes import KindNode

    assert isinstance(place, KindNode)
    terminal = sys.stdin.isatty() and sys.stdout.isatty()
    command = place.command(argv or ["bash"], terminal=terminal)
    sys.stdout.flush()
    os.execvp(command[0], command)
