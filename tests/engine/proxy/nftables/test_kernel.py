"""Transactions in the machine's kernel: it takes them, shows what they say, and packets go where they should."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from kubelab.engine.proxy.config import ProxyConfig
from kubelab.engine.proxy.endpoints import NodeView
from kubelab.engine.proxy.nftables import Listing, changes, compile_table, delete_chains, first_sync, sync
from kubelab.engine.proxy.state import ProxyState
from tests.engine.proxy.random_cluster import random_cluster

PLAIN_USER = ["setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups", "--inh-caps=-all"]


def in_a_namespace(script: str, folder: Path, *, plain_user: bool = False) -> str:
    """The output of a shell script in a fresh network namespace; its files are in ``folder``."""
    if not shutil.which("nft") or not shutil.which("unshare"):
        pytest.skip("nft or unshare is not installed")
    unshare = ["unshare", "-n"] if os.geteuid() == 0 else ["unshare", "-Urn"]
    if plain_user and os.geteuid() == 0:
        unshare = [*PLAIN_USER, "unshare", "-Urn"]
    argv = [*unshare, "sh", "-ec", script]
    done = subprocess.run(argv, cwd=folder, text=True, capture_output=True, timeout=50)
    if "unshare" in done.stderr or "setpriv" in done.stderr or "cache initialization failed" in done.stderr:
        pytest.skip(f"no network namespace or no nf_tables in it: {done.stderr.strip()}")
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Readable to every user."""
    for each in (tmp_path, *tmp_path.parents):
        if each.stat().st_uid == os.geteuid() and each != Path("/") and each != Path("/tmp"):
            each.chmod(0o755)
    return tmp_path


def random_table(seed: int):
    services, slices = random_cluster(seed, services=6)
    state = ProxyState.of(NodeView("kubelab-worker", ("172.18.0.3",), "a"), services, slices)
    return compile_table(state, ProxyConfig(cluster_cidr="10.244.0.0/16"), ["10.96.0.0/16"])


def objects(listed: str) -> dict[str, str]:
    """Chain, set or map → what ``nft list table`` shows of it; elements have no order."""
    found = re.findall(r"^\t(chain|set|map) (\S+) \{\n(.*?)^\t\}", listed, re.M | re.S)
    return {f"{kind} {name}": _sorted_elements(inside) for kind, name, inside in found}


def _sorted_elements(inside: str) -> str:
    """Comments apart: like upstream, a sync does not replace an element that differs in its comment only."""

    def ordered(match: re.Match[str]) -> str:
        return str(sorted(" ".join(each.split()) for each in re.sub(r' comment ".*?"', "", match[1]).split(",")))

    return re.sub(r"elements = \{(.*?) \}", ordered, inside, flags=re.S)


@pytest.mark.parametrize("plain_user", [False, True])
def test_the_kernel_holds_what_was_compiled(folder, plain_user):
    table = random_table(1)
    (folder / "first").write_text(first_sync(table).text)
    (folder / "again").write_text(sync(table, Listing.of(table)).text)
    script = "nft -f first; nft -j list table ip kube-proxy; nft -f again; nft -f first"
    listing = Listing.read(in_a_namespace(script, folder, plain_user=plain_user))
    assert listing == Listing.of(table)


@pytest.mark.parametrize("seed", [2, 3, 4])
def test_a_change_leads_to_the_same_table_as_a_first_sync(folder, seed):
    before, after = random_table(seed), random_table(seed + 100)
    change = changes(before, after)
    (folder / "before").write_text(first_sync(before).text)
    (folder / "change").write_text(change.text)
    (folder / "delete").write_text(delete_chains(4, change.stale))
    (folder / "after").write_text(first_sync(after).text)
    show = "nft list table ip kube-proxy"
    changed = in_a_namespace(f"nft -f before; nft -f change; nft -f delete; {show}", folder)
    fresh = in_a_namespace(f"nft -f after; {show}", folder)
    assert objects(changed) == objects(fresh)
    assert len(objects(fresh)) == len(after.chains) + len(after.containers)


def test_a_plain_user_loads_many_services_in_several_transactions(folder, make):
    services = [make.service(f"svc{n}", f"10.96.{n // 250}.{n % 250}") for n in range(500)]
    slices = [make.slice(f"svc{n}", *(f"10.180.{n % 250}.{m}" for m in range(1, 30))) for n in range(500)]
    table = compile_table(make.state(services, slices), ProxyConfig())
    pieces = first_sync(table).transactions()
    for number, text in enumerate(pieces):
        (folder / f"{number:03}").write_text(text)
    script = "for each in ???; do nft -f $each; done; nft -j list table ip kube-proxy"
    assert Listing.read(in_a_namespace(script, folder, plain_user=True)) == Listing.of(table)


def test_both_families_are_loaded_side_by_side(folder, dual_stack):
    table = dual_stack(sessionAffinity="ClientIP", type="NodePort", node_port=30080)
    (folder / "first").write_text(first_sync(table).text + first_sync(random_table(5)).text)
    listed = in_a_namespace("nft -f first; nft -j list table ip6 kube-proxy", folder)
    assert Listing.read(listed) == Listing.of(table)


