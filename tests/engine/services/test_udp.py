"""UDP has no handshake: a client that keeps its port must reach the new pod once the old one is gone."""

from __future__ import annotations

import pytest

from kubelab.lab.errors import ApiError
from tests.engine.services.conftest import pod

pytestmark = [pytest.mark.engine, pytest.mark.timeout(120)]

SERVICE = {
    "apiVersion": "v1",
    "kind": "Service",
    "metadata": {"name": "datagrams"},
    "spec": {
        "type": "NodePort",
        "selector": {"app": "datagrams"},
        "ports": [{"port": 80, "nodePort": 30053, "protocol": "UDP", "targetPort": 8080}],
    },
}

# Sends from one port until the pod that it is told of answers, five seconds at most; prints who answered last.
STUBBORN = """
import socket, sys, time
host, port, own_port, name = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), sys.argv[4]
client = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
client.bind(("", own_port))
client.settimeout(0.1)
heard, end = "nobody", time.monotonic() + 5
while heard != name and time.monotonic() < end:
    try:
        client.sendto(b"who?", (host, port))
        heard = client.recv(100).decode().split()[0]
    except OSError:
        time.sleep(0.05)
print(heard)
"""


@pytest.mark.parametrize("source", ["three", "outside"])
def test_a_client_that_keeps_its_port_reaches_the_next_pod(scene, source):
    scene.lab.apply(SERVICE)
    target = ("172.18.0.2", "30053") if source == "outside" else (scene.cluster_ip("datagrams"), "80")

    def reached(name: str) -> str:
        return scene.run(source, ["-c", STUBBORN, *target, "5555", name]).strip()

    def start(name: str) -> None:
        scene.lab.apply(pod(name, "worker2", 8080, app="datagrams"))
        scene.lab.wait(f"pod/{name}", "ready")

    first, second, third = (f"{source}-{number}" for number in (1, 2, 3))
    try:
        start(first)
        assert reached(first) == first
        start(second)
        scene.lab.delete(f"pod/{first}", grace_seconds=0)
        assert reached(second) == second
        scene.lab.delete(f"pod/{second}", grace_seconds=0)  # for a while there is none
        scene.lab.wait(f"pod/{second}", "deleted")
        start(third)
        assert reached(third) == third
    finally:
        for each in (first, second, third):
            try:
                scene.lab.delete(f"pod/{each}", grace_seconds=0)
            except ApiError as error:
                assert error.status == 404
