"""What the lesson does to its pods."""

from __future__ import annotations

from kubelab.course.lessons.lesson02_services_and_endpointslices import behaviour
from kubelab.lab import waiting
from kubelab.lab.lab import Lab
from kubelab.lab.pods import Pod

PROBED_SECONDS = 30
"""A readiness probe every second, two failures in a row; more time for a slow machine."""


def client_sees(lab: Lab, target: str, app: str) -> str:
    """What a client of ``target`` gets, whose own pods have the label ``app``: one of `behaviour.SEEN`."""
    return behaviour.seen(behaviour.ask(lab, target), behaviour.own_pods(lab, app))


def sick(lab: Lab, pod: Pod) -> None:
    """Make the server in a pod say that it is not ready, and wait until the slices of Kubernetes know."""
    _say(lab, pod, "/sick", ready=False)


def well(lab: Lab, pod: Pod) -> None:
    """Undo `sick`."""
    _say(lab, pod, "/well", ready=True)


def _say(lab: Lab, pod: Pod, path: str, *, ready: bool) -> None:
    lab.probe(pod, n=1, path=path)

    def look() -> waiting.Seen:
        slices = lab.find("endpointslices")
        listed = [each for piece in slices for each in piece.get("endpoints") or () if pod.ip in each["addresses"]]
        as_said = [(each.get("conditions") or {}).get("ready", True) == ready for each in listed]
        return waiting.Seen(bool(listed) and all(as_said), f"{sum(as_said)} of {len(listed)} slices say so")

    waiting.until(look, f"The slices do not say that {pod.alias} is {'' if ready else 'not '}ready", PROBED_SECONDS)
