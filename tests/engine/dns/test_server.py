"""Requests and responses in wire format, over real sockets where that matters."""

from __future__ import annotations

import asyncio
import contextlib
import random
import struct

import pytest
from dnslib import EDNS0, QTYPE, RCODE, RR, A, DNSHeader, DNSLabel, DNSRecord

from kubelab.engine.dns.instance import Instance, Surroundings
from kubelab.engine.dns.manifests import COREFILE
from kubelab.engine.dns.plugins.forward import Forward
from kubelab.engine.dns.plugins.kubernetes import Kubernetes
from kubelab.engine.dns.plugins.prometheus import new_metrics
from kubelab.engine.dns.server import Datagrams, NameServer
from kubelab.engine.dns.snapshot import Snapshot
from kubelab.engine.dns.upstream import NoAnswer, Upstream, name_servers

CLIENT = ("10.244.1.7", 40000)

MANY = [f"10.244.1.{n}" for n in range(60)]

CLUSTER = Snapshot.of(
    [],
    [
        {"metadata": {"name": "web", "namespace": "shop"}, "spec": {"clusterIP": "10.96.0.41"}},
        {"metadata": {"name": "many", "namespace": "shop"}, "spec": {"clusterIP": "None"}},
        {
            "metadata": {"name": "outside", "namespace": "shop"},
            "spec": {"type": "ExternalName", "externalName": "example.com"},
        },
    ],
    [
        {
            "metadata": {"name": "many-1", "namespace": "shop", "labels": {"kubernetes.io/service-name": "many"}},
            "addressType": "IPv4",
            "endpoints": [{"addresses": [ip]} for ip in MANY],
        }
    ],
)


class Elsewhere(Upstream):
    """Another name server that knows one address for every name, or does not answer."""

    def __init__(self, address: str | None = "93.184.216.34") -> None:
        super().__init__(["192.0.2.1"])
        self.address = address
        self.asked: list[str] = []

    async def ask(self, request: bytes, *, udp: bool) -> bytes:
        if self.address is None:
            raise NoAnswer
        question = DNSRecord.parse(request)
        self.asked.append(str(question.q.qname))
        reply = question.reply()
        reply.add_answer(RR(question.q.qname, QTYPE.A, rdata=A(self.address), ttl=60))
        return bytes(reply.pack())


class Known:
    """Names that are known without an API."""

    ready = True

    def __init__(self, snapshot: Snapshot | None) -> None:
        self.snapshot = lambda: snapshot


def server(
    snapshot: Snapshot | None = CLUSTER, upstream: Upstream | None = None, corefile: str = COREFILE
) -> NameServer:
    """A name server with this Corefile."""
    metrics = new_metrics()
    instance = Instance(corefile, "Corefile", Surroundings(metrics, client=not_asked))
    for plugin in instance.plugins:
        if isinstance(plugin, Kubernetes):
            plugin.names = Known(snapshot)
        if isinstance(plugin, Forward):
            for rule in plugin._rules:
                rule.upstream = upstream or rule.upstream
    return NameServer(instance.ask, metrics)


def not_asked():
    raise AssertionError("there is no API")


async def ask(names: NameServer, name: str, type_: str = "A", *, udp: bool = True, edns: int = 0) -> DNSRecord:
    request = DNSRecord.question(name, type_)
    if edns:
        request.add_ar(EDNS0(udp_len=edns))
    response = await names.respond(bytes(request.pack()), udp=udp, client=CLIENT)
    assert response is not None
    parsed = DNSRecord.parse(response)
    assert parsed.header.id == request.header.id and parsed.header.qr
    return parsed


def rcode(response: DNSRecord) -> str:
    return RCODE.get(response.header.rcode)


async def test_the_clusters_names_are_answered_with_authority():
    response = await ask(server(), "web.shop.svc.cluster.local")
    assert (rcode(response), response.header.aa, response.header.rd, response.header.ra) == ("NOERROR", 1, 1, 0)
    assert [(str(rr.rdata), rr.ttl) for rr in response.rr] == [("10.96.0.41", 30)]


async def test_a_denial_carries_the_soa():
    response = await ask(server(), "nosuch.shop.svc.cluster.local")
    assert rcode(response) == "NXDOMAIN" and QTYPE.get(response.auth[0].rtype) == "SOA"


async def test_before_the_first_lists_are_read_what_is_not_known_fails():
    assert rcode(await ask(server(snapshot=None), "web.shop.svc.cluster.local")) == "SERVFAIL"


async def test_other_names_are_passed_on():
    elsewhere = Elsewhere()
    response = await ask(server(upstream=elsewhere), "example.com")
    assert [str(rr.rdata) for rr in response.rr] == ["93.184.216.34"] and elsewhere.asked == ["example.com."]


