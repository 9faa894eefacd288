"""The matches and targets that this model knows, and the canonical order and form of their options.

What each option looks like in ``iptables-save`` is iptables 1.8.9's; see iptables-extensions(8) for their meaning.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from kubelab.rules import values
from kubelab.rules.errors import RuleError
from kubelab.rules.model import Option

Canonical = Callable[..., str]


@dataclass(frozen=True)
class Spec:
    """One extension: its options in the order of ``iptables-save`` and how their values are made canonical.

    An option maps to a function of as many words as it takes, or None for a flag.
    """

    options: Mapping[str, Canonical | None] = field(default_factory=dict)
    aliases: Mapping[str, str] = field(default_factory=dict)
    words: Mapping[str, int] = field(default_factory=dict)
    """How many words an option takes when that is not one."""
    protocol: str = ""
    """The protocol that the rule must name."""
    required: tuple[str, ...] = ()
    finish: Callable[[dict[str, Option]], Sequence[Option]] | None = None
    """Makes the options as they are shown of those that were given."""

    def arity(self, option: str) -> int:
        """How many words follow the option."""
        return 0 if self.options[option] is None else self.words.get(option, 1)

    def canonical(self, name: str, given: dict[str, Option]) -> tuple[Option, ...]:
        """The options in canonical order; raises `RuleError` when one is missing."""
        for option in self.required:
            if option not in given:
                raise RuleError(f'{name}: option "{option}" must be specified\n')
        if self.finish:
            return tuple(self.finish(given))
        return tuple(given[option] for option in self.options if option in given)


def _recent(given: dict[str, Option]) -> list[Option]:
    actions = [given[name] for name in ("--set", "--rcheck", "--update", "--remove") if name in given]
    if len(actions) != 1:
        raise RuleError("recent: you must specify one of `--set', `--rcheck' `--update' or `--remove'")
    limits = [given[name] for name in ("--seconds", "--hitcount", "--reap", "--rttl") if name in given]
    side = given.get("--rdest") or Option("--rsource")
    name = given.get("--name") or Option("--name", "DEFAULT")
    mask = given.get("--mask") or Option("--mask", "255.255.255.255")
    return [*actions, *limits, name, mask, side]


def _statistic(given: dict[str, Option]) -> list[Option]:
    mode = given["--mode"]
    if mode.value == "random" and "--probability" in given:
        return [mode, given["--probability"]]
    if mode.value == "nth" and "--every" in given:
        return [mode, given["--every"], given.get("--packet") or Option("--packet", "0")]
    needed = "--probability" if mode.value == "random" else "--every"
    raise RuleError(f'statistic: option "{needed}" must be specified when "--mode {mode.value}" is used')


def _tcp(given: dict[str, Option]) -> list[Option]:
    if syn := given.pop("--syn", None):
        given["--tcp-flags"] = Option("--tcp-flags", "FIN,SYN,RST,ACK SYN", syn.negated)
    return [
        given[name]
        for name in ("--sport", "--dport", "--tcp-flags")
        if name in given and given[name].value != "0:65535"
    ]


def _mark_target(given: dict[str, Option]) -> list[Option]:
    if len(given) != 1:
        raise RuleError("MARK: One of the --set-xmark, --{and,or,xor,set}-mark options is required")
    (option,) = given.values()
    value, mask = values.masked(option.value)
    if option.name == "--set-mark":
        mask |= value
    elif option.name == "--and-mark":
        value, mask = 0, value ^ values.FULL_MASK
    elif option.name == "--or-mark":
        mask = value
    elif option.name == "--xor-mark":
        mask = 0
    return [Option("--set-xmark", f"{value:#x}/{mask:#x}")]


def _reject(given: dict[str, Option]) -> list[Option]:
    return [given.get("--reject-with") or Option("--reject-with", "icmp-port-unreachable")]


def _log(given: dict[str, Option]) -> list[Option]:
    usual = Option("--log-level", "4")
    shown = (given.get(name) for name in ("--log-prefix", "--log-level", "--log-uid"))
    return [option for option in shown if option is not None and option != usual]


def _statistic_mode(text: str) -> str:
    if text not in ("random", "nth"):
        raise RuleError(f'statistic: Bad mode "{text}"')
    return text


def _address_types(text: str) -> str:
    return values.words(text, values.ADDRESS_TYPES, "addrtype")


def _conntrack_states(text: str) -> str:
    return values.words(text, values.CONNTRACK_STATES, "ctstate")


def _connection_states(text: str) -> str:
    return values.words(text, values.CONNECTION_STATES, "state")


def _network(text: str) -> str:
    return (values.network(text) or "0.0.0.0/0").removesuffix("/32").removesuffix("/128")


def _count(text: str) -> str:
    return str(values.number(text))


_PORT_ALIASES = {"--source-port": "--sport", "--destination-port": "--dport"}
_PORTS: dict[str, Canonical | None] = {"--sport": values.port_range, "--dport": values.port_range}
_TRANSLATION: dict[str, Canonical | None] = {"--random": None, "--random-fully": None, "--persistent": None}
_MASK: Canonical = str

MATCHES: dict[str, Spec] = {
    "comment": Spec({"--comment": values.word}, required=("--comment",)),
    "tcp": Spec(
        {**_PORTS, "--tcp-flags": values.tcp_flags, "--syn": None},
        aliases=_PORT_ALIASES,
        words={"--tcp-flags": 2},
        protocol="tcp",
        finish=_tcp,
    ),
    "udp": Spec(_PORTS, aliases=_PORT_ALIASES, protocol="udp"),
    "sctp": Spec(_PORTS, aliases=_PORT_ALIASES, protocol="sctp"),
    "icmp": Spec({"--icmp-type": values.icmp_type}, protocol="icmp", required=("--icmp-type",)),
    "multiport": Spec(
        {"--sports": values.port_list, "--dports": values.port_list, "--ports": values.port_list},
        aliases={"--source-ports": "--sports", "--destination-ports": "--dports"},
    ),
    "mark": Spec({"--mark": values.mark}, required=("--mark",)),
    "conntrack": Spec(
        {
            "--ctstate": _conntrack_states,
            "--ctorigsrc": _network,
            "--ctorigdst": _network,
            "--ctorigdstport": values.port_range,
            "--ctdir": str.upper,
        }
    ),
    "state": Spec({"--state": _connection_states}, required=("--state",)),
    "addrtype": Spec({"--src-type": _address_types, "--dst-type": _address_types}),
    "statistic": Spec(
        {"--mode": _statistic_mode, "--probability": values.probability, "--every": _count, "--packet": _count},
        required=("--mode",),
        finish=_statistic,
    ),
    "recent": Spec(
        {
            "--set": None,
            "--rcheck": None,
            "--update": None,
            "--remove": None,
            "--seconds": _count,
            "--hitcount": _count,
            "--reap": None,
            "--rttl": None,
            "--name": values.word,
            "--mask": values.address,
            "--rsource": None,
            "--rdest": None,
        },
        finish=_recent,
    ),
    "nfacct": Spec({"--nfacct-name": values.word}, required=("--nfacct-name",)),
}

TARGETS: dict[str, Spec] = {
    "ACCEPT": Spec(),
    "DROP": Spec(),
    "RETURN": Spec(),
    "TRACE": Spec(),
    "REJECT": Spec({"--reject-with": values.word}, finish=_reject),
    "MARK": Spec(
        {"--set-xmark": _MASK, "--set-mark": _MASK, "--and-mark": _MASK, "--or-mark": _MASK, "--xor-mark": _MASK},
        finish=_mark_target,
    ),
    "DNAT": Spec(
        {"--to-destination": values.destination, **_TRANSLATION},
        aliases={"--to": "--to-destination"},
        required=("--to-destination",),
    ),
    "SNAT": Spec(
        {"--to-source": values.destination, **_TRANSLATION},
        aliases={"--to": "--to-source"},
        required=("--to-source",),
    ),
    "MASQUERADE": Spec({"--to-ports": values.word, "--random": None, "--random-fully": None}),
    "REDIRECT": Spec({"--to-ports": values.word, "--random": None}),
    "LOG": Spec(
        {"--log-prefix": values.word, "--log-level": values.log_level, "--log-uid": None},
        finish=_log,
    ),
}

TABLE_OF_TARGET = {"DNAT": "nat", "SNAT": "nat", "MASQUERADE": "nat", "REDIRECT": "nat", "REJECT": "filter"}
"""Targets that the kernel takes in one table only."""

IMPLIED_BY_PROTOCOL = {"tcp": "tcp", "udp": "udp", "sctp": "sctp", "icmp": "icmp"}
"""The match that ``-p`` brings along when one of its options is used without ``-m``."""
