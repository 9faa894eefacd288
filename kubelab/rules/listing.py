"""Rules as ``iptables -L`` 1.8.9 (nf_tables) shows them."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from typing import NamedTuple

from kubelab.rules import values
from kubelab.rules.model import Chain, Extension, Field, Option, Rule, Table

_PROTOCOLS = {"icmp": 1, "tcp": 6, "udp": 17, "icmpv6": 58, "sctp": 132, "udplite": 136}


class Look(NamedTuple):
    """How rules are shown."""

    numeric: bool = False
    verbose: bool = False
    exact: bool = False
    numbers: bool = False
    """Each rule with its line number."""


def chains(table: Table, look: Look, only: str | None = None) -> str:
    """All chains of a table, or one. An unknown one is a `KeyError`."""
    found = [table.chains[only]] if only else list(table.in_order())
    return "\n".join("".join(f"{line}\n" for line in _chain(table, chain, look)) for chain in found)


def _chain(table: Table, chain: Chain, look: Look) -> Iterator[str]:
    if chain.built_in:
        counted = f" {_count(chain.packets, look)} packets, {_count(chain.bytes, look)} bytes" if look.verbose else ""
        yield f"Chain {chain.name} (policy {chain.policy}{counted})"
    else:
        users = sum(rule.target is not None and rule.target.name == chain.name
                    for each in table.chains.values() for rule in each.rules)  # fmt: skip
        yield f"Chain {chain.name} ({users} references)"
    yield _head(look)
    for number, rule in enumerate(chain.rules, 1):
        yield (f"{number:<4} " if look.numbers else "") + _rule(rule, look)


def _head(look: Look) -> str:
    counters = ("    pkts      bytes " if look.exact else " pkts bytes ") if look.verbose else ""
    if look.numbers:
        counters = f"num  {counters}"
    links = "in     out     " if look.verbose else ""
    return f"{counters}target     prot opt {links}{'source':<19}  {'destination':<19} "


def _rule(rule: Rule, look: Look) -> str:
    width = 8 if look.exact else 5
    counters = f"{_count(rule.packets, look):>{width}} {_count(rule.bytes, look):>{width}} " if look.verbose else ""
    target = rule.target.name if rule.target else ""
    links = f" {_link(rule.in_interface)} {_link(rule.out_interface)} " if look.verbose else ""
    line = f"{counters}{target:<9} {_protocol(rule, look)} -- {links}"
    line += f"{_network(rule.source, look)} {_network(rule.destination, look)} "
    details = [_extension(match, look) for match in rule.matches]
    if rule.target is not None:
        line += "[goto] " if rule.target.goto else ""
        details.append(_extension(rule.target, look))
    return line + "".join(f" {detail}" for detail in details if detail)


def _count(number: int, look: Look) -> str:
    """As short as in the program, unless exact: 12345 → ``12345``, 123456 → ``123K``."""
    if look.exact or number <= 99_999:
        return str(number)
    for unit in "KMGT":
        number = (number + 500) // 1000
        if number <= 9999:
            return f"{number}{unit}"
    return f"{number}T"


def _link(field: Field | None) -> str:
    text = "*" if field is None else f"{'!' if field.negated else ''}{field.value}"
    return f"{text:<6}"


def _protocol(rule: Rule, look: Look) -> str:
    name, negated = rule.protocol or Field("all")
    text = str(0 if name == "all" else _PROTOCOLS.get(name, name)) if look.numeric else name
    return f"{'!' if negated else ' '}{text:<4}"


def _network(field: Field | None, look: Look) -> str:
    if field is None:
        return f" {'0.0.0.0/0' if look.numeric else 'anywhere':<19}"
    text = field.value.removesuffix("/32").removesuffix("/128")
    return f"{'!' if field.negated else ' '}{text:<19}"


def _extension(extension: Extension, look: Look) -> str:
    if extension.raw is not None:
        return f"{extension.name} {' '.join(extension.raw)}".rstrip()
    if extension.name in ("tcp", "udp", "sctp"):
        return _ports(extension, look)
    show = _EXTENSIONS.get(extension.name)
    return show(extension) if show else ""


def _not(option: Option) -> str:
    return "! " if option.negated else ""


def _comment(extension: Extension) -> str:
    return f"/* {extension.get('--comment')} */"


def _ports(extension: Extension, look: Look) -> str:
    words = [extension.name]
    for name, value, negated in extension.options:
        sign = "!" if negated else ""
        if name in ("--sport", "--dport"):
            several = "s" if ":" in value else ""
            shown = value if look.numeric or several else _service(value, extension.name)
            words.append(f"{name[2]}pt{several}:{sign}{shown}")
        else:
            words.append(f"flags:{sign}{_flags(value) if look.numeric else value.replace(' ', '/')}")
    return " ".join(words)


def _service(port: str, protocol: str) -> str:
    """A port's name in the machine's list, where it has one."""
    try:
        return socket.getservbyport(int(port), protocol)
    except OSError:
        return port


def _flags(value: str) -> str:
    bits = {"FIN": 1, "SYN": 2, "RST": 4, "PSH": 8, "ACK": 16, "URG": 32, "NONE": 0}
    return "/".join(f"0x{sum(bits[flag] for flag in part.split(',')):02X}" for part in value.split())


def _multiport(extension: Extension) -> str:
    return " ".join(f"multiport {_not(option)}{option.name[2:]} {option.value}" for option in extension.options)


def _mark(extension: Extension) -> str:
    (option,) = extension.options
    return f"mark match {_not(option)}{option.value}"


def _conntrack(extension: Extension) -> str:
    return " ".join(f"{_not(option)}{option.name[2:]} {option.value}" for option in extension.options)


def _state(extension: Extension) -> str:
    return " ".join(f"{_not(option)}state {option.value}" for option in extension.options)


def _address_type(extension: Extension) -> str:
    return "ADDRTYPE match " + " ".join(
        f"{option.name[2:]} {'!' if option.negated else ''}{option.value}" for option in extension.options
    )


def _statistic(extension: Extension) -> str:
    words = ["statistic mode", extension.get("--mode") or ""]
    words += [
        f"{_not(option)}{option.name[2:]} {option.value}"
        for option in extension.options[1:]
        if option != Option("--packet", "0")
    ]
    return " ".join(words)


def _recent(extension: Extension) -> str:
    said = {"--set": "SET", "--rcheck": "CHECK", "--update": "UPDATE", "--remove": "REMOVE"}
    action = extension.options[0]
    words = [f"{_not(action)}recent: {said[action.name]}"]
    for name, value, _ in extension.options[1:]:
        if name in ("--seconds", "--hitcount"):
            words.append(f"{'hit_count' if name == '--hitcount' else 'seconds'}: {value}")
        elif name in ("--reap", "--rttl"):
            words.append("reap" if name == "--reap" else "TTL-Match")
        elif name == "--name":
            words.append(f"name: {value}")
    side = "dest" if extension.get("--rdest") is not None else "source"
    return " ".join([*words, f"side: {side} mask: {extension.get('--mask')}"])


def _icmp(extension: Extension) -> str:
    (option,) = extension.options
    kind, _, code = option.value.partition("/")
    if kind == "any":
        return "icmp any"
    return f"icmp{'!' if option.negated else ''}type {kind}{f' code {code}' if code else ''}"


def _account(extension: Extension) -> str:
    return f"nfacct-name  {extension.get('--nfacct-name')}"


def _mark_target(extension: Extension) -> str:
    value, mask = values.masked(extension.get("--set-xmark") or "0")
    if value == 0:
        return f"MARK and {mask ^ values.FULL_MASK:#x}"
    if value == mask:
        return f"MARK or {value:#x}"
    if mask == 0:
        return f"MARK xor {value:#x}"
    return f"MARK set {value:#x}" if mask == values.FULL_MASK else f"MARK xset {value:#x}/{mask:#x}"


def _translation(extension: Extension) -> str:
    flags = [option.name[2:] for option in extension.options[1:]]
    return " ".join([f"to:{extension.options[0].value}", *flags])


def _masquerade(extension: Extension) -> str:
    ports = extension.get("--to-ports")
    flags = [option.name[2:] for option in extension.options if option.name != "--to-ports"]
    return " ".join([*([f"masq ports: {ports}"] if ports else []), *flags])


def _redirect(extension: Extension) -> str:
    ports = extension.get("--to-ports")
    return f"redir ports {ports}" if ports else ""


def _reject(extension: Extension) -> str:
    return f"reject-with {extension.get('--reject-with')}"


def _log(extension: Extension) -> str:
    prefix = extension.get("--log-prefix")
    level = extension.get("--log-level") or "4"
    return f"LOG flags 0 level {level}" + (f' prefix "{prefix}"' if prefix else "")


_EXTENSIONS: dict[str, Callable[[Extension], str]] = {
    "comment": _comment,
    "multiport": _multiport,
    "mark": _mark,
    "conntrack": _conntrack,
    "state": _state,
    "addrtype": _address_type,
    "statistic": _statistic,
    "recent": _recent,
    "icmp": _icmp,
    "nfacct": _account,
    "MARK": _mark_target,
    "DNAT": _translation,
    "SNAT": _translation,
    "MASQUERADE": _masquerade,
    "REDIRECT": _redirect,
    "REJECT": _reject,
    "LOG": _log,
}