async def test_other_names_are_refused_without_another_name_server_and_fail_when_it_does_not_answer():
    assert rcode(await ask(server(), "example.com")) == "REFUSED"
    assert rcode(await ask(server(upstream=Elsewhere(None)), "example.com")) == "SERVFAIL"


async def test_an_alias_to_the_outside_comes_with_what_is_found_there():
    response = await ask(server(upstream=Elsewhere()), "outside.shop.svc.cluster.local")
    assert [(QTYPE.get(rr.rtype), str(rr.rdata)) for rr in response.rr] == [
        ("CNAME", "example.com."), ("A", "93.184.216.34"),
    ]  # fmt: skip


async def test_too_much_for_a_datagram_is_cut_and_marked():
    short = await ask(server(), "many.shop.svc.cluster.local")
    longer = await ask(server(), "many.shop.svc.cluster.local", edns=4096)
    whole = await ask(server(), "many.shop.svc.cluster.local", udp=False)
    assert short.header.tc == 1 and len(short.pack()) <= 512 and short.rr
    assert longer.header.tc == 0 or len(longer.rr) > len(short.rr)
    assert whole.header.tc == 0 and sorted(str(rr.rdata) for rr in whole.rr) == sorted(MANY)


async def test_addresses_come_in_changing_order():
    responses = [await ask(server(), "many.shop.svc.cluster.local", udp=False) for _ in range(5)]
    assert len({tuple(str(rr.rdata) for rr in response.rr) for response in responses}) > 1


async def test_edns_is_answered_with_edns():
    assert [rr.rtype for rr in (await ask(server(), "web.shop.svc.cluster.local", edns=1232)).ar] == [QTYPE.OPT]


async def test_a_name_server_outside_that_is_silent_does_not_take_the_alias_away():
    response = await ask(server(upstream=Elsewhere(None)), "outside.shop.svc.cluster.local")
    assert rcode(response) == "NOERROR" and [str(rr.rdata) for rr in response.rr] == ["example.com."]


@pytest.mark.parametrize("data", [b"", b"\x00", bytes(DNSRecord(DNSHeader(qr=1)).pack())])
async def test_what_is_no_request_is_not_answered(data):
    assert await server().respond(data, udp=True, client=CLIENT) is None


QUESTION = bytes(DNSRecord.question("web.shop.svc.cluster.local").pack())


def pointers(number: int) -> bytes:
    """A request whose second additional record has a name of so many pointers, each to the one before."""
    start = len(QUESTION) + 11
    chain = b"\x00" + b"".join(struct.pack("!H", 0xC000 + start + max(2 * at - 1, 0)) for at in range(number))
    first = b"\x00" + struct.pack("!2HIH", 65280, 1, 0, len(chain)) + chain
    second = struct.pack("!H", 0xC000 + start + len(chain) - 2) + struct.pack("!2HIH", 65280, 1, 0, 0)
    return QUESTION[:10] + b"\x00\x02" + QUESTION[12:] + first + second


@pytest.mark.parametrize(
    "data",
    [
        QUESTION[:-1],
        QUESTION[:12],
        QUESTION[:4] + b"\x00\x02" + QUESTION[6:],
        QUESTION[:12] + b"\xc0\x0c" + QUESTION[-4:],
        pointers(4000),
    ],
    ids=["cut", "header only", "two questions", "a name that points to itself", "a name of many pointers"],
)
async def test_a_malformed_request_is_told_so_at_once(data):
    response = await server().respond(data, udp=True, client=CLIENT)
    parsed = DNSRecord.parse(response)
    assert (rcode(parsed), parsed.header.id, parsed.header.qr) == ("FORMERR", DNSRecord.parse(QUESTION).header.id, 1)


async def test_noise_is_survived():
    chance, names = random.Random(5), server()
    for _ in range(2000):
        data = bytearray(QUESTION)
        for _ in range(chance.randint(1, 4)):
            data[chance.randrange(len(data))] = chance.randrange(256)
        await names.respond(bytes(data[: chance.randint(0, 60)]), udp=True, client=CLIENT)
    assert rcode(await ask(names, "web.shop.svc.cluster.local")) == "NOERROR"


async def test_a_dot_within_a_label_does_not_part_it():
    request = DNSRecord.question("web.shop.svc.cluster.local")
    request.questions[0].qname = DNSLabel([b"web.shop", b"svc", b"cluster", b"local"])
    response = await server().respond(bytes(request.pack()), udp=True, client=CLIENT)
    assert rcode(DNSRecord.parse(response)) == "NXDOMAIN"


