"""What the plugins of a Corefile do to questions and answers."""

from __future__ import annotations

import logging
import re

from dnslib import QTYPE, RR, SOA, A, DNSRecord

from kubelab.engine.dns.instance import Instance, Surroundings
from kubelab.engine.dns.plugins.cache import Cache
from kubelab.engine.dns.plugins.forward import Forward
from kubelab.engine.dns.plugins.prometheus import new_metrics
from kubelab.engine.dns.server import NameServer
from kubelab.engine.dns.upstream import NoAnswer, Upstream

CLIENT = ("10.244.1.7", 40000)


class Elsewhere(Upstream):
    """Another name server: ``gone.*`` is denied, ``silent.*`` is not answered, all else has two addresses."""

    def __init__(self) -> None:
        super().__init__(["192.0.2.1"])
        self.asked: list[str] = []

    async def ask(self, request: bytes, *, udp: bool) -> bytes:
        question = DNSRecord.parse(request)
        name = str(question.q.qname)
        self.asked.append(name)
        if name.startswith("silent."):
            raise NoAnswer("read udp 192.0.2.1:53: i/o timeout")
        reply = question.reply()
        if name.startswith("gone."):
            reply.header.rcode = 3
            reply.add_auth(RR("test", QTYPE.SOA, rdata=SOA("ns.test", "me.test", (1, 1, 1, 1, 60)), ttl=60))
        else:
            for ip in ("192.0.2.10", "192.0.2.11"):
                reply.add_answer(RR(question.q.qname, QTYPE.A, rdata=A(ip), ttl=300))
        return bytes(reply.pack())


class Serving:
    """A name server with these lines in its server block."""

    def __init__(self, *lines: str) -> None:
        self.metrics = new_metrics()
        self.elsewhere = Elsewhere()
        text = "\n".join([". {", *lines, "forward . 192.0.2.1", "}"])
        self.instance = Instance(text, "Corefile", Surroundings(self.metrics, client=lambda: None))
        for rule in self.instance.find(Forward)._rules:
            rule.upstream = self.elsewhere
        self._server = NameServer(self.instance.ask, self.metrics)

    async def ask(self, name: str, type_: str = "A", *, udp: bool = True) -> DNSRecord:
        request = DNSRecord.question(name, type_)
        data = await self._server.respond(bytes(request.pack()), udp=udp, client=CLIENT)
        response = DNSRecord.parse(data)
        assert response.header.id == request.header.id and str(response.q.qname) == f"{name}."
        return response


def addresses(response: DNSRecord) -> list[tuple[str, str]]:
    return sorted((str(record.rname), str(record.rdata)) for record in response.rr)


async def test_every_question_is_a_line_as_coredns_writes_it(caplog):
    with caplog.at_level(logging.INFO):
        await Serving("log").ask("Web.test")
        await Serving("log", "errors").ask("silent.test", "AAAA")
    (line, failed, reason) = caplog.messages
    place = re.escape("10.244.1.7:40000")
    assert re.fullmatch(rf'{place} - \d+ "A IN Web\.test\. udp 26 false 512" NOERROR qr,aa,rd,ra 58 [0-9.]+s', line)
    assert re.fullmatch(rf'{place} - \d+ "AAAA IN silent\.test\. udp 29 false 512" - - 0 [0-9.]+s', failed)
    assert reason == "plugin/errors: 2 silent.test. AAAA: read udp 192.0.2.1:53: i/o timeout"


async def test_the_log_can_be_of_some_answers_of_some_names_and_in_a_format_of_its_own(caplog):
    serving = Serving('log shop.test "{name} {rcode}" {', "class denial error", "}")
    with caplog.at_level(logging.INFO):
        for name in ("web.shop.test", "gone.shop.test", "gone.test", "silent.shop.test"):
            await serving.ask(name)
    assert caplog.messages == ["gone.shop.test. NXDOMAIN", "silent.shop.test. -"]


