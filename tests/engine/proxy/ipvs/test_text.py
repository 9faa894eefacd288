"""A plan as text, and what of it the kernel takes: without IPVS still the sets and the rules."""

from __future__ import annotations

import os
import re
import shutil
import subprocess

import pytest

from kubelab.engine.proxy import rules_text
from kubelab.engine.proxy.config import ProxyConfig
from kubelab.engine.proxy.endpoints import NodeView
from kubelab.engine.proxy.ipvs import compile_plan, plan_text
from kubelab.engine.proxy.state import ProxyState
from tests.engine.proxy.random_cluster import random_cluster


def sections(text: str) -> list[tuple[str, str]]:
    """Command and its lines."""
    parts = re.split(r"^# (.*)\n", text, flags=re.MULTILINE)[1:]
    return list(zip(parts[::2], parts[1::2], strict=True))


def test_sections_come_in_the_order_of_a_sync(one):
    given = sections(plan_text(one()))
    assert [command for command, _ in given] == [
        "sh",
        "ip -force -batch -",
        "ipset -exist restore",
        "ipvsadm -R",
        "ip -batch -",
        "ipset -exist restore",
        "iptables-restore -w 5 --noflush --counters",
    ]
    jumps = [line.split(" -t ")[1].split(" -m ")[0] for line in given[0][1].splitlines() if " -I " in line]
    assert jumps == [
        "nat -I OUTPUT", "nat -I PREROUTING", "nat -I POSTROUTING", "filter -I FORWARD", "filter -I INPUT",
        "filter -I INPUT", "filter -I FORWARD", "filter -I INPUT", "filter -I OUTPUT",
    ]  # fmt: skip
    assert given[1][1] == "link add kube-ipvs0 type dummy\n"
    assert given[4][1] == "address add 10.96.0.1/32 dev kube-ipvs0\n"


def test_ipv6_follows_where_a_service_has_an_address_of_it(make):
    service = make.service("web", "10.96.0.1")
    assert "KUBE-6-" not in rules_text("ipvs", make.node, {"services": [service]})
    service["spec"] |= {"clusterIPs": ["10.96.0.1", "fd00:10:96::1"], "ipFamilies": ["IPv4", "IPv6"]}
    text = rules_text("ipvs", make.node, {"services": [service]}, "10.244.0.0/16,fd00:10:244::/56")
    for line in (
        "-A -t [fd00:10:96::1]:80 -s rr",
        "address add fd00:10:96::1/128 dev kube-ipvs0",
        "add KUBE-6-CLUSTER-IP fd00:10:96::1,tcp:80",
        "-A KUBE-SERVICES -s ::1/128 -j RETURN",
        '-A KUBE-SERVICES -m comment --comment "Kubernetes service cluster ip + port for masquerade purpose"'
        " -m set --match-set KUBE-6-CLUSTER-IP dst,dst ! -s fd00:10:244::/56 -j KUBE-MARK-MASQ",
    ):
        assert line in text.splitlines()
    assert "# ip6tables-restore -w 5 --noflush --counters\n*nat" in text


def in_a_namespace(script: str, stdin: str) -> str:
    for tool in ("iptables-restore", "ipset", "unshare"):
        if not shutil.which(tool):
            pytest.skip(f"{tool} is not installed")
    unshare = ["unshare", "-n"] if os.geteuid() == 0 else ["unshare", "-Urn"]
    done = subprocess.run([*unshare, "sh", "-ec", script], input=stdin, text=True, capture_output=True, timeout=50)
    if "unshare" in done.stderr or "Kernel error" in done.stderr or "Could not fetch rule set" in done.stderr:
        pytest.skip(f"no network namespace, or no ipset or iptables in it: {done.stderr.strip()}")
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_kernel_takes_the_sets_and_the_rules():
    services, slices = random_cluster(7)
    state = ProxyState.of(NodeView("kubelab-worker", ("172.18.0.3",), "a"), services, slices)
    plan = compile_plan(state, ProxyConfig(cluster_cidr="10.244.0.0/16"))
    given = sections(plan_text(plan))
    entries = given[2][1] + given[5][1]
    rules = "".join(f"{line}\n" for line in given[6][1].splitlines() if "-m ipvs" not in line)
    script = f"ipset -exist restore <<'SETS'\n{entries}SETS\n{given[0][1]}iptables-restore --noflush; ipset save"
    saved = in_a_namespace(script, rules).splitlines()
    wanted = {line for line in entries.splitlines() if line.startswith("add ")}
    assert {line for line in saved if line.startswith("add ")} == wanted
    assert len([line for line in saved if line.startswith("create ")]) == 17
