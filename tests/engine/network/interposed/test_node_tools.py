"""The tools of a node whose rules are evaluated, not loaded."""

from __future__ import annotations

from kubelab.engine.config import nodes
from kubelab.engine.network.contract import OUTSIDE, node

WORKER, WORKER2 = nodes()[1:]
RULE = '-A KUBE-X -m comment --comment "two words" -j RETURN'
RULES = f"*nat\n:KUBE-X - [0:0]\n{RULE}\nCOMMIT\n"


async def test_rules_are_a_nodes_own_and_printed_as_they_were_given(lab):
    await lab.tool(node(WORKER.name), ["iptables-restore", "-w", "5", "--noflush", "--counters"], RULES)
    saved = (await lab.tool(node(WORKER.name), ["iptables-save", "-t", "nat"])).stdout.decode()
    assert RULE in saved.splitlines()
    assert "KUBE-X" not in (await lab.tool(node(WORKER2.name), ["iptables-save"])).stdout.decode()
    assert "KUBE-X" not in (await lab.tool(node(WORKER.name), ["ip6tables-save"])).stdout.decode()


async def test_single_commands_change_check_and_list(lab):
    async def run(*words):
        return await lab.network.run(node(WORKER.name), ["iptables", "-w", "-t", "nat", *words])

    rule = ["KUBE-Y", "-p", "tcp", "-m", "comment", "--comment", "a b", "-j", "ACCEPT"]
    assert (await run("-N", "KUBE-Y")).code == 0
    assert (await run("-C", *rule)).code == 1
    assert (await run("-A", *rule)).code == 0
    assert (await run("-C", *rule)).code == 0
    assert b'-A KUBE-Y -p tcp -m comment --comment "a b" -j ACCEPT' in (await run("-S", "KUBE-Y")).stdout
    assert (await run("-S", "NONE")).code == 1
    failed = await run("-N", "KUBE-Y")
    assert (failed.code, failed.stderr) == (1, b"iptables: Chain already exists.\n")


async def test_a_bad_line_is_refused_and_nothing_is_changed(lab):
    bad = await lab.network.run(node(WORKER.name), ["iptables-restore"], stdin=b"*nat\n-A NONE -j ACCEPT\nCOMMIT\n")
    assert bad.code != 0
    assert b"iptables-restore" in bad.stderr


async def test_other_tools_are_the_machines(lab):
    assert (await lab.tool(OUTSIDE, ["echo", "iptables-save"])).stdout == b"iptables-save\n"
    assert (await lab.tool(node(WORKER.name), ["sh", "-c", "echo $PATH"])).stdout.strip()
