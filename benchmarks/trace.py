"""How long it takes to say which way a packet goes: computed from a lesson's cluster, from 10,000 rules, and observed.

``python -m benchmarks trace``; ``KUBELAB_TIER=user`` for a plain user's network.
"""

from __future__ import annotations

import os
import statistics
import time
from collections.abc import Callable, Iterator

import kubelab
from benchmarks.manifests import CLIENT, web
from benchmarks.measure import Measure
from kubelab.clusters.embedded import EmbeddedCluster
from kubelab.lab import Lab
from kubelab.trace import picture, trace

NAME = "bench-trace"
RUNS = 9
"""The median counts."""
RULES = 10_000
ENDPOINTS = 3


def milliseconds(work: Callable[[], object]) -> float:
    taken = []
    for _ in range(RUNS):
        begin = time.perf_counter()
        work()
        taken.append(time.perf_counter() - begin)
    return 1000 * statistics.median(taken)


def in_a_lesson(lab: Lab) -> Iterator[Measure]:
    """A Service of nine pods on three nodes."""
    seen = [lab.survey() for _ in range(RUNS)]
    mode = lab.proxy_mode
    yield Measure(
        f"{mode}: a trace, texts at hand but not read",
        milliseconds(lambda: lab.trace("client", "web", at=seen.pop())),
        "ms",
        50,
    )
    again = lab.survey()
    yield Measure(f"{mode}: once more", milliseconds(lambda: lab.trace("client", "web", at=again)), "ms", 50)
    yield Measure(f"{mode}: a trace with all texts fetched", milliseconds(lambda: lab.trace("client", "web")), "ms")
    yield Measure(f"{mode}: a real packet followed", milliseconds(lambda: lab.follow("client", "web")), "ms")


def iptables_text() -> str:
    """About ``RULES`` rules as kube-proxy writes them."""
    chains, rules = [], ["-A PREROUTING -j KUBE-SERVICES"]
    for number in range(RULES // (2 + 3 * ENDPOINTS)):
        address = f"10.96.{number // 250}.{number % 250 + 1}"
        chains.append(f":SVC-{number} - [0:0]")
        rules.append(f"-A KUBE-SERVICES -d {address}/32 -p tcp -m tcp --dport 80 -j SVC-{number}")
        rules.append(f"-A SVC-{number} ! -s 10.244.0.0/16 -d {address}/32 -p tcp -m tcp --dport 80 -j KUBE-MARK-MASQ")
        for at in range(ENDPOINTS):
            pod, left = f"10.244.{number % 250}.{at + 1}", ENDPOINTS - at
            chance = f" -m statistic --mode random --probability {1 / left:.11f}" if left > 1 else ""
            chains.append(f":SEP-{number}-{at} - [0:0]")
            rules.append(f"-A SVC-{number}{chance} -j SEP-{number}-{at}")
            rules.append(f"-A SEP-{number}-{at} -s {pod}/32 -j KUBE-MARK-MASQ")
            rules.append(f"-A SEP-{number}-{at} -p tcp -m tcp -j DNAT --to-destination {pod}:8080")
    heads = ["*nat", ":PREROUTING ACCEPT [0:0]", ":KUBE-SERVICES - [0:0]", ":KUBE-MARK-MASQ - [0:0]"]
    return "\n".join([*heads, *chains, *rules, "COMMIT", ""])


def nft_text() -> str:
    """A table of kube-proxy's with as many chains, elements and rules."""
    elements, chains = [], []
    for number in range(RULES // 2):
        address = f"10.96.{number // 250}.{number % 250 + 1}"
        elements.append(f"{address} . tcp . 80 : goto service-{number}")
        pods = ", ".join(f"{at} : 10.244.{number % 250}.{at + 1} . 8080" for at in range(ENDPOINTS))
        rule = f"meta l4proto tcp dnat ip to numgen random mod {ENDPOINTS} map {{ {pods} }}"
        chains.append(f"\tchain service-{number} {{\n\t\t{rule}\n\t}}\n")
    keys = "type ipv4_addr . inet_proto . inet_service : verdict"
    found = f"\tmap service-ips {{\n\t\t{keys}\n\t\telements = {{ " + ",\n\t\t\t".join(elements) + " }\n\t}\n"
    base = "\tchain nat-prerouting {\n\t\ttype nat hook prerouting priority dstnat; policy accept;\n"
    look_up = "\t\tip daddr . meta l4proto . th dport vmap @service-ips\n\t}\n"
    return "table ip kube-proxy {\n" + found + "".join(chains) + base + look_up + "}\n"


def of_many_rules() -> Iterator[Measure]:
    """From text to all outcomes, for the last Service there is."""
    for kind, text in (("iptables", iptables_text()), ("nft", nft_text())):
        texts = {kind: text, "routes": "default via 172.18.0.1 dev eth0", "addresses": "2: eth0: <UP> mtu 1500\n"}
        last = text[: text.rindex("10.96.") + 20].rpartition("10.96.")[2].split("/")[0].split(" ")[0]

        def ask(texts: dict[str, str] = texts, address: str = f"10.96.{last}") -> None:
            found = trace(picture({"node": texts}, {"default/client": ("10.244.0.9", "node")}), "client", address, 80)
            if len(found) != ENDPOINTS:
                raise SystemExit(f"The trace of many rules found {len(found)} outcomes.")

        yield Measure(f"{kind}: {RULES:,} rules, read and walked", milliseconds(ask) / 1000, "s", 1)


def main() -> None:
    """Print a line for each measure as it comes."""
    for measure in of_many_rules():
        print(measure, flush=True)
    os.environ["KUBELAB_NAME"] = NAME
    cluster = EmbeddedCluster(NAME)
    try:
        cluster.up()
        lab = kubelab.connect(NAME)
        lab.apply(CLIENT)
        lab.apply(web(9))
        lab.wait("deployment/web")
        for mode in ("iptables", "nftables", "ipvs"):
            if lab.proxy_mode != mode:
                lab.switch_proxy_mode(mode)
            lab.wait("service/web", "answers")
            for measure in in_a_lesson(lab):
                print(measure, flush=True)
    finally:
        cluster.down()
