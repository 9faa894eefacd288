"""Texts that are damaged, mixed or of another version: a sentence, or both possibilities; no crash, no guess."""

from __future__ import annotations

import json
import os
import random
from collections import defaultdict

import pytest

from kubelab.trace import CannotRead, CannotTrace, Trace, picture, trace

CASES = int(os.environ.get("KUBELAB_FUZZ_CASES", "300"))
"""More of them take longer and find more."""

QUESTIONS = [
    ("client", "10.96.0.20", 80), ("client", "10.96.0.22", 80), ("single", "10.96.0.27", 80),
    ("client", "10.96.0.23", 80), ("outside", "172.18.0.3", 30080), ("outside", "172.18.0.4", 30081),
    ("worker", "10.96.0.20", 80), ("client", "172.18.254.7", 80),
]  # fmt: skip

FOREIGN = [
    "-A FORWARD -m owner --uid-owner 0 -j DROP",
    "-A FORWARD -j NFQUEUE --queue-num 100 --queue-bypass",
    "-A PREROUTING -m bpf --bytecode 1,6 -j ACCEPT",
    "-A KUBE-SERVICES -m hashlimit --hashlimit-upto 5/sec --hashlimit-name x -j RETURN",
    "-A FORWARD -m set --match-set missing src,dst -j DROP",
    "-A POSTROUTING -m addrtype ! --dst-type LOCAL -j KIND-MASQ-AGENT",
    "-A FORWARD -j DOCKER-USER",
    "-A KUBE-FORWARD -m u32 --u32 6&0xFF=1 -j TARPIT",
    '-A FORWARD -m comment --comment "half',
    "-A FORWARD -m string --string KUBE --algo bm -j KUBE-SERVICES",
    "-A FORWARD -m recent --name x --rcheck --hitcount 3 -j DROP",
    "-A FORWARD -p tcp -m tcp --sport 1:2000 -j REJECT --reject-with tcp-reset",
    "-A PREROUTING -j DNAT --to-destination 10.244.1.2-10.244.1.9:80-90",
    "-P FORWARD DROP",
    "-A NOWHERE -j ACCEPT",
]
KINDNET = """table inet kindnet-network-policies {
	set podips-v4 {
		type ipv4_addr
		elements = { 10.244.1.2 }
	}
	chain postrouting {
		type filter hook postrouting priority srcnat - 5; policy accept;
		udp dport 53 accept
		ct state established,related accept
		ip saddr @podips-v4 queue to 100-101 flags bypass comment "process IPv4 traffic with network policy enforcement"
		meta skuid 0 oifname "eth0" tproxy to :3128
	}
}
"""


def damaged(text: str, dice: random.Random) -> str:
    """The text with one to three wounds."""
    for _ in range(dice.randint(1, 3)):
        lines = text.split("\n")
        at = dice.randrange(len(lines))
        kind = dice.randrange(9)
        if kind == 0:
            text = text[: dice.randrange(len(text) + 1)]
        elif kind == 1:
            del lines[at : at + dice.randint(1, 6)]
            text = "\n".join(lines)
        elif kind == 2:
            lines.insert(at, dice.choice(FOREIGN))
            text = "\n".join(lines)
        elif kind == 3:
            words = lines[at].split(" ")
            words[dice.randrange(len(words))] = dice.choice(
                ["", "!", "--new", "-j", "999999", '"', "{", "}", "0x", "@x", "nan"]
            )
            text = "\n".join([*lines[:at], " ".join(words), *lines[at + 1 :]])
        elif kind == 4:
            where = dice.randrange(len(text) + 1)
            text = text[:where] + dice.choice('\x00"{}[],:;/-!é\t ') + text[where + 1 :]
        elif kind == 5:
            dice.shuffle(lines)
            text = "\n".join(lines)
        elif kind == 6:
            text = "\n".join([*lines[:at], lines[at], *lines[at:]])
        elif kind == 7:
            text = "Error: could not be read\n" + text
        else:
            words = lines[at].split(" ")
            dice.shuffle(words)
            text = "\n".join([*lines[:at], " ".join(words), *lines[at + 1 :]])
    return text


