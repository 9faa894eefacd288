"""What goes wrong around an ingress, one thing after the other, while clients ask all the time; none may notice.

``python -m benchmarks soak``, some two minutes. Every request comes from outside the cluster on a connection of its
own. Only what a killed Envoy had accepted already may be lost, as nobody could have served that: it is told apart.
"""

from __future__ import annotations

import base64
import os
import signal
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple

import yaml

from benchmarks.ingress import report
from benchmarks.manifests import web
from benchmarks.measure import Measure
from kubelab.clusters.embedded import EmbeddedCluster
from kubelab.lab import Lab
from kubelab.lab.api import KubeconfigApi

NAME = "bench-soak"
SYSTEM, CONTROLLER = "kubelab-ingress", "kubelab-ingress-controller"
HOST = "web.test"
RATE = 100
KILLS = 5
MANY = 1000
STOPPED_SECONDS = 3
LEAVING_SECONDS = 3
"""How long a pod of the backend goes on serving (preStop)."""

KILL = """
import os, sys

def field(pid, name):
    [line] = [line for line in open(f"/proc/{pid}/status") if line.startswith(name)]
    return line.split()[1]

def is_it(pid):
    try:
        return field(pid, "PPid:") == first and sys.argv[1].encode() in open(f"/proc/{pid}/cmdline", "rb").read()
    except OSError:
        return False

first = field(1, "Pid:")
[found] = [pid for pid in os.listdir("/proc") if pid.isdigit() and is_it(pid)]
os.kill(int(found), 9)
"""
"""The child of process 1 whose command line contains a word."""

SPOIL = """
from pathlib import Path
for file in Path("/tmp/kubelab-ingress").glob("[!b]*.json"):
    half = file.with_suffix(".half")
    half.write_text(file.read_text()[: file.stat().st_size // 2])
    half.rename(file)
"""


class Disturbance(NamedTuple):
    """Something that goes wrong."""

    what: str
    act: Callable[[Lab, Lab], None]
    """Given the learner's lab and the ingress' own."""
    seconds: float
    """How long clients ask."""
    kills: bool = False
    """Whether Envoys lose what they have accepted."""


def in_pod(system: Lab, program: str, *arguments: str) -> None:
    """Run a Python program in the ingress' pod. Raises SystemExit."""
    pod = next(each for each in system.pods() if each.ready)
    done = system.exec(pod.name, ["python3", "-c", program, *arguments])
    if done.code:
        raise SystemExit(f"The disturbance failed: {done.stderr}")


def kill_controller(lab: Lab, system: Lab) -> None:
    in_pod(system, KILL, "kubelab.engine.ingress")


def kill_envoys(lab: Lab, system: Lab) -> None:
    for turn in range(KILLS):
        in_pod(system, KILL, f"bootstrap-{9901 + turn % 2}.json")
        time.sleep(1)


def delete_pod(lab: Lab, system: Lab) -> None:
    system.delete(next(each for each in system.pods() if each.ready))


def restart_controller(lab: Lab, system: Lab) -> None:
    system.restart(f"deployment/{CONTROLLER}")


def restart_backend(lab: Lab, system: Lab) -> None:
    lab.restart("deployment/web")


def flood(lab: Lab, system: Lab) -> None:
    lab.apply([ingress(f"many-{number}", f"many-{number}.test") for number in range(MANY)])


def spoil(lab: Lab, system: Lab) -> None:
    """Half-written files, and a Secret that is broken, emptied and deleted."""
    in_pod(system, SPOIL)
    lab.apply(ingress("web", HOST, tls=[{"hosts": [HOST], "secretName": "web-tls"}]))
    lab.certificate(HOST, secret="web-tls")
    for data in (b"not a certificate", b""):
        encoded = base64.b64encode(data).decode()
        lab.apply({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "web-tls"}, "type": "kubernetes.io/tls",
                   "data": {"tls.crt": encoded, "tls.key": encoded}})  # fmt: skip
    lab.delete("secret/web-tls")


def stop_engine(lab: Lab, system: Lab) -> None:
    """The API server, the other controllers, the kubelets and kube-proxies stand still."""
    pid = lab.cluster.facts()["pid"]
    os.kill(pid, signal.SIGSTOP)
    try:
        time.sleep(STOPPED_SECONDS)
    finally:
        os.kill(pid, signal.SIGCONT)


DISTURBANCES = (
    Disturbance("the controller is killed", kill_controller, 4),
    Disturbance(f"an Envoy is killed, {KILLS} times", kill_envoys, 8, kills=True),
    Disturbance("half-written files, bad Secrets", spoil, 5),
    Disturbance("the backend is rolled out anew", restart_backend, 10),
    Disturbance(f"the engine stands still for {STOPPED_SECONDS} s", stop_engine, 7),
    Disturbance("the only ingress pod is deleted", delete_pod, 14),
    Disturbance("the controller is rolled out anew", restart_controller, 18),
    Disturbance(f"{MANY} Ingresses come", flood, 12),
)


def ingress(name: str, host: str, **spec: Any) -> dict[str, Any]:
    backend = {"service": {"name": "web", "port": {"number": 80}}}
    rule = {"host": host, "http": {"paths": [{"path": "/", "pathType": "Prefix", "backend": backend}]}}
    return {"apiVersion": "networking.k8s.io/v1", "kind": "Ingress", "metadata": {"name": name},
            "spec": {"rules": [rule], **spec}}  # fmt: skip


def backend() -> list[dict[str, Any]]:
    """Two pods that go on serving for a while when they have to leave."""
    deployment, service = yaml.safe_load_all(web(2))
    pod = deployment["spec"]["template"]["spec"]
    pod["terminationGracePeriodSeconds"] = 2 * LEAVING_SECONDS
    pod["containers"][0]["lifecycle"] = {"preStop": {"sleep": {"seconds": LEAVING_SECONDS}}}
    return [deployment, service]


def measures(cluster: EmbeddedCluster) -> Iterator[Measure]:
    """One for each disturbance."""
    lab = Lab(cluster, KubeconfigApi(cluster.kubeconfig), "soak")
    system = Lab(cluster, lab.api, SYSTEM)
    lab.apply([*backend(), ingress("web", HOST)])
    lab.wait("deployment/web")
    lab.wait("ingress/web", "exists")
    while lab.requests(f"http://{HOST}/", n=5).success < 1:
        time.sleep(0.1)
    with ThreadPoolExecutor(1) as clients:
        for disturbance in DISTURBANCES:
            count = int(disturbance.seconds * RATE)
            asked = clients.submit(lab.requests, f"http://{HOST}/", n=count, rate=RATE)
            time.sleep(1)
            disturbance.act(lab, system)
            yield lost(disturbance, Counter(str(reply.error or reply.code) for reply in asked.result()))


def lost(disturbance: Disturbance, came: Counter[str]) -> Measure:
    """What was not answered with 200."""
    detail = ", ".join(f"{number} {words}" for words, number in came.items())
    accepted = came["reset"] + came["bad answer"] if disturbance.kills else 0
    number = came.total() - came["200"] - accepted
    return Measure(f"lost: {disturbance.what}", number, "", 0, detail=detail)


def main() -> None:
    """Print a line for each measure as it comes."""
    report(NAME, measures)
