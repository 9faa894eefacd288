"""kube-proxy's mode ipvs on a node that has IPVS: virtual servers, sets, and the rules around them."""

from __future__ import annotations

import pytest

from kubelab.trace import picture, trace
from kubelab.trace.ipsets import CannotLookUp, IpSet, read_ipsets
from kubelab.trace.ipvs import read_ipvs

WEB = {"10.244.1.2:8080", "10.244.1.3:8080", "10.244.2.2:8080"}


@pytest.fixture
def ipvs(texts_of):
    """Makes the cluster in mode ipvs: ``ipvs(worker2={"ipvs": …})`` changes texts of a node."""

    def make(**changed):
        texts, pods = texts_of("ipvs")
        for node, own in changed.items():
            texts[f"kubelab-{node}"] |= own
        return picture(texts, pods)

    return make


def ends(found) -> dict[str, str]:
    return {outcome.endpoint: outcome.received.source for outcome in found}


def test_a_virtual_address_is_taken_in_balanced_and_sent_on(ipvs):
    found = trace(ipvs(), "client", "10.96.0.20", 80)
    assert ends(found) == dict.fromkeys(WEB, "10.244.2.3") and found.certain and not found.notes
    assert [outcome.probability for outcome in found] == pytest.approx([1 / 3] * 3)
    far = next(outcome for outcome in found if outcome.place == "default/web-a")
    on_client = [hop for hop in far.hops if hop.place == "kubelab-worker2"]
    hooks = list(dict.fromkeys(hop.hook for hop in on_client if hop.hook))
    assert hooks == ["PREROUTING", "INPUT", "OUTPUT", "POSTROUTING"]
    balanced = next(hop for hop in on_client if hop.kind == "ipvs")
    assert balanced.rule == "-a -t 10.96.0.20:80 -r 10.244.1.2:8080 -m -w 1"
    assert (balanced.hook, balanced.did) == ("INPUT", "dnat 10.244.1.2:8080")
    assert "FORWARD" not in hooks


def test_an_answer_is_translated_back_on_the_clients_node(ipvs):
    for outcome in trace(ipvs(), "client", "10.96.0.20", 80):
        back = outcome.reply().only()
        assert back.kind == "delivered"
        undone = [(hop.place, hop.kind, hop.hook) for hop in back.hops if hop.did.startswith("un-dnat")]
        assert undone == [("kubelab-worker2", "ipvs", "FORWARD")]


@pytest.mark.parametrize(
    ("source", "to", "seen"),
    [
        ("outside", "172.18.0.3:30080", {"10.244.1.1", "172.18.0.3"}),  # masqueraded: NodePort
        ("worker", "10.96.0.20:80", {"10.244.1.1", "172.18.0.3"}),
        ("single", "10.96.0.27:80", {"10.244.1.1"}),  # itself: KUBE-LOOP-BACK
        ("client", "10.96.0.1:443", {"10.244.2.3"}),
        ("outside", "172.18.0.3:30081", {"172.18.0.1"}),  # externalTrafficPolicy: Local
    ],
)
def test_whom_the_server_sees(ipvs, source, to, seen):
    found = trace(ipvs(), source, to)
    assert {outcome.received.source for outcome in found} == seen
    assert {outcome.kind for outcome in found} == {"delivered"} and found.certain
    assert {outcome.reply().only().kind for outcome in found} == {"delivered"}


def test_a_virtual_server_without_real_servers_refuses(ipvs):
    for source, to in (("client", "10.96.0.23:80"), ("outside", "172.18.0.3:30083")):
        found = trace(ipvs(), source, to).only()
        assert found.kind == "rejected" and "has no real server (-A -t " in found.reason


def test_another_port_of_a_virtual_address_is_refused_by_the_filter(ipvs):
    found = trace(ipvs(), "client", "10.96.0.20", 81).only()
    assert found.kind == "rejected" and "KUBE-IPVS-FILTER" in found.reason


def test_an_external_ip_is_judged_without_doubt_where_there_is_no_bridge(ipvs):
    assert trace(ipvs(), "outside", "172.18.254.7", 80, via="worker").certain
    short = ipvs(worker={"addresses": "2: eth0    inet 172.18.0.3/16 scope global eth0\n3: kube-ipvs0    inet "
                                      "172.18.254.7/32 scope global kube-ipvs0\n"})  # fmt: skip
    doubted = trace(short, "outside", "172.18.254.7", 80, via="worker")
    assert "by which port of a bridge" in doubted[0].assumptions[0]


def test_persistence_keeps_a_client_and_says_when_it_does_not_know(ipvs):
    found = trace(ipvs(), "client", "10.96.0.22", 80)
    assert set(ends(found)) == WEB and "of IPVS (-A -t 10.96.0.22:80 -s rr -p 10800)" in found.notes[0]
    assert trace(ipvs(), "client", "10.96.0.22", 80, remembered="10.244.1.3:8080").only().place == "default/web-b"


