"""What the machine's nft lists of a script, and what is listed here: to the byte, in words and as JSON."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from kubelab.engine.proxy.config import ProxyConfig
from kubelab.engine.proxy.endpoints import NodeView
from kubelab.engine.proxy.nftables import compile_table, first_sync
from kubelab.engine.proxy.state import ProxyState
from kubelab.rules import Packet, Ruleset, walk
from kubelab.rules.nft.listing import as_json, whole, words
from kubelab.rules.nft.ruleset import NftRuleset
from tests.engine.proxy.random_cluster import random_cluster

FORMS = """\
add table ip t
add set ip t a { type ipv4_addr ; }
add element ip t a { 172.18.0.1, 10.96.0.20, 10.97.0.1, 192.168.9.9 }
add set ip t i { type ipv4_addr ; flags interval; }
add element ip t i { 172.18.0.0/16, 10.96.0.20, 10.97.0.0/24 }
add set ip t p { type inet_service ; comment "ports" ; }
add element ip t p { 80, 8080, 443, 30080, 9, 10, 11 }
add map ip t np { type inet_proto . inet_service : verdict ; }
add element ip t np { tcp . 30080 : accept, udp . 53 : drop, tcp . 80 comment "x" : drop, tcp . 256 : drop }
add map ip t v { type ipv4_addr . inet_proto . inet_service : verdict ; }
add element ip t v { 172.18.255.1 . tcp . 80 : drop, 10.96.0.20 . tcp . 80 : drop, 172.18.0.3 . tcp . 30080 : drop }
add set ip t to { type ipv4_addr ; flags dynamic,timeout; timeout 10800s; }
add chain ip t c { comment "words" ; }
add rule ip t c jhash ip saddr . tcp sport mod 3 vmap { 0 : accept, 1 : drop, 2 : continue }
add rule ip t c jhash ip saddr mod 3 seed 0xdeadbeef offset 4 vmap { 4 : accept }
add rule ip t c numgen inc mod 3 offset 1 vmap { 1 : accept, 2 : drop }
add rule ip t c tcp dport { 80, 443 } counter accept
add rule ip t c tcp dport 8000-9000 log prefix "hello " level info accept
add rule ip t c meta l4proto tcp iifname "eth0" oifname != "lo" ct original ip daddr 1.2.3.4 accept
add rule ip t c meta l4proto udp th sport 53 reject with icmp type host-prohibited
add rule ip t c ct state related,established accept
add rule ip t c mark and 0x4000 == 0 return
add rule ip t c fib daddr type local mark set mark or 0x4000 comment "a b"
add rule ip t c ip saddr != { 10.0.0.0/8 , 1.2.3.4 } drop
add rule ip t c ip daddr { 10.96.0.0/16,10.97.0.0/16 } drop
add rule ip t c ip daddr { 10.96.0.0/16 } drop
add rule ip t c update @to { ip saddr }
add chain ip t n { type nat hook postrouting priority 90 ; policy drop ; }
add chain ip t o { type nat hook output priority -100 ; }
add rule ip t n meta l4proto tcp snat to 1.1.1.1-1.1.1.5:100-200 persistent
add rule ip t n mark and 0x4000 != 0 mark set mark xor 0x4000 masquerade fully-random
add rule ip t o meta l4proto tcp dnat ip addr . port to numgen random mod 2 map { 0 : 10.0.0.2 . 8 , 1 : 10.0.0.3 . 8 }
"""


def kernel(script: str, folder: Path, *, after: str = "") -> str:
    """What the machine's nft makes of a script: its listings, one after the other."""
    if not shutil.which("nft") or not shutil.which("unshare"):
        pytest.skip("nft or unshare is not installed")
    (folder / "script").write_text(script)
    unshare = ["unshare", "-n"] if os.geteuid() == 0 else ["unshare", "-Urn"]
    commands = f"nft -f script; {after} nft -a list ruleset; nft -j list ruleset"
    done = subprocess.run([*unshare, "sh", "-ec", commands], cwd=folder, text=True, capture_output=True, timeout=50)
    if "unshare" in done.stderr or "cache initialization failed" in done.stderr or "not supported" in done.stderr:
        pytest.skip(f"no network namespace, or its nf_tables lack something: {done.stderr.strip()}")
    assert done.returncode == 0, done.stderr
    if '"version": "1.0.6"' not in done.stdout:
        pytest.skip("the words are those of nft 1.0.6; this machine has another")
    return done.stdout


def kube_proxys(seed: int) -> str:
    services, slices = random_cluster(seed, services=8)
    state = ProxyState.of(NodeView("kubelab-worker", ("172.18.0.3",), "a"), services, slices)
    return first_sync(compile_table(state, ProxyConfig(cluster_cidr="10.244.0.0/16"), ["10.96.0.0/16"])).text


def without_handles(text: str) -> str:
    """Handles of a table that was made anew inside the script count on in the kernel's own way."""
    return re.sub(r" # handle \d+", "", text)


@pytest.mark.parametrize(
    "script", [FORMS, kube_proxys(1), kube_proxys(2), kube_proxys(3)], ids=["forms", "1", "2", "3"]
)
def test_listings_are_nfts_to_the_byte(tmp_path, script):
    said = kernel(script, tmp_path)
    theirs, _, as_theirs = said.rpartition('{"nftables"')
    rules = NftRuleset()
    rules.run(script)
    tables = [whole(table) for table in rules.tables.values()]
    ours = "".join(words(each, handles=True) for each in tables)
    assert without_handles(ours) == without_handles(theirs)
    if script is FORMS:
        assert ours == theirs
        assert json.loads(as_json(tables)) == json.loads('{"nftables"' + as_theirs)


BALANCED = """\
add table ip t
add chain ip t out { type filter hook output priority 0 ; }
add rule ip t out udp dport 7-9 jhash ip daddr . udp dport mod 4 seed 0x1234 vmap { 0 : goto a , 1 : goto b , 2 : drop }
add rule ip t out udp dport 7 jhash ip daddr mod 3 seed 0x99 vmap { 0 : goto a }
"""
CHAINS = "".join(f"add chain ip t {name}\nadd rule ip t {name} counter packets 0 bytes 0 drop\n" for name in "ab")
SEND = """
import socket
with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
    for last in range(1, 40):
        for port in (7, 8, 9):
            try: sock.sendto(b"x", ("127.0.0.%d" % last, port))
            except PermissionError: pass
"""


def test_hashes_fall_where_the_kernel_lets_them_fall(tmp_path):
    head, rest = BALANCED.split("\n", 1)
    script = f"{head}\n{CHAINS}{rest}"
    (tmp_path / "send.py").write_text(SEND)
    said = kernel(script, tmp_path, after=f"ip link set lo up; {sys.executable} send.py;")
    counted = re.findall(r"counter packets (\d+)", said)
    rules = NftRuleset()
    rules.run(script)
    for last in range(1, 40):
        for port in (7, 8, 9):
            packet = Packet("udp", "127.0.0.1", 40000, f"127.0.0.{last}", port, length=29)
            walk(Ruleset(), packet, origin="local", is_local=lambda ip: True, nft=rules, count=True)
    assert re.findall(r"counter packets (\d+)", words(whole(rules.tables["ip", "t"]))) == counted
    assert all(int(count) > 5 for count in counted)