def test_chains_show_what_learners_read(folder, one):
    (folder / "first").write_text(first_sync(one(sessionAffinity="ClientIP")).text)
    shown = objects(in_a_namespace("nft -f first; nft list table ip kube-proxy", folder))
    assert shown["chain masquerading"] == (
        "\t\tmeta mark & 0x00004000 != 0x00000000 meta mark set meta mark ^ 0x00004000 masquerade fully-random\n"
        "\t\tct status dnat ip saddr . ip daddr . meta l4proto . th dport @hairpin-connections"
        " masquerade fully-random\n"
    )
    affinity = shown["set affinity-5S6H3H22-testing/service/tcp/http__10.180.0.2/80"]
    assert "timeout 3h" in affinity and "size 65535" in affinity


NODE_AND_POD = """\
import concurrent.futures, socket, subprocess, sys

def run(*argv):
    subprocess.run(argv, check=True)

def ask(address):
    ip, _, port = address.rpartition(":")
    try:
        # A refusal that finds the socket still locked by connect() is lost; the next comes after a second.
        with socket.create_connection((ip, int(port)), timeout=2.5) as stream:
            return stream.recv(99).decode()
    except OSError as error:
        return type(error).__name__

def ask_all(place, addresses):
    with concurrent.futures.ThreadPoolExecutor(len(addresses)) as pool:
        for address, answer in zip(addresses, pool.map(ask, addresses)):
            print(place, address, answer, flush=True)

def serve():
    listener = socket.create_server(("10.244.1.2", 80))
    print("serving", flush=True)
    while True:
        stream, peer = listener.accept()
        stream.sendall(peer[0].encode())
        stream.close()

def node(addresses):
    run("ip", "link", "set", "lo", "up")
    pod = subprocess.Popen(["unshare", "-n", "sh", "-c", "echo; exec cat"], stdin=-1, stdout=-1)
    pod.stdout.readline()
    inside = ["nsenter", "-t", str(pod.pid), "-n"]
    run("ip", "link", "add", "veth", "type", "veth", "peer", "name", "eth0", "netns", str(pod.pid))
    run("ip", "address", "add", "172.18.0.3/32", "dev", "veth")
    run("ip", "link", "set", "veth", "up")
    run("ip", "route", "add", "10.244.1.2", "dev", "veth", "src", "172.18.0.3")
    run("ip", "link", "add", "uplink", "type", "veth", "peer", "name", "world")
    for each in ("uplink", "world"):
        run("ip", "link", "set", each, "up")
    run("ip", "route", "add", "default", "dev", "uplink", "src", "172.18.0.3")
    run("sysctl", "-qw", "net.ipv4.ip_forward=1", "net.ipv4.conf.veth.proxy_arp=1")
    for command in ("link set lo up", "address add 10.244.1.2/32 dev eth0", "link set eth0 up",
                    "route add 172.18.0.3 dev eth0", "route add default via 172.18.0.3"):
        run(*inside, "ip", *command.split())
    run("nft", "-f", "first")
    server = subprocess.Popen([*inside, sys.executable, __file__, "serve"], stdout=-1)
    server.stdout.readline()
    try:
        asking = subprocess.Popen([*inside, sys.executable, __file__, "pod", *addresses])
        ask_all("node", addresses)
        asking.wait(20)
    finally:
        server.kill()
        pod.kill()

if sys.argv[1] == "serve":
    serve()
elif sys.argv[1] == "pod":
    ask_all("pod", sys.argv[2:])
else:
    node(sys.argv[2:])
"""


def test_packets_go_where_the_table_says(folder, make):
    """From a node and from its pod, which is the only endpoint; each answer is whom the pod saw."""
    services = [
        make.service("web", "10.96.0.1", type="NodePort", node_port=30080, externalIPs=["192.168.9.9"]),
        make.service("none", "10.96.0.2"),
        make.service("away", "10.96.0.3", internalTrafficPolicy="Local"),
        make.service("affine", "10.96.0.4", sessionAffinity="ClientIP"),
    ]
    here = make.endpoint("10.244.1.2", node=make.node)
    slices = [make.slice("web", here), make.slice("affine", here), make.slice("away", "10.244.2.9")]
    state = ProxyState.of(NodeView(make.node, ("172.18.0.3",)), services, slices)
    table = compile_table(state, ProxyConfig(cluster_cidr="10.244.0.0/16"), ["10.96.0.0/16"])
    (folder / "first").write_text(first_sync(table).text)
    (folder / "node.py").write_text(NODE_AND_POD)
    to_the_pod = dict.fromkeys(("10.96.0.1:80", "192.168.9.9:80", "172.18.0.3:30080", "10.96.0.4:80"), "172.18.0.3")
    refused = dict.fromkeys(("10.96.0.1:81", "10.96.0.2:80", "127.0.0.1:30080"), "ConnectionRefusedError")
    dropped = dict.fromkeys(("10.96.0.3:80", "10.96.7.7:80"), "TimeoutError")
    expected = to_the_pod | refused | dropped
    answers = in_a_namespace(f"{sys.executable} node.py node {' '.join(expected)}", folder)
    seen = {tuple(line.split()[:2]): line.split()[2] for line in answers.splitlines()}
    assert seen == {(place, address): answer for place in ("node", "pod") for address, answer in expected.items()}
