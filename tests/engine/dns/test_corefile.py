"""Corefiles: what they say, and what is said of those that cannot be used."""

from __future__ import annotations

import pytest

from kubelab.engine.dns.corefile import CorefileError, parse
from kubelab.engine.dns.instance import Instance, Surroundings
from kubelab.engine.dns.manifests import COREFILE
from kubelab.engine.dns.plugins.forward import Forward
from kubelab.engine.dns.plugins.prometheus import new_metrics

CONF = "/etc/coredns/Corefile"


def instance(text: str, resolv_conf: str = "") -> Instance:
    def client():
        raise AssertionError("there is no API")

    return Instance(text, CONF, Surroundings(new_metrics(), client, resolv_conf=resolv_conf))


def block(*lines: str) -> str:
    return "\n".join([".:53 {", *lines, "}"])


def test_kubeadms_corefile_is_understood():
    plugins = [plugin.name for plugin in instance(COREFILE).plugins]
    assert plugins == [
        *("reload", "ready", "health", "prometheus", "errors", "loadbalance", "cache", "kubernetes", "loop", "forward")
    ]


def test_server_blocks_have_zones_ports_comments_and_quotes():
    text = '# mine\nexample.test:5353, other.test {  # two\n  log . "{name} {rcode}"\n}\n. {\n  errors\n}\n'
    first, second = parse(text)
    assert first.keys.words == ("example.test:5353", "other.test") and second.keys.words == (".",)
    assert first.directives[0].line.words == ("log", ".", "{name} {rcode}")
    assert {port: set(zones) for port, zones in instance(text).chains.items()} == {
        5353: {"example.test"}, 53: {"other.test", ""},
    }  # fmt: skip


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (block("foo"), ":2 - Error during parsing: Unknown directive 'foo'"),
        (block("template IN A"), "does not have the plugin 'template'"),
        (block("errors")[:-1], ":2 - Error during parsing: Unexpected EOF"),
        (block("errors", "}"), ":4 - Error during parsing"),
        (block("cache 30", "cache 30"), "plugin/cache: this plugin can only be used once per Server Block"),
        (block("kubernetes a {", "pods some", "}"), ":3 - Error during parsing: wrong value for pods: some"),
        (block("kubernetes a {", "nosuch", "}"), f"plugin/kubernetes: {CONF}:3 - Error during parsing: unknown prop"),
        (block("kubernetes a {", "ttl 4000", "}"), "ttl must be in range [0, 3600]: 4000"),
        (block("kubernetes in-addr.arpa"), "non-reverse zone name must be used"),
        (block("forward ."), "Wrong argument count or unexpected line ending after '.'"),
        (block("forward . tls://1.1.1.1"), 'not an IP address or file: "tls://1.1.1.1"'),
        (block("forward . 1.1.1.1 {", "policy best", "}"), "unknown policy 'best'"),
        (block("health {", "lameduck soon", "}"), 'time: invalid duration "soon"'),
        (block("reload 1s"), "interval value must be greater or equal to 2s"),
        (block("log {", "class some", "}"), "invalid class: some"),
        (block("rewrite type A AAAA"), "plugin/rewrite"),
        (block("hosts /etc/hosts"), "write the entries into the block"),
        (block("errors") + "\n" + block("errors"), "cannot serve dns://.:53 - it is already defined"),
        ("", "no server block"),
    ],
)
def test_what_cannot_be_used_is_said_with_its_place(text, said):
    with pytest.raises(CorefileError) as caught:
        instance(text)
    assert (said in str(caught.value) and CONF in str(caught.value)) or "once per" in said


def test_forward_reads_resolv_conf_and_addresses_with_ports():
    text = block("forward . /etc/resolv.conf 192.0.2.1 192.0.2.2:5353 [2001:db8::1]:54")
    forward = instance(text, "nameserver 192.0.2.53\n").find(Forward)
    assert forward._rules[0].upstream.servers == ["192.0.2.53", "192.0.2.1#53", "192.0.2.2#5353", "2001:db8::1#54"]