def test_weights_and_schedulers(ipvs, listing):
    def web(scheduler: str, *weights: int):
        text = listing("worker2.ipvs").replace("-A -t 10.96.0.20:80 -s rr", f"-A -t 10.96.0.20:80 -s {scheduler}")
        for address, weight in zip(("1.2", "1.3", "2.2"), weights, strict=True):
            real = f"-a -t 10.96.0.20:80 -r 10.244.{address}:8080 -m -w"
            text = text.replace(f"{real} 1", f"{real} {weight}")
        return trace(ipvs(worker2={"ipvs": text}), "client", "10.96.0.20", 80)

    assert [outcome.probability for outcome in web("rr", 5, 0, 1)] == [0.5, 0.5]
    assert [outcome.probability for outcome in web("wrr", 5, 0, 1)] == pytest.approx([5 / 6, 1 / 6])
    by_load = web("lc", 1, 1, 1)
    assert not by_load.certain and "the scheduler 'lc' goes by what is not in the texts" in by_load[0].assumptions[0]


def test_a_draw_picks_one(ipvs):
    assert trace(ipvs(), "client", "10.96.0.20", 80, draw=0.99).only().place == "default/web-c"


def test_a_known_connection_stays_with_its_real_server(ipvs):
    entry = ("tcp 6 86399 ESTABLISHED src=10.244.2.3 dst=10.96.0.20 sport=4000 dport=80 "
             "src=10.244.1.3 dst=10.244.2.3 sport=8080 dport=4000 [ASSURED] mark=0 use=1")  # fmt: skip
    found = trace(ipvs(), "client", "10.96.0.20", 80, connection=entry).only()
    assert found.place == "default/web-b"
    assert [hop.hook for hop in found.hops if hop.did.startswith("dnat")] == ["INPUT"]


LISTED = """IP Virtual Server version 1.2.1 (size=4096)
Prot LocalAddress:Port Scheduler Flags
  -> RemoteAddress:Port           Forward Weight ActiveConn InActConn
TCP  10.96.0.22:80 rr persistent 10800
  -> 10.244.1.2:8080              Masq    1      0          0
  -> 10.244.2.2:8080              Masq    1      0          0
FWM  7 rr
  -> 10.9.9.9:0                   Route   1      0          0
UDP  10.96.0.10:53 rr
"""
PROC = LISTED.replace("10.96.0.22:80", "0A600016:0050").replace("10.244.1.2:8080", "0AF40102:1F90")
SAVED = """-A -t 10.96.0.22:80 -s rr -p 10800
-a -t 10.96.0.22:80 -r 10.244.1.2:8080 -m -w 1
-a -t 10.96.0.22:80 -r 10.244.2.2:8080 -m -w 1
-A -f 7 -s rr
-a -f 7 -r 10.9.9.9:0 -g -w 1
-A -u 10.96.0.10:53 -s rr
"""


@pytest.mark.parametrize("text", [LISTED, PROC, SAVED])
def test_the_three_forms_say_the_same(text):
    found = read_ipvs(text)
    assert [server.text for server in found.servers.values()] == [
        "-A -t 10.96.0.22:80 -s rr -p 10800",
        "-A -u 10.96.0.10:53 -s rr",
    ]
    assert [str(real) for real in found.servers["tcp", "10.96.0.22", 80].real_servers] == [
        "10.244.1.2:8080",
        "10.244.2.2:8080",
    ]
    assert found.notes == ["the virtual server for firewall mark 7 is left out"]


LIST = """Name: A
Type: hash:ip,port
Revision: 5
Header: family inet hashsize 1024 maxelem 65536
Size in memory: 256
References: 1
Number of entries: 1
Members:
10.96.0.1,tcp:443
"""


def test_sets_as_listed_and_as_saved():
    saved = read_ipsets("create A hash:ip,port family inet hashsize 1024\nadd A 10.96.0.1,tcp:443\n")
    assert saved == read_ipsets(LIST)


@pytest.mark.parametrize(
    ("kind", "entries", "ends", "holds"),
    [
        ("hash:ip,port", ["10.96.0.1,tcp:443"], [("10.96.0.1", 443)] * 2, True),
        ("hash:ip,port", ["10.96.0.1,udp:443"], [("10.96.0.1", 443)] * 2, False),
        ("hash:ip,port,net", ["10.0.0.1,tcp:80,172.18.0.0/16"], [("10.0.0.1", 80)] * 2 + [("172.18.0.9", 0)], True),
        ("hash:net", ["10.0.0.0/8", "10.1.0.0/16 nomatch"], [("10.1.2.3", 0)], False),
        ("hash:ip", ["10.0.0.0/30"], [("10.0.0.2", 0)], True),
        ("bitmap:port", ["30080", "30090-30099"], [("10.0.0.1", 30095)], True),
    ],
)
def test_what_a_set_holds(kind, entries, ends, holds):
    assert IpSet("A", kind, entries).holds(ends, "tcp") is holds


@pytest.mark.parametrize(("kind", "count"), [("list:set", 1), ("hash:mac", 1), ("hash:ip,port", 1)])
def test_what_a_set_may_hold_is_not_guessed(kind, count):
    with pytest.raises(CannotLookUp):
        IpSet("A", kind, ["x"]).holds([("10.0.0.1", 1)] * count, "tcp")
