"""cut NODE · mend NODE"""

from __future__ import annotations

from typing import Protocol, runtime_checkable

import click

from kubelab.cli.options import name_option, running


@runtime_checkable
class _Severable(Protocol):
    """A cluster whose nodes can lose the API."""

    def cut(self, node: str) -> None: ...
    def mend(self, node: str) -> None: ...


@click.command(short_help="Take the API from a node, to see it fail.")
@name_option
@click.argument("node", metavar="NODE")
def cut(name: str, node: str) -> None:
    """Take the API from NODE's agent and kube-proxy, as a network partition would.

    Its pods and packets go on, but nobody tells the cluster so any more: after 50 s the node is NotReady and its pods
    leave their Services; after their tolerations (5 minutes) they are evicted. `kubelab mend NODE` ends it.
    """
    _severable(name, node).cut(node)
    click.echo(f"Node {node} is cut off from the API. In 50 s the cluster notices: kubelab kubectl get nodes --watch")


@click.command(short_help="Give a node that was cut off the API back.")
@name_option
@click.argument("node", metavar="NODE")
def mend(name: str, node: str) -> None:
    """Give NODE's agent and kube-proxy the API back; in about ten seconds the node is Ready again."""
    _severable(name, node).mend(node)
    click.echo(f"Node {node} reaches the API again.")


def _severable(name: str, node: str) -> _Severable:
    from kubelab.clusters.base import ClusterError

    cluster = running(name)
    if isinstance(cluster, _Severable):
        return cluster
    instead = f"; `docker pause {node}` and `docker unpause {node}` stop and wake a whole node" * (
        cluster.provider == "kind"
    )
    raise ClusterError(f"Nodes of cluster {name!r} ({cluster.provider}) cannot be cut off from the API{instead}.")
