from __future__ import annotations

import pytest

from kubelab.engine.node import fields
from kubelab.engine.node.addresses import OutOfAddresses, PodAddresses
from kubelab.engine.node.environment import service_variables
from kubelab.engine.node.expansion import expand
from kubelab.engine.node.pod_files import hosts
from kubelab.engine.node.resolver import resolver_of


def test_references_expand_and_unknown_ones_stay():
    assert expand("$(A)-$(B)-$$(A)-$(", {"A": "1"}) == "1-$(B)-$(A)-$("


def test_services_become_variables_as_docker_links_did():
    ports = [{"name": "http", "port": 80, "protocol": "TCP"}, {"name": "dns-udp", "port": 53, "protocol": "UDP"}]
    service = {"metadata": {"name": "my-web"}, "spec": {"clusterIP": "10.96.0.7", "ports": ports}}
    headless = {"metadata": {"name": "none"}, "spec": {"clusterIP": "None", "ports": ports}}
    assert service_variables([service, headless]) == {
        "MY_WEB_SERVICE_HOST": "10.96.0.7",
        "MY_WEB_SERVICE_PORT": "80",
        "MY_WEB_SERVICE_PORT_HTTP": "80",
        "MY_WEB_SERVICE_PORT_DNS_UDP": "53",
        "MY_WEB_PORT": "tcp://10.96.0.7:80",
        "MY_WEB_PORT_80_TCP": "tcp://10.96.0.7:80",
        "MY_WEB_PORT_80_TCP_PROTO": "tcp",
        "MY_WEB_PORT_80_TCP_PORT": "80",
        "MY_WEB_PORT_80_TCP_ADDR": "10.96.0.7",
        "MY_WEB_PORT_53_UDP": "udp://10.96.0.7:53",
        "MY_WEB_PORT_53_UDP_PROTO": "udp",
        "MY_WEB_PORT_53_UDP_PORT": "53",
        "MY_WEB_PORT_53_UDP_ADDR": "10.96.0.7",
    }


async def test_every_source_of_a_variable(lab):
    async with lab.agent():
        lab.configmap("settings", colour="blue", size="9")
        lab.secret("keys", password="geheim")
        env = [
            {"name": "NAME", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}},
            {"name": "IP", "valueFrom": {"fieldRef": {"fieldPath": "status.podIP"}}},
            {"name": "NODE", "valueFrom": {"fieldRef": {"fieldPath": "spec.nodeName"}}},
            {"name": "CPU", "valueFrom": {"resourceFieldRef": {"resource": "limits.cpu", "divisor": "1m"}}},
            {"name": "PASSWORD", "valueFrom": {"secretKeyRef": {"name": "keys", "key": "password"}}},
            {"name": "MAYBE", "valueFrom": {"secretKeyRef": {"name": "no", "key": "no", "optional": True}}},
            {"name": "URL", "value": "http://$(NAME)/$(S_colour)"},
        ]
        limits = {"limits": {"cpu": "250m"}}
        source = [{"prefix": "S_", "configMapRef": {"name": "settings"}}]
        lab.make(container={"env": env, "envFrom": source, "resources": limits})
        got = (await lab.running()).program.env
        wanted = {"NAME": "web", "IP": "10.244.1.2", "NODE": "lab-worker", "CPU": "250", "PASSWORD": "geheim"}
        wanted |= {"URL": "http://web/blue", "S_size": "9"}
        assert {name: got.get(name) for name in wanted} == wanted
        assert "MAYBE" not in got


async def test_binary_data_becomes_no_variable(lab):
    async with lab.agent():
        lab.api.put("configmaps", {"metadata": {"name": "mixed"}, "data": {"a": "1"}, "binaryData": {"b": "AAE="}})
        lab.make(container={"envFrom": [{"configMapRef": {"name": "mixed"}}]})
        got = (await lab.running()).program.env
        assert (got["a"], "b" in got) == ("1", False)


async def test_a_variable_that_no_program_could_have_is_told_of(lab):
    async with lab.agent():
        lab.secret("keys", raw="a\0b")
        lab.make(container={"envFrom": [{"secretRef": {"name": "keys"}}]})
        await lab.eventually(lambda: "contains nul byte" in str(lab.api.container()["state"]))


