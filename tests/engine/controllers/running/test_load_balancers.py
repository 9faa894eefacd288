from __future__ import annotations

from kubelab.engine.client.resources import SERVICES
from kubelab.engine.controllers.loadbalancers import FINALIZER

PORTS = [{"port": 80}]


async def balancer(cluster, name: str, **spec) -> None:
    meta = {"name": name, "namespace": "default"}
    await cluster.api.create(SERVICES, {"metadata": meta, "spec": {"type": "LoadBalancer", "ports": PORTS, **spec}})


def ingress(cluster, name: str) -> list[dict]:
    service = cluster.get(SERVICES, name)
    return service["status"]["loadBalancer"].get("ingress", []) if service else []


def address(cluster, name: str) -> str:
    return ingress(cluster, name)[0]["ip"] if ingress(cluster, name) else ""


async def test_addresses_are_given_kept_and_free_again(cluster):
    for name in ("a", "b"):
        await balancer(cluster, name)
    await cluster.until(lambda: {address(cluster, "a"), address(cluster, "b")} == {"172.18.255.1", "172.18.255.2"})
    first = address(cluster, "a")
    assert ingress(cluster, "a") == [{"ip": first, "ipMode": "VIP"}]
    assert cluster.get(SERVICES, "a")["metadata"]["finalizers"] == [FINALIZER]
    assert cluster.events("EnsuredLoadBalancer")

    await cluster.change(SERVICES, "b", {"spec": {"externalTrafficPolicy": "Local"}})
    await cluster.api.delete(SERVICES, "a", "default")
    await cluster.until(lambda: cluster.get(SERVICES, "a") is None)
    await balancer(cluster, "c")
    await cluster.until(lambda: address(cluster, "c") == first)
    assert address(cluster, "b") != first


async def test_another_type_gives_the_address_back(cluster):
    await balancer(cluster, "a")
    await cluster.until(lambda: address(cluster, "a"))
    await cluster.change(SERVICES, "a", {"spec": {"type": "ClusterIP"}})
    await cluster.until(lambda: not cluster.get(SERVICES, "a")["metadata"].get("finalizers"))
    assert not ingress(cluster, "a")


async def test_the_address_asked_for_is_given_when_it_can_be(cluster):
    await balancer(cluster, "a", loadBalancerIP="172.18.255.77")
    await cluster.until(lambda: address(cluster, "a") == "172.18.255.77")
    await balancer(cluster, "b", loadBalancerIP="172.18.255.77")
    await balancer(cluster, "c", loadBalancerIP="192.0.2.1")
    prefix = "Error syncing load balancer: failed to ensure load balancer: "
    await cluster.until(
        lambda: (
            set(cluster.events("SyncLoadBalancerFailed"))
            == {
                prefix + "172.18.255.77 is taken by Service default/a",
                prefix + "192.0.2.1 is not in the pool 172.18.255.0/24",
            }
        )
    )
    assert not ingress(cluster, "b") and not ingress(cluster, "c")
    await cluster.change(SERVICES, "c", {"spec": {"loadBalancerIP": "172.18.255.78"}})
    await cluster.until(lambda: address(cluster, "c") == "172.18.255.78")


async def test_a_service_of_another_class_is_left_alone(cluster):
    await balancer(cluster, "theirs", loadBalancerClass="example.com/lb")
    await balancer(cluster, "ours")
    await cluster.until(lambda: address(cluster, "ours"))
    assert not ingress(cluster, "theirs") and "finalizers" not in cluster.get(SERVICES, "theirs")["metadata"]
