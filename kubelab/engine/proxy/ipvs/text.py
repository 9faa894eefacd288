"""A plan as text: sections in the order of a sync, each under the command that takes its lines."""

from __future__ import annotations

from collections.abc import Iterable

from kubelab.engine.proxy.ipvs.plan import DUMMY_DEVICE, Plan
from kubelab.engine.proxy.ipvs.rules import FILTER_CHAINS, JUMPS, NAT_CHAINS


def plan_text(plan: Plan) -> str:
    """Jumps, the dummy device, sets, virtual servers, addresses, entries, and the rules.

    kube-proxy binds an address right after its virtual server is made; here they follow together, so that each
    section can be fed to its command.
    """
    iptables = "ip6tables" if plan.family == 6 else "iptables"
    bits = 128 if plan.family == 6 else 32
    sets = plan.sets.values()
    return "".join(
        (
            _section("sh", _jump_commands(iptables)),
            _section("ip -force -batch -", [f"link add {DUMMY_DEVICE} type dummy"]),
            _section("ipset -exist restore", [each.create_line() for each in sets]),
            _section("ipvsadm -R", [line for each in plan.virtual_servers for line in each.lines()]),
            _section("ip -batch -", [f"address add {ip}/{bits} dev {DUMMY_DEVICE}" for ip in plan.addresses]),
            _section("ipset -exist restore", [line for each in sets for line in each.add_lines()]),
            _section(f"{iptables}-restore -w 5 --noflush --counters", plan.restore_text().splitlines()),
        )
    )


def _section(command: str, lines: Iterable[str]) -> str:
    return "".join(f"{line}\n" for line in (f"# {command}", *lines))


def _jump_commands(iptables: str) -> list[str]:
    """Chains and the jumps to them are made once; each jump goes to the head."""
    tables = (("nat", NAT_CHAINS), ("filter", FILTER_CHAINS))
    made = [f"{iptables} -w 5 -t {table} -N {chain}" for table, chains in tables for chain in chains]
    return made + [f"{iptables} -w 5 -t {each.table} -I {each.built_in} {each.rule()}" for each in JUMPS]