@pytest.mark.parametrize(("text", "number"), [("250m", 0.25), ("1Gi", 2**30), ("2", 2), ("1e3", 1000), ("5k", 5000)])
def test_quantities_are_read(text, number):
    assert fields.quantity(text) == pytest.approx(number)


def test_the_resolver_file_follows_policy_and_config(tmp_path):
    machine = tmp_path / "resolv.conf"
    machine.write_text("nameserver 192.0.2.1\nsearch example.org\n")
    pod = {"metadata": {"namespace": "shop"}, "spec": {"dnsPolicy": "Default"}}
    assert resolver_of(pod, machine).text == "search example.org\nnameserver 192.0.2.1\n"
    config = {"nameservers": ["192.0.2.9"], "options": [{"name": "ndots", "value": "1"}, {"name": "edns0"}]}
    pod["spec"] = {"dnsPolicy": "None", "dnsConfig": config}
    assert resolver_of(pod, machine).text == "nameserver 192.0.2.9\noptions ndots:1 edns0\n"
    pod["spec"] = {"dnsPolicy": "ClusterFirst", "dnsConfig": {"options": [{"name": "ndots", "value": "2"}]}}
    assert resolver_of(pod, machine).text.endswith("nameserver 10.96.0.10\noptions ndots:2\n")


def test_what_no_resolver_would_read_is_left_out_and_told():
    config = {"nameservers": [f"192.0.2.{n}" for n in range(3)], "searches": [f"a{n}.example" for n in range(31)]}
    found = resolver_of({"metadata": {"namespace": "shop"}, "spec": {"dnsConfig": config}})
    assert found.nameservers == ["10.96.0.10", "192.0.2.0", "192.0.2.1"]
    assert (len(found.search), found.search[-1]) == (32, "a28.example")
    searches, servers = found.omissions
    assert searches.startswith("Search Line limits were exceeded, some search paths have been omitted, the applied se")
    assert servers.endswith("the applied nameserver line is: 10.96.0.10 192.0.2.0 192.0.2.1")
    long = {"dnsPolicy": "None", "dnsConfig": {"nameservers": ["192.0.2.1"], "searches": ["a" * 1023, "b" * 1023, "c"]}}
    assert [each[0] for each in resolver_of({"metadata": {}, "spec": long}).search] == ["a", "b"]


def test_the_hosts_file_knows_the_subdomain_and_the_aliases():
    aliases = [{"ip": "192.0.2.7", "hostnames": ["a", "b"]}]
    spec = {"subdomain": "web", "hostAliases": aliases}
    text = hosts({"metadata": {"name": "web-0", "namespace": "shop"}, "spec": spec}, "10.244.1.2")
    assert "10.244.1.2\tweb-0.web.shop.svc.cluster.local\tweb-0\n" in text
    assert text.endswith("\n# Entries added by HostAliases.\n192.0.2.7\ta\tb\n")


def test_addresses_are_handed_out_in_turn_and_not_used_again_soon():
    addresses = PodAddresses("10.244.1.0/29")
    assert [addresses.take(uid) for uid in "abc"] == ["10.244.1.2", "10.244.1.3", "10.244.1.4"]
    addresses.release("a")
    assert addresses.take("b") == "10.244.1.3"
    assert [addresses.take(uid) for uid in "de"] == ["10.244.1.5", "10.244.1.6"]
    assert addresses.take("f") == "10.244.1.2"
    with pytest.raises(OutOfAddresses, match="delete pods"):
        addresses.take("g")
    assert not addresses.keep("g", "10.244.9.9")


def test_the_kernel_hears_the_full_name_when_asked_to():
    spec = {"nodeName": "n", "subdomain": "db", "hostname": "a", "setHostnameAsFQDN": True}
    pod = {"metadata": {"name": "web-1", "namespace": "shop"}, "spec": spec}
    assert fields.kernel_hostname(pod) == "a.db.shop.svc.cluster.local"
    assert fields.kernel_hostname({**pod, "spec": {**spec, "setHostnameAsFQDN": False}}) == "a"
    assert fields.kernel_hostname({**pod, "spec": {**spec, "hostnameOverride": "other"}}) == "other"
    with pytest.raises(fields.UnknownField, match=r"is too long \(64 characters is the max, 8[0-9] characters"):
        fields.kernel_hostname({**pod, "spec": {**spec, "hostname": "a" * 60}})
