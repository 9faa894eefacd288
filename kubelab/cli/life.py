"""up · down · status · reset · kubeconfig · logs"""

from __future__ import annotations

import shlex
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import click

from kubelab.cli.existing import OPTIONS as EXISTING_ONLY
from kubelab.cli.existing import existing_options, up_on_existing
from kubelab.cli.options import name_option, on_option, running

if TYPE_CHECKING:
    from collections.abc import Mapping

    from kubelab.clusters.base import Cluster
    from kubelab.engine.options import ControlPlaneKind, ProxyMode, Tier

EMBEDDED_ONLY = {"api_port": "--api-port", "tier": "--tier", "idle_hours": "--idle-hours", "plane": "--control-plane"}


@click.command()
@name_option
@on_option
@click.option("--api-port", type=click.IntRange(1, 65535), help="Where the API listens on 127.0.0.1.  [default: any]")
@click.option("--tier", type=click.Choice(["root", "user", "interposed"]), help="How packets travel.  [default: try]")
@click.option("--idle-hours", type=click.FloatRange(min=0.01), default=12, show_default=True,
              help="An engine that nobody asks for anything for so long ends itself.")  # fmt: skip
@click.option("--proxy-mode", "mode", type=click.Choice(["iptables", "nftables", "ipvs"]),
              help="What kube-proxy serves by.  [default: as it was, at first iptables]")  # fmt: skip
@existing_options
@click.option("--control-plane", "plane", type=click.Choice(["built-in", "upstream"]),
              help="Ours, or Kubernetes' own programs (etcd, kube-apiserver …) from KUBEBUILDER_ASSETS, a conda "
                   "environment or PATH.  [default: as it was, at first built-in]")  # fmt: skip
@click.pass_context
def up(
    context: click.Context, name: str, on: str | None, api_port: int | None, tier: str | None, idle_hours: float,
    mode: str | None, plane: str | None, **existing: Any,
) -> None:  # fmt: skip
    """Start the cluster, or find the one that runs."""
    from kubelab.clusters import find

    provider = find(name, on).provider
    _only_on("an embedded cluster", context, EMBEDDED_ONLY if provider != "embedded" else {})
    _only_on("an existing cluster", context, EXISTING_ONLY if provider != "existing" else {})
    _only_on("a cluster of kubelab's own", context, {"mode": "--proxy-mode"} if provider == "existing" else {})
    if provider == "existing":
        up_on_existing(name, **existing)
    elif provider == "kind":
        _up_on_kind(name, mode)
    else:
        _up_embedded(name, api_port, tier, idle_hours, mode, plane)


def _only_on(what: str, context: click.Context, options: Mapping[str, str]) -> None:
    """Raises `UsageError` when one of these options was given."""
    if given := [option for key, option in options.items() if _is_given(context, key)]:
        raise click.UsageError(f"{' and '.join(given)} can be said of {what} only.")


def _is_given(context: click.Context, key: str) -> bool:
    return context.get_parameter_source(key) is click.core.ParameterSource.COMMANDLINE


def _up_on_kind(name: str, mode: str | None) -> None:
    from kubelab.cli.progress import progress
    from kubelab.clusters.kind.cluster import KindCluster

    begin = time.monotonic()
    chosen = cast("ProxyMode", mode or "iptables")
    with progress() as say:
        cluster = KindCluster(name, proxy_mode=chosen, say=say, retry=True)
        found = cluster.status().running
        cluster.up()
        if mode is not None:
            cluster.set_proxy_mode(chosen)
    came = "was up already" if found else f"is up after {time.monotonic() - begin:.0f} s"
    click.echo(f"Cluster {name} {came}: {cluster.status().detail}.")
    click.echo(f"  nodes       {', '.join(node.name for node in cluster.nodes())}")
    click.echo(f"  packets     network namespaces of {cluster.engine.title}'s containers; the kernel holds the rules")
    _say_how_to_get_in(cluster)