@pytest.fixture(scope="session")
def shapes(texts_of):
    """The clusters whose texts are damaged: iptables, nftables in words and as JSON, ipvs."""
    return {shape: texts_of(shape) for shape in ("iptables", "nft", "nft json", "ipvs")}


def check(found: Trace) -> None:
    """What holds of every trace."""
    assert found.outcomes
    shares: dict[tuple[str, ...], float] = defaultdict(float)
    for outcome in found:
        assert outcome.hops and outcome.reason
        assert 0 < outcome.probability <= 1 + 1e-9
        shares[outcome.assumptions] += outcome.probability
    assert all(share <= 1 + 1e-6 for share in shares.values()), shares
    json.dumps(found.to_dict())
    assert repr(found) and found.text() and found.html()


@pytest.mark.parametrize("shape", ["iptables", "nft", "nft json", "ipvs"])
def test_a_damaged_text_is_a_sentence_or_a_trace(shapes, shape):
    texts, pods = shapes[shape]
    dice = random.Random(f"{shape} {os.environ.get('KUBELAB_FUZZ_SEED', '1')}")
    traced = 0
    for case in range(CASES // 4):
        node = dice.choice(list(texts))
        kind = dice.choice([kind for kind in texts[node] if texts[node][kind]])
        changed = {**texts, node: {**texts[node], kind: damaged(texts[node][kind], dice)}}
        source, address, port = dice.choice(QUESTIONS)
        try:
            check(trace(picture(changed, pods), source, address, port, via="worker" * (source == "outside")))
            traced += 1
        except (CannotRead, CannotTrace) as sentence:
            assert str(sentence).endswith((".", "?", "`via`")), f"case {case}: {sentence}"
        except Exception as error:
            raise AssertionError(f"case {case}: {kind} of {node}: {error!r}") from error
    assert traced > CASES // 16


def test_foreign_rules_leave_what_they_cannot_touch(rules_on_worker):
    """Each alone: the trace names the rule where it is in doubt, and goes on with both possibilities."""
    for rule in FOREIGN:
        cluster = rules_on_worker(lambda text, rule=rule: text.replace("\n-A FORWARD", f"\n{rule}\n-A FORWARD", 1))
        found = trace(cluster, "client", "10.96.0.27", 80)
        check(found)
        assert "delivered" in {outcome.kind for outcome in found}, rule
        if not found.certain:
            said = [each for outcome in found for each in outcome.assumptions]
            assert all(rule in each or "cannot" in each for each in said), rule
            assert "kubelab-worker" in said[0]


def test_many_doubts_end_in_one_sentence(rules_on_worker):
    doubtful = "\n".join(f"-A FORWARD -m owner --uid-owner {number} -j DROP" for number in range(40))
    cluster = rules_on_worker(lambda text: text.replace("\n-A FORWARD", f"\n{doubtful}\n-A FORWARD", 1))
    found = trace(cluster, "single", "10.96.0.27", 80)
    check(found)
    (lost,) = [outcome for outcome in found if outcome.kind == "unknown"]
    assert "more than 8 rules on its way cannot be judged, the first of them on kubelab-worker, filter" in lost.reason
    assert [outcome.kind for outcome in found] == ["dropped"] * 8 + ["unknown"]


def test_kindnets_queue_is_in_doubt_and_said(changed):
    found = trace(changed("kubelab-worker", nft=KINDNET), "single", "10.244.1.2", 8080)
    assert {outcome.kind for outcome in found} >= {"delivered"}
    elsewhere = trace(changed("kubelab-worker", nft=KINDNET), "web-a", "10.244.1.4", 8080)
    assert not elsewhere.certain
    assert any("queue" in each and "postrouting rule 3" in each for each in elsewhere[0].assumptions)
