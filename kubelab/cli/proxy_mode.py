"""proxy-mode [MODE]"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Protocol, cast, runtime_checkable

import click

from kubelab.cli.options import name_option, running

if TYPE_CHECKING:
    from kubelab.engine.options import ProxyMode


@runtime_checkable
class _NodeByNode(Protocol):
    """A cluster whose nodes can be asked one by one."""

    def proxy_modes(self) -> dict[str, str]: ...
    def proxy_mode_details(self) -> dict[str, str]: ...


@click.command(name="proxy-mode", short_help="Say or switch kube-proxy's mode.")
@name_option
@click.argument("mode", required=False, type=click.Choice(["iptables", "nftables", "ipvs"]))
def proxy_mode(name: str, mode: str | None) -> None:
    """Say by which rules the nodes serve, or switch all of them to MODE while traffic goes on."""
    cluster = running(name)
    if mode is not None:
        begin = time.monotonic()
        cluster.set_proxy_mode(cast("ProxyMode", mode))
        click.echo(f"All nodes serve by {mode} after {time.monotonic() - begin:.1f} s.")
        return
    if not isinstance(cluster, _NodeByNode):
        click.echo(cluster.proxy_mode)
        return
    modes, details = cluster.proxy_modes(), cluster.proxy_mode_details()
    for node, said in modes.items():
        detail = f" ({details[node]})" if details.get(node) else ""
        click.echo(f"{node:<24} {said or 'its kube-proxy does not answer'}{detail}")
    if len(set(modes.values())) > 1:
        click.echo("The nodes differ; `kubelab proxy-mode MODE` makes them agree.", err=True)