def _say_how_to_get_in(cluster: Cluster) -> None:
    if doors := _doors(cluster.loopback):
        click.echo(f"  ingress     {doors}")
    click.echo(f"  kubeconfig  {cluster.kubeconfig}")
    click.echo(f"  for kubectl export KUBECONFIG={shlex.quote(str(cluster.kubeconfig))}")


def _up_embedded(
    name: str, api_port: int | None, tier: str | None, idle_hours: float, mode: str | None, plane: str | None
) -> None:
    from kubelab.clusters.embedded import BUILT_IN, TIERS, EmbeddedCluster
    from kubelab.engine.config import KUBERNETES_VERSION

    begin = time.monotonic()
    cluster = EmbeddedCluster(
        name,
        tier=cast("Tier | None", tier),
        api_port=api_port or 0,
        idle_seconds=idle_hours * 3600,
        control_plane=cast("ControlPlaneKind | None", plane),
    )
    found = cluster.status().running
    cluster.up()
    if mode is not None:
        cluster.set_proxy_mode(cast("ProxyMode", mode))
    facts = cluster.facts()
    came = "was up already" if found else f"is up after {time.monotonic() - begin:.1f} s"
    built_in = facts.get("control_plane", BUILT_IN) == BUILT_IN
    version = f"Kubernetes {KUBERNETES_VERSION}" if built_in else "Kubernetes' own control plane"
    click.echo(f"Cluster {name} {came}: {version}, {len(facts['nodes'])} nodes.")
    click.echo(f"  nodes       {', '.join(facts['nodes'])}")
    click.echo(f"  packets     {TIERS[facts['tier']]}")
    if not built_in:
        click.echo(f"  upstream    {facts['control_plane']}")
    modes, details = cluster.proxy_modes(), cluster.proxy_mode_details()
    for said in sorted({f"{modes[node]} ({detail})" for node, detail in details.items() if detail}):
        click.echo(f"  kube-proxy  {said}")
    _say_how_to_get_in(cluster)


@click.command()
@name_option
@click.option("--forget", is_flag=True, help="Let go of a kind or existing cluster that is gone for good, unasked.")
def down(name: str, forget: bool) -> None:
    """Stop the cluster and leave nothing of it behind."""
    from kubelab import clusters
    from kubelab.clusters.base import ClusterError

    if forget:
        clusters.forget(name)
        click.echo(f"Cluster {name} is forgotten; whether something of it is left, nobody has looked.")
        return
    cluster = clusters.find(name)
    there = cluster.status()
    try:
        cluster.down()
    except ClusterError as error:
        if clusters.can_be_forgotten(name):
            remedy = f"If it is gone for good, `kubelab down --forget --name {name}` lets go of it."
            raise ClusterError(f"{error} {remedy}") from error
        raise
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


@click.command()
@name_option
@click.argument("folder", type=click.Path(file_okay=False, path_type=Path))
def logs(name: str, folder: Path) -> None:
    """Write the logs of nodes and pods below FOLDER (clusters on kind)."""
    from kubelab.clusters.base import ClusterError
    from kubelab.clusters.embedded import EmbeddedCluster

    cluster = running(name)
    if isinstance(cluster, EmbeddedCluster):
        raise ClusterError(
            f"The embedded cluster's logs are files already: {cluster.state.log} and {cluster.state.logs}."
        )
    from kubelab.clusters.kind.cluster import KindCluster

    if not isinstance(cluster, KindCluster):
        raise ClusterError("The logs of a cluster's nodes are not for guests; `kubelab kubectl logs POD` has a pod's.")
    cluster.logs(folder.absolute())
    click.echo(f"The logs of cluster {name} are in {folder}.")


def _doors(loopback: Mapping[int, int]) -> str:
    """``http://127.0.0.1:40080 and https://127.0.0.1:40443``."""
    schemes = {80: "http", 443: "https"}
    return " and ".join(f"{schemes[port]}://127.0.0.1:{local}" for port, local in loopback.items() if port in schemes)
