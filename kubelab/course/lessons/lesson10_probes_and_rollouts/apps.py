"""The lesson's app as a Deployment, with what an experiment wants of its end and of its beginning."""

from __future__ import annotations

import json

from kubelab.course import files
from kubelab.lab.api import Object
from kubelab.lab.lab import Lab
from kubelab.lab.merge import LAST_APPLIED

PACKAGE = "lesson10_probes_and_rollouts"
START_SECONDS = 180
"""What a first pod may take: on kind the image has to be fetched."""
PORT = 8080


def deployment(
    app: str,
    *,
    port: int = PORT,
    pre_stop: int = 0,
    grace: int = 20,
    replicas: int = 3,
    probes: Object | None = None,
    **env: object,
) -> Object:
    """The app. ``pre_stop``: seconds that its preStop hook sleeps, 0 for no hook. ``grace``: seconds until SIGKILL.

    ``probes``: its probes, in place of a readinessProbe on /ready. ``env``: ``ON_SIGTERM="drain"`` …, see app.py.
    """
    (made,) = files.manifest(PACKAGE, "app", app=app, container_port=port)
    made["spec"]["replicas"] = replicas
    pod = made["spec"]["template"]["spec"]
    pod["terminationGracePeriodSeconds"] = grace
    container = pod["containers"][0]
    for variable in container["env"]:
        if variable["name"] in env:
            variable["value"] = str(env[variable["name"]])
    if pre_stop:
        container["lifecycle"] = {"preStop": {"sleep": {"seconds": pre_stop}}}
    if probes is not None:
        del container["readinessProbe"]
        container |= probes
    return made


def service(app: str, name: str = "", *, port: int = 80, target: int = PORT, unready_too: bool = False) -> Object:
    """The Service in front of it. ``unready_too``: its ``publishNotReadyAddresses``."""
    (made,) = files.manifest(
        PACKAGE, "service", app=app, service=name or app, service_port=port, container_port=target,
        unready_too=str(unready_too).lower(),
    )  # fmt: skip
    return made


def programs() -> list[Object]:
    """The ConfigMap that the app's pods mount."""
    return files.manifest(PACKAGE, "programs")


def set_up(lab: Lab, *objects: Object) -> None:
    """Apply these, Deployments among them, and wait until those are available."""
    lab.apply(programs())
    for each in objects:
        lab.apply(each)
    for each in objects:
        if each["kind"] == "Deployment":
            lab.wait(f"deployment/{each['metadata']['name']}", "available", timeout=START_SECONDS)
    for each in objects:
        if each["kind"] == "Service":
            lab.wait(f"service/{each['metadata']['name']}", "answers")


def http(path: str, *, port: int = PORT, failures: int = 2) -> Object:
    """A probe that asks for a path every second, and believes ``failures`` answers in a row.

    It waits five seconds for each: with the default of one, a busy machine fails probes of pods that are well.
    """
    asked = {"path": path, "port": port}
    return {"httpGet": asked, "periodSeconds": 1, "timeoutSeconds": 5, "failureThreshold": failures}


def unchanged(made: object, found: object) -> bool:
    """Whether all that was asked for is in what the API has now; defaults that it has filled in do not count."""
    if isinstance(made, dict):
        return isinstance(found, dict) and all(unchanged(value, found.get(key)) for key, value in made.items())
    if isinstance(made, list):
        return isinstance(found, list) and len(made) == len(found) and all(map(unchanged, made, found))
    return made == found


def container(found: Object) -> Object:
    """The first container of a Deployment."""
    first: Object = found["spec"]["template"]["spec"]["containers"][0]
    return first


def drains(found: Object) -> bool:
    """Whether its pods pause before SIGTERM, and finish after it what they have begun."""
    first = container(found)
    return "preStop" in (first.get("lifecycle") or {}) and {"name": "ON_SIGTERM", "value": "drain"} in first["env"]


def applied(lab: Lab, what: str) -> Object:
    """The manifest that was applied last, to be changed and applied again; as `kubectl edit`, without the status."""
    made: Object = json.loads(lab.get(what)["metadata"]["annotations"][LAST_APPLIED])
    return made