@pytest.mark.parametrize("type_", ["AXFR", "IXFR"])
async def test_the_zone_is_not_given_away_as_a_whole(type_):
    assert rcode(await ask(server(), "cluster.local", type_, udp=False)) == "REFUSED"


async def test_as_many_addresses_as_fit_are_in_a_datagram():
    response = await ask(server(), "many.shop.svc.cluster.local")
    one_more = DNSRecord.parse(response.pack())
    one_more.add_answer(RR("many.shop.svc.cluster.local", QTYPE.A, rdata=A("10.0.0.1"), ttl=30))
    assert len(response.pack()) <= 512 < len(one_more.pack())


async def test_a_newer_edns_is_not_understood():
    request = DNSRecord.question("web.shop.svc.cluster.local")
    request.add_ar(EDNS0(version=1))
    response = DNSRecord.parse(await server().respond(bytes(request.pack()), udp=True, client=CLIENT))
    (edns,) = response.ar
    assert (edns.edns_rcode << 4 | response.header.rcode, edns.edns_ver, response.rr) == (16, 0, [])


async def test_types_without_a_name_are_counted_together():
    names = server()
    for number in (65280, 65281):
        request = DNSRecord.question("web.shop.svc.cluster.local")
        request.questions[0].qtype = number
        assert await names.respond(bytes(request.pack()), udp=True, client=CLIENT)
    text = names._metrics.text()
    assert 'type="other"' in text and "65280" not in text


async def test_what_is_not_a_query_is_not_implemented():
    request = DNSRecord.question("web.shop.svc.cluster.local")
    request.header.opcode = 4
    response = await server().respond(bytes(request.pack()), udp=True, client=CLIENT)
    assert rcode(DNSRecord.parse(response)) == "NOTIMP"


@contextlib.asynccontextmanager
async def listening(names: NameServer, port: int = 0):
    """The server on a port of 127.0.0.1, the same for UDP and TCP."""
    streams = await asyncio.start_server(names.serve_connection, "127.0.0.1", port)
    port = streams.sockets[0].getsockname()[1]
    loop = asyncio.get_running_loop()
    transport, _ = await loop.create_datagram_endpoint(lambda: Datagrams(names), local_addr=("127.0.0.1", port))
    try:
        yield port
    finally:
        transport.close()
        streams.close()
        await streams.wait_closed()


async def test_one_name_server_passes_a_question_to_another_over_udp_and_tcp():
    async with listening(server()) as port:
        front = Upstream(["127.0.0.1"], port=port)
        request = bytes(DNSRecord.question("web.shop.svc.cluster.local").pack())
        for udp in (True, False):
            response = DNSRecord.parse(await front.ask(request, udp=udp))
            assert [str(rr.rdata) for rr in response.rr] == ["10.96.0.41"]


async def test_several_questions_go_over_one_tcp_connection():
    async with listening(server()) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        for name in ("web.shop.svc.cluster.local", "many.shop.svc.cluster.local"):
            request = bytes(DNSRecord.question(name).pack())
            writer.write(struct.pack("!H", len(request)) + request)
            (size,) = struct.unpack("!H", await reader.readexactly(2))
            assert rcode(DNSRecord.parse(await reader.readexactly(size))) == "NOERROR"
        writer.close()
        await writer.wait_closed()


REQUEST = bytes(DNSRecord.question("web.shop.svc.cluster.local").pack())


async def test_a_name_server_that_does_not_answer_is_passed_over():
    async with listening(server()) as port:
        upstream = Upstream(["127.0.0.2", "127.0.0.1"], port=port)
        assert DNSRecord.parse(await upstream.ask(REQUEST, udp=True)).header.qr
        with pytest.raises(NoAnswer):
            await Upstream(["127.0.0.2"], port=port).ask(REQUEST, udp=True)


async def test_a_name_server_that_answers_again_is_found_by_a_probe_in_the_background():
    async with listening(server()) as port:
        pass
    upstream = Upstream(["127.0.0.1"], port=port, rest=0)
    upstream.probe()
    await asyncio.gather(*upstream._probes.values())
    async with listening(server(), port):
        with pytest.raises(NoAnswer):
            await upstream.ask(REQUEST, udp=True)
        await asyncio.gather(*upstream._probes.values())
        assert DNSRecord.parse(await upstream.ask(REQUEST, udp=True)).header.qr


def test_name_servers_that_would_lead_back_are_left_out():
    given = ("127.0.0.53", "10.96.0.10", "10.244.0.5", "192.168.1.1", "bad")
    resolv_conf = "search x\n" + "".join(f"nameserver {ip}\n" for ip in given)
    assert name_servers(resolv_conf, own=["10.244.0.5"]) == ["192.168.1.1"]
