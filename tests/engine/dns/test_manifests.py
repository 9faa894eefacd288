"""The name server as objects of the API."""

from __future__ import annotations

from kubelab.engine.dns.manifests import manifests


def test_the_service_selects_the_pods_and_has_the_clusters_dns_address():
    account, role, binding, _, service, deployment = manifests()
    assert binding["roleRef"]["name"] == role["metadata"]["name"]
    assert binding["subjects"][0]["name"] == account["metadata"]["name"]
    template = deployment["spec"]["template"]
    assert service["spec"]["clusterIP"] == "10.96.0.10"
    assert service["metadata"]["labels"]["kubernetes.io/name"] == "CoreDNS"
    assert service["spec"]["selector"] == template["metadata"]["labels"] == {"k8s-app": "kube-dns"}
    assert template["spec"]["serviceAccountName"] == account["metadata"]["name"]
    assert [(port["name"], port["port"], port["protocol"]) for port in service["spec"]["ports"]] == [
        ("dns", 53, "UDP"), ("dns-tcp", 53, "TCP"), ("metrics", 9153, "TCP"),
    ]  # fmt: skip


def test_the_corefile_is_a_config_map_that_the_pods_read():
    config, deployment = manifests()[3], manifests()[-1]
    pod = deployment["spec"]["template"]["spec"]
    (volume,), (container,) = pod["volumes"], pod["containers"]
    assert volume["configMap"] == {
        "name": config["metadata"]["name"], "items": [{"key": "Corefile", "path": "Corefile"}],
    }  # fmt: skip
    assert container["volumeMounts"][0]["mountPath"] == "/etc/coredns" and "ready\n" in config["data"]["Corefile"]
    assert container["args"] == ["-conf", "/etc/coredns/Corefile"]


def test_every_call_gives_objects_of_its_own():
    manifests()[-1]["metadata"]["labels"]["k8s-app"] = "changed"
    assert manifests()[-1]["metadata"]["labels"]["k8s-app"] == "kube-dns"
