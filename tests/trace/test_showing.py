"""What a learner sees of a trace, and how long it takes."""

from __future__ import annotations

import json
import time

import pytest

from kubelab.trace import picture, trace


def test_a_trace_reads_the_same_every_time(fresh):
    first, second = (trace(fresh(), "client", "10.96.0.20", 80) for _ in range(2))
    assert repr(first) == repr(second) and first.text() == second.text()
    assert repr(first).splitlines() == [
        "tcp from default/client: 10.244.2.3:* → 10.96.0.20:80",
        "     chance  end        at             endpoint         seen as",
        "[0]  0.333   delivered  default/web-a  10.244.1.2:8080  10.244.2.3:*",
        "[1]  0.333   delivered  default/web-b  10.244.1.3:8080  10.244.2.3:*",
        "[2]  0.333   delivered  default/web-c  10.244.2.2:8080  10.244.2.3:*",
    ]


def test_one_outcome_is_a_table_of_hops(cluster):
    shown = repr(trace(cluster, "client", "10.96.0.23", 80))
    assert "filter KUBE-SERVICES" in shown and "reject icmp-port-unreachable" in shown
    assert shown.splitlines()[-1].startswith("Refused by rule ")


def test_the_long_form_has_the_rules_as_written(cluster):
    shown = trace(cluster, "client", "10.96.0.27", 80).text()
    assert "-m tcp -j DNAT --to-destination 10.244.1.4:8080" in shown
    assert "10.244.2.3:* → 10.96.0.27:80  becomes  10.244.2.3:* → 10.244.1.4:8080" in shown


def test_html_holds_no_unescaped_text(rules_on_worker):
    added = '-A FORWARD -p tcp -m comment --comment "<script>" -j DROP'
    cluster = rules_on_worker(lambda text: text.replace("-A FORWARD", f"{added}\n-A FORWARD", 1))
    shown = trace(cluster, "web-a", "10.96.0.27", 80)._repr_html_()
    assert "<script>" not in shown and "&lt;script&gt;" in shown and ">dropped at" in shown
    assert "<details>" in trace(cluster, "client", "10.96.0.20", 80)._repr_html_()


def test_a_trace_is_plain_values_for_a_widget(cluster):
    plain = json.loads(json.dumps(trace(cluster, "client", "10.96.0.20", 80).to_dict()))
    assert plain["outcomes"][0]["hops"][0]["place"] == "default/client"
    assert plain["outcomes"][0]["flows"][0]["place"] == "kubelab-worker2"


def seconds(work) -> float:
    """Of the processor, so that a busy machine does not count."""
    start = time.process_time()
    work()
    return time.process_time() - start


def test_a_lessons_cluster_takes_no_time(fresh):
    assert min(seconds(lambda: trace(fresh(), "client", "10.96.0.20", 80)) for _ in range(3)) < 0.05


@pytest.mark.parametrize("endpoints", [3, 300])
def test_ten_thousand_rules_take_less_than_a_second(endpoints):
    services = 10_000 // (2 + 3 * endpoints)
    text = big_rules(max(1, services), endpoints)
    assert text.count("\n-A ") >= 9_000
    cluster = picture(
        {"node": {"iptables": text, "routes": "default via 172.18.0.1 dev eth0", "addresses": "1: lo\n"}},
        {"default/client": ("10.244.0.9", "node")},
    )
    took = seconds(lambda: trace(cluster, "client", "10.96.0.1", 80))
    assert took < 1.0
    assert len(trace(cluster, "client", "10.96.0.1", 80)) == endpoints
    assert trace(cluster, "client", "10.96.0.1", 80, draw=1 - 1e-9).only().probability == 1.0


def big_rules(services: int, endpoints: int) -> str:
    chains, rules = [], ["-A PREROUTING -j KUBE-SERVICES"]
    for number in range(services):
        service = f"10.96.{number // 250}.{number % 250 + 1}"
        chains.append(f":SVC-{number} - [0:0]")
        ports = f'-p tcp -m comment --comment "n{number}" -m tcp --dport 80'
        rules.append(f"-A KUBE-SERVICES -d {service}/32 {ports} -j SVC-{number}")
        for at in range(endpoints):
            share = f" -m statistic --mode random --probability {1 / (endpoints - at):.11f}"
            chance = share if at < endpoints - 1 else ""
            pod = f"10.{number % 100 + 100}.{at // 250}.{at % 250 + 1}"
            chains.append(f":SEP-{number}-{at} - [0:0]")
            rules += [
                f"-A SVC-{number}{chance} -j SEP-{number}-{at}",
                f"-A SEP-{number}-{at} -s {pod}/32 -j MARK --set-xmark 0x4000/0x4000",
                f"-A SEP-{number}-{at} -p tcp -m tcp -j DNAT --to-destination {pod}:8080",
            ]
    lines = ["*nat", ":PREROUTING ACCEPT [0:0]", ":KUBE-SERVICES - [0:0]", *chains, *rules, "COMMIT", ""]
    return "\n".join(lines)
