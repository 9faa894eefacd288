"""What probes do: to a pod that is not ready, to one that is not alive, and to those that are asked the wrong thing."""

from __future__ import annotations

import re

from kubelab.course.lessons.lesson10_probes_and_rollouts import apps
from kubelab.course.tables import Table
from kubelab.lab import waiting
from kubelab.lab.api import Object
from kubelab.lab.lab import Lab

SICK = ("it gets no new connections", "its container is restarted", "it is replaced by another pod")
NOTICE_SECONDS = 30.0
ENOUGH = 40
"""Requests after which every pod that may answer has: one of three is left out once in ten million times."""
ADDRESS = re.compile(r"\d+\.\d+\.\d+\.\d+:")
THREE = ("mistyped", "hurried", "patient")
START_SECONDS = 4


def await_ready(lab: Lab, app: str, serving: int, ready: int | None = None) -> None:
    """Wait until so many of a Service's endpoints serve and are ready (the same number, if left out), and as many pods
    answer as are ready.
    """
    wanted = (serving, serving if ready is None else ready)

    def look() -> waiting.Seen:
        listed = lab.endpoints(app).all
        now = (sum(each.serving for each in listed), sum(each.ready for each in listed))
        return waiting.Seen(now == wanted, f"{now[0]} endpoints serving, {now[1]} ready")

    def answers() -> waiting.Seen:
        traffic = lab.probe(app, n=ENOUGH, timeout=5)
        return waiting.Seen(traffic.success == 1 and len(traffic.pods) == wanted[1], traffic.sentence)

    waiting.until(look, f"The endpoints of {app} are not as expected", NOTICE_SECONDS)
    waiting.until(answers, f"The nodes do not yet send as the endpoints of {app} say", NOTICE_SECONDS)


def what_became(lab: Lab, app: str, pod: str) -> str:
    """What became of a pod whose readiness probe fails, one of `SICK`: who answers, and what was restarted."""
    found = lab.find_pod(pod)
    if found is None:
        return SICK[2]
    if found.restarts:
        return SICK[1]
    return SICK[0] if pod not in lab.probe(app, n=ENOUGH).pods else "it gets requests as before"


def probe_failures(lab: Lab, pod: str = "") -> Table:
    """What the probes of a pod got, or those of all pods here, and what was done about it: the events, without names
    and addresses.
    """
    names = {each.name for each in lab.pods() if pod in ("", each.alias)}
    told = {
        (each["reason"], ADDRESS.sub("POD:", each["message"]))
        for each in lab.find("events")
        if each["reason"] in ("Unhealthy", "Killing") and each["involvedObject"]["name"] in names
    }
    return Table(("event", "message"), tuple(sorted(told, reverse=True)))


def three() -> list[Object]:
    """Three apps of one pod each, and there is nothing wrong with any of them.

    ``mistyped``: its livenessProbe asks for a path that is not there. ``hurried``: it needs some seconds to start, and
    its livenessProbe believes two failures. ``patient``: the same, with a startupProbe before.
    """
    alive, start = apps.http("/live"), apps.http("/live", failures=30)
    return [
        apps.deployment("mistyped", replicas=1, probes={"livenessProbe": apps.http("/alive")}),
        apps.deployment("hurried", replicas=1, probes={"livenessProbe": alive}, START_SECONDS=START_SECONDS),
        apps.deployment(
            "patient", replicas=1, probes={"livenessProbe": alive, "startupProbe": start}, START_SECONDS=START_SECONDS
        ),
    ]


def restarted(lab: Lab) -> Table:
    """Which of the three were restarted, once the one that is not has had the time to start."""

    def look() -> waiting.Seen:
        pods = {app: lab.pods(f"app={app}") for app in THREE}
        done = all(pods.values()) and all(pods[app][0].restarts for app in THREE[:2]) and pods["patient"][0].ready
        return waiting.Seen(done, ", ".join(f"{each[0]!r}" for each in pods.values() if each))

    waiting.until(look, "The three are not what they should be", NOTICE_SECONDS * 2)
    rows = ((app, "yes" if lab.pods(f"app={app}")[0].restarts else "no") for app in THREE)
    return Table(("app", "restarted"), tuple(rows))
