"""Packets before nftables: beside iptables, by chance and by hash, with memory."""

from __future__ import annotations

import pytest

from kubelab.rules import Memory, Packet, Ruleset, walk
from kubelab.rules.nft.listing import whole, words
from kubelab.rules.nft.ruleset import NftRuleset

HEAD = """\
add table ip t
add chain ip t pre { type nat hook prerouting priority -100 ; }
add chain ip t fwd { type filter hook forward priority 0 ; }
add chain ip t post { type nat hook postrouting priority 100 ; }
add chain ip t a
add chain ip t b
add rule ip t a meta l4proto tcp counter dnat to 10.244.1.2:8080
add rule ip t b meta l4proto tcp counter dnat to 10.244.2.2:8080
"""
TWO = "vmap { 0 : goto a , 1 : goto b }"


class Clock:
    seconds = 0.0

    def __call__(self) -> float:
        return self.seconds


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def go(clock):
    """``go(script, …)``: where packets to 10.96.0.1:80 end under these rules, and the rules."""
    nft = NftRuleset(now=clock)
    nft.run(HEAD)

    def send(script: str = "", *, src: str = "10.244.0.9", sport: int = 40000, draw=lambda: 0.0, iptables: str = ""):
        nft.run(script)
        old = Ruleset()
        old.restore(iptables)
        packet = Packet("tcp", src, sport, "10.96.0.1", 80, in_interface="veth0")
        return walk(old, packet, origin="forwarded", is_local=lambda ip: False, draw=draw, memory=Memory(now=clock),
                    nft=nft, count=True)  # fmt: skip

    send.nft = nft
    return send


def ends(*verdicts):
    return [verdict.packet.dst for verdict in verdicts]


def test_numgen_goes_round_or_draws(go):
    assert ends(go(f"add rule ip t pre numgen inc mod 2 {TWO}"), go(), go()) == [
        "10.244.1.2", "10.244.2.2", "10.244.1.2",
    ]  # fmt: skip
    go("flush chain ip t pre")
    assert ends(go(f"add rule ip t pre numgen random mod 2 {TWO}", draw=lambda: 0.7)) == ["10.244.2.2"]
    assert "counter packets 2 bytes 120 dnat to 10.244.1.2:8080" in words(whole(go.nft.tables["ip", "t"]))


def test_affinity_is_remembered_until_its_time_has_run_out(go, clock):
    go("""\
add set ip t affinity-a { type ipv4_addr ; flags dynamic,timeout ; timeout 100s ; }
insert rule ip t a update @affinity-a { ip saddr }
add rule ip t pre ip saddr @affinity-a goto a
add rule ip t pre numgen random mod 2 vmap { 0 : goto a , 1 : goto b }
""")
    other = {"draw": lambda: 0.9}
    clock.seconds = 90
    assert ends(go(**other), go(src="10.244.0.8", **other)) == ["10.244.1.2", "10.244.2.2"]
    clock.seconds = 189  # the packet at 90 has begun a new 100 seconds
    assert ends(go(**other)) == ["10.244.1.2"]
    clock.seconds = 290
    assert ends(go(**other)) == ["10.244.2.2"]
    assert "10.244.0.9" not in words(whole(go.nft.tables["ip", "t"]))


def test_rules_fill_maps_too(go):
    go("""\
add map ip t chosen { type ipv4_addr : inet_service ; flags dynamic ; }
add rule ip t pre add @chosen { ip saddr : tcp dport }
add rule ip t pre ip daddr 10.96.0.1 goto a
""")
    assert "elements = { 10.244.0.9 : 80 }" in words(whole(go.nft.tables["ip", "t"]))


def test_iptables_and_nftables_are_asked_in_the_order_of_their_priorities(go):
    mark = "*mangle\n-A PREROUTING -j MARK --set-xmark 0x7/0xffffffff\nCOMMIT\n"
    verdict = go("add rule ip t pre mark 7 goto b\nadd rule ip t fwd ip daddr 10.244.2.2 reject", iptables=mark)
    assert (verdict.kind, verdict.reason, verdict.mark) == ("reject", "icmp-port-unreachable", 7)


def test_who_translates_first_settles_it(go):
    nat = "*nat\n-A PREROUTING -p tcp -j DNAT --to-destination 10.244.9.9:9\nCOMMIT\n"
    assert ends(go(iptables=nat), go("add rule ip t pre goto a", iptables=nat)) == ["10.244.9.9", "10.244.1.2"]


def test_hairpin_is_masqueraded_after_translation_only(go):
    go("""\
add set ip t hairpin { type ipv4_addr . ipv4_addr . inet_proto . inet_service ; }
add element ip t hairpin { 10.244.1.2 . 10.244.1.2 . tcp . 8080 }
add rule ip t pre ip daddr 10.96.0.1 goto a
add rule ip t post ct status dnat ip saddr . ip daddr . meta l4proto . th dport @hairpin masquerade fully-random
""")
    assert [go(src=src).masquerade for src in ("10.244.1.2", "10.244.0.9")] == [True, False]


def test_what_the_model_cannot_judge_is_said(go):
    verdict = go("add rule ip t fwd meta skuid 0 drop")
    assert verdict.kind == "unknown"
    assert "nftables ip t fwd: 'meta skuid' is not part of this model" in verdict.reason
