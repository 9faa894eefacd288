"""Valid Services and EndpointSlices at random, in every combination that the API takes."""

from __future__ import annotations

import random
from typing import Any

Object = dict[str, Any]

NODES = ("kubelab-worker", "kubelab-worker2", None)
RANGES = ("203.0.113.0/24", " 172.18.0.0/16 ", "010.0.0.0/8", "198.51.100.7/32", "0.0.0.0/0", "fd00::/8")


def random_cluster(seed: int, *, services: int = 12) -> tuple[list[Object], list[Object]]:
    """The Services and the EndpointSlices of a namespace; the same for the same seed."""
    chance = random.Random(seed)
    names = [f"svc{number}" for number in range(services)]
    made = [_service(chance, name, number) for number, name in enumerate(names)]
    slices = [each for service in made for each in _slices(chance, service)]
    return made, slices


def _service(chance: random.Random, name: str, number: int) -> Object:
    kind = chance.choice(["ClusterIP", "NodePort", "LoadBalancer", "LoadBalancer"])
    address = f"10.96.{number}.1"
    spec: Object = {"type": kind, "clusterIP": address, "clusterIPs": [address], "ipFamilies": ["IPv4"]}
    spec["ports"] = _ports(chance, number, kind)
    spec["internalTrafficPolicy"] = chance.choice(["Cluster", "Local"])
    if chance.random() < 0.4:
        spec["externalIPs"] = chance.sample(["198.18.0.1", "198.18.0.02", "fd00::7"], chance.randint(1, 3))
    if kind != "ClusterIP" or "externalIPs" in spec:
        spec["externalTrafficPolicy"] = chance.choice(["Cluster", "Local"])
    if chance.random() < 0.3:
        seconds = chance.choice([1, 10800, 86400])
        spec |= {"sessionAffinity": "ClientIP", "sessionAffinityConfig": {"clientIP": {"timeoutSeconds": seconds}}}
    ingress: list[Object] = []
    if kind == "LoadBalancer":
        ingress = chance.sample(
            [
                {"ip": f"192.0.2.{number}", "ipMode": "VIP"},
                {"ip": f"192.0.3.{number}"},
                {"ip": f"192.0.4.{number}", "ipMode": "Proxy"},
                {"hostname": "lb.example.com"},
            ],
            chance.randint(0, 4),
        )
        spec["loadBalancerSourceRanges"] = chance.sample(RANGES, chance.choice([0, 0, 1, 2, 3]))
        if spec["externalTrafficPolicy"] == "Local":
            spec["healthCheckNodePort"] = 31000 + number
    metadata = {"name": name, "namespace": "ns1", "resourceVersion": "1"}
    return {"metadata": metadata, "spec": spec, "status": {"loadBalancer": {"ingress": ingress}}}


def _ports(chance: random.Random, number: int, kind: str) -> list[Object]:
    possible = [("http", "TCP", 80), ("dns", "UDP", 53), ("dns-tcp", "TCP", 53), ("sig", "SCTP", 36412)]
    chosen = chance.sample(possible, chance.randint(1, 4))
    ports = [{"name": name, "protocol": protocol, "port": port} for name, protocol, port in chosen]
    if len(ports) == 1 and chance.random() < 0.5:
        del ports[0]["name"]
    if kind != "ClusterIP":
        for at, port in enumerate(ports):
            port["nodePort"] = 30000 + number * 10 + at
    return ports


def _slices(chance: random.Random, service: Object) -> list[Object]:
    name = service["metadata"]["name"]
    ports = [
        {"name": port.get("name", ""), "protocol": port["protocol"], "port": port["port"] + 8000}
        for port in service["spec"]["ports"]
    ]
    found = []
    for number in range(chance.choice([0, 1, 1, 1, 2])):
        found.append(
            {
                "metadata": {
                    "name": f"{name}-{number}",
                    "namespace": "ns1",
                    "resourceVersion": "1",
                    "labels": {"kubernetes.io/service-name": name},
                },
                "addressType": "IPv4",
                "ports": ports if chance.random() < 0.8 else ports[:1],
                "endpoints": [_endpoint(chance) for _ in range(chance.randint(0, 6))],
            }
        )
    return found


def _endpoint(chance: random.Random) -> Object:
    terminating = chance.random() < 0.3
    serving = chance.random() < 0.7
    endpoint: Object = {
        "addresses": [f"10.244.{chance.randint(0, 2)}.{chance.randint(2, 12)}"],
        "conditions": {"ready": serving and not terminating, "serving": serving, "terminating": terminating},
    }
    if node := chance.choice(NODES):
        endpoint["nodeName"] = node
    if chance.random() < 0.7:
        endpoint["hints"] = {"forZones": [{"name": chance.choice(["a", "b"])}]}
        if chance.random() < 0.7:
            endpoint["hints"]["forNodes"] = [{"name": "kubelab-worker"}]
    return endpoint