async def test_an_answer_is_kept_for_as_long_as_the_corefile_says_and_counts_down():
    serving = Serving("cache 30")
    clock = serving.instance.find(Cache)
    clock.now = lambda: 1000.0
    first = await serving.ask("web.test")
    clock.now = lambda: 1020.0
    second = await serving.ask("WEB.test")
    clock.now = lambda: 1031.0
    await serving.ask("web.test")
    assert ({record.ttl for record in first.rr}, {record.ttl for record in second.rr}) == ({30}, {10})
    assert serving.elsewhere.asked == ["web.test.", "web.test."]
    labels = {"server": "dns://:53", "view": "", "zones": "."}
    counted = [serving.metrics.value(f"coredns_cache_{name}", **labels) for name in ("requests_total", "misses_total")]
    assert counted == [3, 2]
    assert serving.metrics.value("coredns_cache_hits_total", type="success", **labels) == 1


async def test_denials_are_kept_too_unless_the_zone_is_left_out():
    serving = Serving("cache 30 {", "disable denial other.test", "}")
    for name in ("gone.test", "gone.test", "gone.other.test", "gone.other.test"):
        assert (await serving.ask(name)).header.rcode == 3
    assert serving.elsewhere.asked == ["gone.test.", "gone.other.test.", "gone.other.test."]


async def test_hosts_answers_for_its_names_and_passes_the_others_on():
    serving = Serving("hosts {", "192.0.2.7 a.test b.test", "fallthrough", "}")
    assert addresses(await serving.ask("A.test")) == [("A.test.", "192.0.2.7")]
    assert (await serving.ask("a.test", "AAAA")).rr == []
    assert [str(record.rdata) for record in (await serving.ask("7.2.0.192.in-addr.arpa", "PTR")).rr] == [
        "a.test.", "b.test.",
    ]  # fmt: skip
    await serving.ask("c.test")
    assert serving.elsewhere.asked == ["c.test."]
    assert (await Serving("hosts test {", "192.0.2.7 a.test", "}").ask("c.test")).header.rcode == 2


async def test_another_name_is_asked_for_and_the_client_does_not_see_it():
    serving = Serving("rewrite name exact old.test new.test", "rewrite name suffix .here .there answer auto")
    assert {name for name, _ in addresses(await serving.ask("old.test"))} == {"old.test."}
    assert {name for name, _ in addresses(await serving.ask("web.here"))} == {"web.here."}
    assert serving.elsewhere.asked == ["new.test.", "web.there."]


async def test_addresses_come_in_changing_order_only_where_loadbalance_stands():
    async def orders(*lines: str) -> int:
        serving = Serving(*lines)
        return len({tuple(str(record.rdata) for record in (await serving.ask("web.test")).rr) for _ in range(40)})

    assert (await orders(), await orders("loadbalance")) == (1, 2)


async def test_answers_are_counted_by_code_and_by_the_plugin_that_wrote_them():
    serving = Serving("prometheus :9153", "loadbalance")
    for name in ("web.test", "gone.test", "silent.test"):
        await serving.ask(name)
    labels = {"server": "dns://:53", "zone": ".", "view": ""}
    for plugin, rcode in (("loadbalance", "NOERROR"), ("loadbalance", "NXDOMAIN"), ("", "SERVFAIL")):
        assert serving.metrics.value("coredns_dns_responses_total", plugin=plugin, rcode=rcode, **labels) == 1
    asked = serving.metrics.value("coredns_dns_requests_total", proto="udp", family="1", type="A", **labels)
    assert asked == 3 and 'coredns_build_info{goversion="python' in serving.metrics.text()


async def test_more_questions_at_once_than_allowed_are_refused():
    serving = Serving()
    (rule,) = serving.instance.find(Forward)._rules
    rule.most, rule.busy = 1, 1
    assert (await serving.ask("web.test")).header.rcode == 5
