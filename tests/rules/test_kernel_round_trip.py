"""Our printed rules against those of the machine's kernel, byte for byte."""

from __future__ import annotations

import os
import shutil
import subprocess

import pytest

from kubelab.rules import Ruleset, parse

EVERYTHING = r"""*nat
:KUBE-SVC - [0:0]
:KUBE-A - [0:0]
:kube-b - [0:0]
:ZED - [0:0]
-A KUBE-SVC -m comment --comment simple -m comment --comment "it's a \"q\" back\\slash" -j ZED
-A KUBE-SVC -m tcp -p tcp -d 10.96.0.1 --dport 443 ! -s 10.244.0.0/16 -j ZED
-A KUBE-A -m statistic --mode random --probability 0.3333333333 -j KUBE-SVC
-A KUBE-A -m statistic --mode random --probability 0.1428571429 -j KUBE-SVC
-A KUBE-A -m statistic --mode nth --every 3 --packet 0 -j RETURN
-A KUBE-A -m recent --name X --rcheck --seconds 10800 --reap -j ZED
-A KUBE-A -p udp -m udp --sport 1:100 ! --dport 53 -m recent --name X --set
-A KUBE-A -j MARK --or-mark 0x00004000
-A KUBE-A -j MARK --set-mark 5
-A KUBE-A -j MARK --and-mark 0xff
-A KUBE-A -j MARK --xor-mark 0x00004000
-A KUBE-A -m mark ! --mark 0x00004000/0x00004000 -j RETURN
-A KUBE-A -m mark --mark 020 -j RETURN
-A KUBE-A -p tcp --syn -j DNAT --to-destination 10.1.1.1:80 --persistent
-A KUBE-A -m addrtype --dst-type LOCAL ! --src-type LOCAL -j ACCEPT
-A KUBE-A -m conntrack ! --ctstate RELATED,ESTABLISHED,DNAT -j ACCEPT
-A KUBE-A -m state --state ESTABLISHED,NEW -j ACCEPT
-A KUBE-A -p icmp -m icmp --icmp-type echo-request -j ACCEPT
-A KUBE-A -p tcp -m multiport --dports 80,443,100:200 -j LOG --log-prefix "a b" --log-level 4
-A KUBE-A -i eth+ ! -o lo -s 1.2.3.4/8 -d 0.0.0.0/0 -g ZED
-A KUBE-A -p sctp -m sctp --dport 3000 -j RETURN
-A KUBE-A -s 1.1.1.1,2.2.2.2 ! -p tcp
-A POSTROUTING -o eth0 -p tcp -j SNAT --to-source 1.1.1.1-1.1.1.5:100-200
-A POSTROUTING -j MASQUERADE --random-fully
-A PREROUTING -p tcp -j REDIRECT --to-ports 8080
COMMIT
*filter
:INPUT DROP [0:0]
-A INPUT -p tcp --dport http -j REJECT
-A INPUT -p tcp --dport 81: -j REJECT --reject-with tcp-reset
-A INPUT -p tcp --tcp-flags ALL NONE
-A INPUT -m comment --comment ""
COMMIT
*mangle
:M - [0:0]
COMMIT
"""


def kernel_save(text: str) -> str:
    """What iptables-save prints in a fresh network namespace after iptables-restore read the text."""
    if not shutil.which("iptables-restore") or not shutil.which("unshare"):
        pytest.skip("iptables-restore or unshare is not installed")
    unshare = ["unshare", "-n"] if os.geteuid() == 0 else ["unshare", "-Urn"]
    script = "iptables-restore --noflush && iptables-save"
    done = subprocess.run([*unshare, "sh", "-c", script], input=text, text=True, capture_output=True, timeout=30)
    if "unshare" in done.stderr or "Could not fetch rule set" in done.stderr:
        pytest.skip(f"no network namespace or no iptables in it: {done.stderr.strip()}")
    assert done.returncode == 0, done.stderr
    return "".join(f"{line}\n" for line in done.stdout.splitlines() if not line.startswith("#"))


def test_every_form_is_printed_as_the_kernel_prints_it():
    saved = kernel_save(EVERYTHING)
    ruleset = Ruleset()
    ruleset.restore(EVERYTHING)
    assert ruleset.save() == saved
    assert parse(saved).save() == saved
