"""up · down · status · reset · kubeconfig"""

from __future__ import annotations

import shlex
import sys
import time
from typing import TYPE_CHECKING, cast

import click

from kubelab.cli.options import name_option, running

if TYPE_CHECKING:
    from collections.abc import Mapping

    from kubelab.engine.options import ProxyMode, Tier


@click.command()
@name_option
@click.option("--api-port", type=click.IntRange(1, 65535), help="Where the API listens on 127.0.0.1.  [default: any]")
@click.option("--tier", type=click.Choice(["root", "user", "interposed"]), help="How packets travel.  [default: try]")
@click.option("--idle-hours", type=click.FloatRange(min=0.01), default=12, show_default=True,
              help="An engine that nobody asks for anything for so long ends itself.")  # fmt: skip
@click.option("--proxy-mode", "mode", type=click.Choice(["iptables", "nftables", "ipvs"]),
              help="What kube-proxy serves by.  [default: as it was, at first iptables]")  # fmt: skip
def up(name: str, api_port: int | None, tier: str | None, idle_hours: float, mode: str | None) -> None:
    """Start the cluster, or find the one that runs."""
    from kubelab.clusters.embedded import TIERS, EmbeddedCluster
    from kubelab.engine.config import KUBERNETES_VERSION

    begin = time.monotonic()
    cluster = EmbeddedCluster(
        name,
        tier=cast("Tier | None", tier),
        api_port=api_port or 0,
        idle_seconds=idle_hours * 3600,
    )
    found = cluster.status().running
    cluster.up()
    if mode is not None:
        cluster.set_proxy_mode(cast("ProxyMode", mode))
    facts = cluster.facts()
    came = "was up already" if found else f"is up after {time.monotonic() - begin:.1f} s"
    click.echo(f"Cluster {name} {came}: Kubernetes {KUBERNETES_VERSION}, {len(facts['nodes'])} nodes.")
    click.echo(f"  nodes       {', '.join(facts['nodes'])}")
    click.echo(f"  packets     {TIERS[facts['tier']]}")
    if doors := _doors(cluster.loopback):
        click.echo(f"  ingress     {doors}")
    modes, details = cluster.proxy_modes(), cluster.proxy_mode_details()
    for said in sorted({f"{modes[node]} ({detail})" for node, detail in details.items() if detail}):
        click.echo(f"  kube-proxy  {said}")
    click.echo(f"  kubeconfig  {cluster.kubeconfig}")
    click.echo(f"  for kubectl export KUBECONFIG={shlex.quote(str(cluster.kubeconfig))}")


@click.command()
@name_option
def down(name: str) -> None:
    """Stop the cluster and leave nothing of it behind."""
    from kubelab.clusters import find

    cluster = find(name)
    there = cluster.status()
    cluster.down()
    click.echo(
        f"Cluster {name} is gone." if there.running else f"Cluster {name} was not running; nothing is left of it."
    )


@click.command()
@name_option
def status(name: str) -> None:
    """Say how the cluster is (exit status 1: not up)."""
    from kubelab.clusters import find

    cluster = find(name)
    how = cluster.status()
    click.echo(f"Cluster {name} is up: {how.detail}." if how.running else how.detail)
    if how.running and (doors := _doors(cluster.loopback)):
        click.echo(f"Its ingress is at {doors}.")
    sys.exit(0 if how.running else 1)


@click.command()
@name_option
def reset(name: str) -> None:
    """Empty the cluster of all that you made."""
    running(name).reset()
    click.echo(f"Cluster {name} is empty again.")


@click.command()
@name_option
def kubeconfig(name: str) -> None:
    """Print the path of the kubeconfig, and nothing else."""
    click.echo(str(running(name).kubeconfig))


def _doors(loopback: Mapping[int, int]) -> str:
    """``http://127.0.0.1:40080 and https://127.0.0.1:40443``."""
    schemes = {80: "http", 443: "https"}
    return " and ".join(f"{schemes[port]}://127.0.0.1:{local}" for port, local in loopback.items() if port in schemes)
