"""The team next door: a namespace of its own in the same cluster, behind the same ingress."""

from __future__ import annotations

from kubelab.course.lessons.lesson11_ingress_hosts_and_paths import stage
from kubelab.course.lessons.lesson11_ingress_hosts_and_paths.views import gone
from kubelab.lab import waiting
from kubelab.lab.lab import Lab

APP = "next-door"
MOVED_OUT_SECONDS = 60


def move_in(lab: Lab) -> Lab:
    """A lab in the neighbours' namespace, with one app in it. The lab of the lesson stays the one of `check`."""
    neighbours = Lab(lab.cluster, lab.api, f"{lab.namespace}-{APP}")
    neighbours.reset()
    stage.set_up(neighbours, APP)
    return neighbours


def move_out(neighbours: Lab) -> None:
    """Take the namespace away with all that is in it, and wait until its Ingresses are gone."""
    gone(neighbours, neighbours.namespace)

    def look() -> waiting.Seen:
        left = neighbours.find("ingresses")
        return waiting.Seen(not left, f"{len(left)} Ingresses are there")

    waiting.until(look, f"The Ingresses of {neighbours.namespace} are still there", MOVED_OUT_SECONDS)
