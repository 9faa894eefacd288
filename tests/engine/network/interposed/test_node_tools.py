"""The tools of a node whose rules are evaluated, not loaded."""

from __future__ import annotations

from kubelab.engine.config import nodes
from kubelab.engine.network.contract import OUTSIDE, node, pod
from kubelab.trace.routes import read_addresses, read_routes

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


async def test_places_show_their_addresses_and_routes_in_words_and_as_json(lab):
    await lab.pod("a", WORKER)

    async def said(place, *words):
        return (await lab.tool(place, ["ip", *words])).stdout.decode()

    assert [route.gateway or route.interface for route in read_routes(await said(node(WORKER.name), "route"))] == [
        "172.18.0.1", "172.18.0.2", "vethe8b7be43", "172.18.0.4", "eth0",
    ]  # fmt: skip
    for place, own in (
        (node(WORKER.name), ["127.0.0.1", "172.18.0.3", "10.244.1.1"]),
        (pod("a"), ["127.0.0.1", "10.244.1.2"]),
        (OUTSIDE, ["127.0.0.1", "172.18.0.1"]),
    ):
        shown = read_addresses(await said(place, "addr"))
        assert [address.address for address in shown] == own
        assert read_addresses(await said(place, "-j", "addr")) == shown
        assert read_routes(await said(place, "-j", "route")) == read_routes(await said(place, "route", "show"))
    assert "10.244.2.9 via 172.18.0.4 dev eth0 src 172.18.0.3" in await said(
        node(WORKER.name), "route", "get", "10.244.2.9"
    )


async def test_what_cannot_be_answered_says_so(lab):
    for place, tool in ((node(WORKER.name), "ss"), (OUTSIDE, "nft"), (node(WORKER.name), "tcpdump")):
        done = await lab.network.run(place, [tool])
        assert done.code == 1 and done.stderr.decode().startswith(f"{tool}: ")
    done = await lab.network.run(node(WORKER.name), ["ip", "link", "set", "eth0", "down"])
    assert (done.code, done.stderr.count(b"\n")) == (1, 1)


async def test_rules_are_listed_with_their_counters_and_affinity_in_proc(lab):
    ip = await lab.pod("a", WORKER)
    rules = f"""\
*nat
:SEP - [0:0]
-A OUTPUT -d 10.96.0.1/32 -p tcp -j SEP
-A SEP -m recent --name SEP --set --rsource
-A SEP -p tcp -j DNAT --to-destination {ip}:8080
COMMIT
"""
    await lab.tool(node(WORKER.name), ["iptables-restore"], rules)
    server = await lab.answer(pod("a"), ip, 8080, "a")
    await lab.ask(node(WORKER.name), "10.96.0.1", 80)
    server.cancel()
    listed = (await lab.tool(node(WORKER.name), ["iptables", "-t", "nat", "-nvL", "SEP"])).stdout.decode()
    assert "    1    60 DNAT       6    --  *" in listed
    seen = (await lab.tool(node(WORKER.name), ["cat", "/proc/net/xt_recent/SEP"])).stdout.decode()
    assert seen.startswith("src=172.18.0.3 ttl: 64 last_seen: ")
    assert (await lab.tool(node(WORKER.name), ["cat", "/proc/sys/net/netfilter/nf_conntrack_count"])).stdout


async def test_nft_is_a_nodes_own(lab):
    script = "add table ip t\nadd chain ip t c { type nat hook output priority -100 ; }\n"
    await lab.tool(node(WORKER.name), ["nft", "-f", "-"], script)
    listed = (await lab.tool(node(WORKER.name), ["nft", "list", "chain", "ip", "t", "c"])).stdout.decode()
    assert "type nat hook output priority -100; policy accept;" in listed
    assert (await lab.tool(node(WORKER2.name), ["nft", "list", "ruleset"])).stdout == b""
    failed = await lab.network.run(node(WORKER.name), ["nft", "delete", "table", "ip", "u"])
    said = "Error: Could not process rule: No such file or directory\ndelete table ip u\n                ^\n"
    assert (failed.code, failed.stderr.decode()) == (1, said)
    checked = await lab.network.run(node(WORKER.name), ["nft", "-c", "-f", "-"], stdin=b"delete table ip t\n")
    assert checked.code == 0
    assert (await lab.tool(node(WORKER.name), ["nft", "list", "tables"])).stdout == b"table ip t\n"
