"""What is computed from the texts, and what real connections do on the same cluster."""

from __future__ import annotations

import json
import re
import shutil
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from kubelab.clusters.base import Node
from kubelab.clusters.embedded import EmbeddedCluster, EmbeddedNode
from kubelab.lab import Lab
from kubelab.lab.api import KubeconfigApi
from kubelab.trace import picture, trace

pytestmark = [pytest.mark.engine, pytest.mark.timeout(150)]

HERE = Path(__file__).parent
TOOLS = {
    "iptables": ["iptables-save"],
    "routes": ["ip", "route"],
    "addresses": ["ip", "addr"],
    "conntrack": ["conntrack", "-L"],
}

QUESTIONS = {
    "client": [
        "tcp 10.96.0.20:80", "udp 10.96.0.21:81", "tcp 10.96.0.23:80", "tcp 10.96.0.20:81", "tcp 10.96.0.24:80",
        "tcp 172.18.0.4:30081", "tcp 172.18.0.3:30080", "tcp 10.96.0.26:80", "tcp 10.96.0.27:80",
        "tcp 172.18.254.7:80", "tcp 172.18.0.3:31999", "udp 172.18.0.3:30080",
    ],
    "single": ["tcp 10.96.0.27:80", "tcp 10.96.0.26:80", "tcp 172.18.0.3:30081", "tcp 10.96.0.20:80"],
    "kubelab-worker": [
        "tcp 10.96.0.20:80", "tcp 127.0.0.1:30080", "tcp 172.18.0.3:30081", "tcp 10.96.0.23:80", "tcp 10.96.0.26:80",
        "udp 10.96.0.21:81",
    ],
    "outside": [
        "tcp 172.18.0.3:30080", "tcp 172.18.0.2:30080", "tcp 172.18.0.3:30081", "tcp 172.18.0.4:30081",
        "tcp 172.18.0.3:30083", "tcp 172.18.0.3:31999",
    ],
}  # fmt: skip


@pytest.fixture(scope="module")
def lab(tmp_path_factory):
    """A cluster of our own with every kind of Service, its rules loaded."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("KUBELAB_HOME", str(tmp_path_factory.mktemp("home")))
        cluster = EmbeddedCluster("kubelab")  # its nodes are named after it, as those in the manifests
        try:
            cluster.up()
            if cluster.facts()["tier"] == "interposed":
                pytest.skip("no network namespaces here: `ip` and `conntrack` have nothing to say of such nodes")
            lab = Lab(cluster, KubeconfigApi(cluster.kubeconfig), "default")
            lab.apply(HERE / "texts" / "services.yaml")
            for pod in ("web-a", "web-b", "web-c", "single", "client"):
                lab.wait(f"pod/{pod}", "Ready")
            wait_for_rules(cluster)
            yield lab
        finally:
            cluster.down()


WAIT_FOR_ENDPOINTS = """
for try in $(seq 100); do
    there=$(iptables-save -t nat | grep -c -- '-j DNAT --to-destination 10.244.[12]')
    [ "$there" -ge "$0" ] && exit 0
    sleep 0.1
done
echo "only $there endpoints of $0"; exit 1
"""


def wait_for_rules(cluster) -> None:
    """kube-proxy has loaded what it knows when every Service's endpoints stand in every node's rules."""
    for node in cluster.nodes():
        there = 18 if node.name == "kubelab-worker" else 17  # where single is, it is there for internal traffic too
        done = node.run(["sh", "-c", WAIT_FOR_ENDPOINTS, str(there)])
        assert done.code == 0, f"{node.name}: {done.stdout}{done.stderr}"


@pytest.fixture(scope="module")
def cluster(lab):
    texts = {each.name: {name: each.run(argv).stdout for name, argv in TOOLS.items()} for each in lab.cluster.places()}
    pods = {
        f"default/{name}": (lab.get(f"pod/{name}")["status"]["podIP"], lab.get(f"pod/{name}")["spec"]["nodeName"])
        for name in ("web-a", "web-b", "web-c", "single", "client")
    }
    return picture(texts, pods)


def connect(lab, source: str, questions: list) -> list:
    """What a client at the source is answered; see ``live_client.py``."""
    code = (HERE / "live_client.py").read_text()
    argv = [sys.executable, "-IS", "-c", code]
    done = place(lab, source).run(argv, stdin=json.dumps(questions) + "\n", timeout_seconds=60)
    assert done.code == 0, done.stderr
    return json.loads(done.stdout)


def place(lab, name: str) -> Node:
    """A node, the outside, or a pod's network."""
    found = {each.name: each for each in lab.cluster.places()}
    if name in found:
        return found[name]
    return EmbeddedNode(lab.cluster.state, name, f"pod/{lab.get(f'pod/{name}')['metadata']['uid']}")


