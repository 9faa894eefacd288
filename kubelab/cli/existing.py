"""up --on existing: the options that only such a cluster has, and what is said of it."""

from __future__ import annotations

import shlex
import time
from collections.abc import Callable
from typing import Any

import click

from kubelab.cli.progress import progress

OPTIONS = {
    "kube_context": "--context",
    "namespace": "--namespace",
    "image": "--image",
    "create_namespace": "--create-namespace",
    "yes": "--yes",
}
"""What may be said of an existing cluster only, as the command's parameters."""


def existing_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add them to a command."""
    for option in reversed(
        (
            click.option("--context", "kube_context", metavar="CONTEXT", help="On existing: which context of your "
                         "kubeconfig.  [default: $KUBELAB_CONTEXT, else the current one]"),
            click.option("--namespace", metavar="NAMESPACE", help="On existing: the one namespace to work in.  "
                         "[default: $KUBELAB_NAMESPACE, else the context's]"),
            click.option("--image", metavar="IMAGE", help="On existing: where python:3.12 is to be had from, if not "
                         "from where the cluster looks.  [default: $KUBELAB_IMAGE]"),
            click.option("--create-namespace", is_flag=True, help="On existing: make the namespace where it is not."),
            click.option("--yes", is_flag=True, help="On existing: also where it looks like production, or where "
                         "others have workloads."),
        )
    ):  # fmt: skip
        command = option(command)
    return command


def up_on_existing(
    name: str, *, kube_context: str | None, namespace: str | None, image: str | None, create_namespace: bool, yes: bool
) -> None:
    """Attach to a namespace and say what can be done there. Raises `ClusterError`."""
    from kubelab.clusters.existing.cluster import Asked, ExistingCluster

    begin = time.monotonic()
    asked = Asked(kube_context or "", namespace or "", image or "", create_namespace, yes)
    cluster = ExistingCluster(name, asked)
    cluster.up()
    with progress() as say:
        say("A pod tries the lessons' image")
        cluster.try_a_pod()
    click.echo(f"Cluster {name} is there after {time.monotonic() - begin:.1f} s: {cluster.status().detail}.")
    click.echo(
        f"  namespace   {cluster.namespace}; lessons and their outputs call it by names of their own (lesson-1 …);"
    )
    click.echo("              kubelab deletes and changes only what it made, known by its label")
    click.echo(f"  image       {cluster.image or 'python:3.12, from where the cluster fetches it (else: --image)'}")
    if "ingress" in cluster.capabilities:
        click.echo(f"  ingress     by the IngressClass {cluster.ingress_class}, at hosts below {cluster.host}")
    reasons: dict[str, list[str]] = {}
    for what, why in cluster.lacks.items():
        reasons.setdefault(why, []).append(what)
    for at, (why, listed) in enumerate(reasons.items()):
        click.echo(f"  {'' if at else 'without':<11} {', '.join(listed)}: {why}")
    click.echo(f"  kubeconfig  {cluster.kubeconfig}")
    click.echo(f"  for kubectl export KUBECONFIG={shlex.quote(str(cluster.kubeconfig))}")
