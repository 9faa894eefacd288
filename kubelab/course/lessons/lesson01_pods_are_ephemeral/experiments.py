"""What the lesson does to its pods."""

from __future__ import annotations

from kubelab.lab import waiting
from kubelab.lab.lab import Lab

RESTART_SECONDS = 60
"""A container that crashed before in the last ten minutes waits 10 s, then 20 s … before it is started again
(https://kubernetes.io/docs/concepts/workloads/pods/pod-lifecycle/#container-restarts)."""


def crash(lab: Lab, selector: str) -> None:
    """Make the server in each of these pods end with an error, and wait until every container runs again."""
    before = {pod.uid: pod.restarts for pod in lab.pods(selector)}
    for pod in lab.pods(selector):
        lab.probe(pod, n=1, path="/crash")

    def look() -> waiting.Seen:
        pods = lab.pods(selector)
        restarted = sum(pod.ready and pod.restarts > before.get(pod.uid, -1) for pod in pods)
        return waiting.Seen(restarted == len(before), f"{restarted} of {len(before)} containers run again")

    waiting.until(look, f"The containers of {selector} are not restarted", RESTART_SECONDS)