def computed(found) -> set[tuple[str, str] | str]:
    """What a client meets by the trace's account."""
    meets: set[tuple[str, str] | str] = set()
    for outcome in found:
        if outcome.kind == "delivered":
            meets.add((outcome.place.removeprefix("default/"), outcome.received.source))
            assert outcome.reply().only().kind == "delivered"
        elif outcome.kind == "rejected" or (outcome.place == found.outcomes[0].place and "itself" in outcome.reason):
            meets.add("refused")
        else:
            meets.add("silent")
    return meets


@pytest.mark.parametrize("source", QUESTIONS)
def test_real_connections_end_where_the_trace_says(lab, cluster, source):
    expected = {}
    for question in QUESTIONS[source]:
        protocol, to = question.split()
        found = trace(cluster, source, to, protocol=protocol)
        assert found.certain and not found.notes, found
        expected[question] = computed(found)
    asked = [[*question.split()[:1], *_end(question), len(expected[question])] for question in QUESTIONS[source]]
    met = {
        question: {answer if isinstance(answer, str) else tuple(answer) for answer in answers}
        for question, answers in zip(QUESTIONS[source], connect(lab, source, asked), strict=True)
    }
    assert met == expected


def _end(question: str) -> tuple[str, int]:
    address, _, port = question.split()[1].rpartition(":")
    return address, int(port)


def test_a_remembered_client_meets_one_endpoint_again_and_again(lab, cluster):
    possible = computed(trace(cluster, "client", "10.96.0.22", 80))
    assert len(possible) == 3
    ((answer,),) = connect(lab, "client", [["tcp", "10.96.0.22", 80, 3]])
    assert tuple(answer) in possible
    address = lab.get(f"pod/{answer[0]}")["status"]["podIP"]
    again = trace(cluster, "client", "10.96.0.22", 80, remembered=f"{address}:8080").only()
    assert again.place == f"default/{answer[0]}"


WATCH = """
rule="PREROUTING -p tcp -s $1 -d $2 --dport $3 --syn -j TRACE"
iptables -t raw -I $rule
iptables-save
timeout 15 nft monitor trace > "$0" &
for try in $(seq 100); do grep -q 'ip filter' "$0" && break; sleep 0.1; done
sleep 0.3  # the rest of that packet
iptables -t raw -D $rule
kill %1
"""


@pytest.mark.skipif(not shutil.which("nft"), reason="the kernel's own trace is read with nft, which is not installed")
@pytest.mark.parametrize("to", ["10.96.0.27:80", "172.18.0.4:30081", "10.96.0.23:80", "10.96.0.26:80", "10.96.0.20:81"])
def test_the_kernel_asks_the_rules_that_the_trace_says(lab, cluster, tmp_path, to):
    """The hops on the client's node, one by one, against ``nft monitor trace``."""
    address, _, port = to.rpartition(":")
    seen = tmp_path / "trace"
    node, client = place(lab, "kubelab-worker2"), cluster.pods["default/client"]
    argv = ["sh", "-c", WATCH, str(seen), client.address, address, port]
    with ThreadPoolExecutor(1) as pool:
        watching = pool.submit(node.run, argv, timeout_seconds=30)
        while not watching.done():
            connect(lab, "client", [["tcp", address, int(port), 1]])
    text = watching.result().stdout
    if "*raw" not in text or not seen.stat().st_size:
        pytest.skip(f"this kernel traces no packets in a namespace: {watching.result().stderr}")
    texts = {each.name: {**each.texts, **({"iptables": text} if each.name == "kubelab-worker2" else {})}
             for each in cluster.places.values()}  # fmt: skip
    pods = {pod.name: (pod.address, pod.node) for pod in cluster.pods.values()}
    outcome = trace(picture(texts, pods), "client", to).only()
    computed = [f"{hop.table} {hop.chain}" for hop in outcome.rules if hop.place == "kubelab-worker2"]
    assert asked_by_the_kernel(seen.read_text()) == computed


def asked_by_the_kernel(text: str) -> list[str]:
    """Table and chain of every rule and policy that the first packet met."""
    first, found = "", []
    for line in text.splitlines():
        event = re.match(r"trace id (\S+) ip (\S+ \S+) (?:rule|policy) ", line)
        if event:
            first = first or event[1]
            if event[1] == first:
                found.append(event[2])
    return found
