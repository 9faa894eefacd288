"""A node's ``conntrack``, on the connections that are tracked here (conntrack(8), version 1.4.7)."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from kubelab.engine.network.agent.interposed.output import Output
from kubelab.engine.network.agent.interposed.tracking import Entry, Tracking

_SAID = "conntrack v1.4.7 (kubelab)"
_STATISTICS = (
    "cpu=0   \tfound=0 invalid=0 insert=0 insert_failed=0 drop=0 early_drop=0 error=0 search_restart=0 "
    "clash_resolve=0 chaintoolong=0 \n"
)
"""A calm kernel's: no packet here is ever invalid, and no table is full."""

Field = Callable[[Entry], str]

_FILTERS: dict[str, tuple[tuple[str, ...], Field]] = {
    "protocol": (("-p", "--proto"), lambda entry: entry.connection.proto),
    "source": (("-s", "--src", "--orig-src"), lambda entry: entry.first[0]),
    "source port": (("--sport", "--orig-port-src"), lambda entry: str(entry.first[1])),
    "destination": (("-d", "--dst", "--orig-dst"), lambda entry: entry.first[2]),
    "port": (("--dport", "--orig-port-dst"), lambda entry: str(entry.first[3])),
    "answering": (("-r", "--reply-src"), lambda entry: entry.answer[0]),
    "answering port": (("--reply-port-src",), lambda entry: str(entry.answer[1])),
    "answered": (("-q", "--reply-dst"), lambda entry: entry.answer[2]),
    "answered port": (("--reply-port-dst",), lambda entry: str(entry.answer[3])),
    "state": (("--state",), lambda entry: entry.state),
}
_BY_OPTION = {option: field for options, field in _FILTERS.values() for option in options}
_NAT: dict[str, Callable[[Entry], bool]] = {
    "-g": lambda entry: entry.first[2:] != entry.answer[:2],
    "-n": lambda entry: entry.first[:2] != entry.answer[2:],
    "-j": lambda entry: entry.first != (*entry.answer[2:], *entry.answer[:2]),
}
_NAT |= {"--dst-nat": _NAT["-g"], "--src-nat": _NAT["-n"], "--any-nat": _NAT["-j"]}
_COMMANDS = {
    "-L": "list", "--dump": "list", "-D": "delete", "--delete": "delete", "-F": "flush", "--flush": "flush",
    "-C": "count", "--count": "count", "-S": "stats", "--stats": "stats", "-E": "events", "--event": "events",
}  # fmt: skip


def answer(tracking: Tracking, node: str, argv: Sequence[str]) -> Output:
    """What ``conntrack`` with these words would have done."""
    words = list(argv)
    command = next((_COMMANDS[word] for word in words if word in _COMMANDS), "")
    if "--version" in words or "-V" in words:
        return Output(0, f"{_SAID}\n")
    if command in ("", "events"):
        what = "-E" if command else "this command"
        return Output(2, stderr=f"conntrack: this network does not know {what}; it knows -L, -D, -F, -C and -S.\n")
    try:
        wanted = _wanted(words)
    except ValueError as error:
        return Output(2, stderr=f"conntrack: {error}\n")
    if command == "stats":
        return Output(0, _STATISTICS)
    if command == "count":
        return Output(0, f"{tracking.count(node)}\n")
    found = [entry for entry in tracking.entries(node) if all(holds(entry) for holds in wanted)]
    if command == "flush":
        tracking.forget(found)
        return Output(0, stderr=f"{_SAID}: connection tracking table has been emptied.\n")
    head = "ipv4     2 " if "extended" in words else ""
    listing = "".join(f"{head}{entry.line()}\n" for entry in found)
    if command == "list":
        return Output(0, listing, f"{_SAID}: {len(found)} flow entries have been shown.\n")
    tracking.forget(found)
    return Output(0 if found else 1, listing, f"{_SAID}: {len(found)} flow entries have been deleted.\n")


def _wanted(words: Sequence[str]) -> list[Callable[[Entry], bool]]:
    """The filters. Raises ValueError for an option that is not known."""
    found: list[Callable[[Entry], bool]] = []
    rest = iter(words)
    for word in rest:
        name, equals, value = word.partition("=") if word.startswith("--") else (word, "", "")
        if name in _BY_OPTION:
            found.append(_equal(_BY_OPTION[name], value if equals else next(rest, "")))
        elif name in _NAT:
            found.append(_NAT[name])
        elif name in ("-u", "--status"):
            found.append(_status(value if equals else next(rest, "")))
        elif name in ("-f", "--family"):
            if (value if equals else next(rest, "")) == "ipv6":
                found.append(lambda entry: False)
        elif name in ("-o", "--output"):
            next(rest, "")
        elif name not in _COMMANDS and name not in ("conntrack", "-z"):
            raise ValueError(f"this network does not know the option {word}")
    return found


def _equal(field: Field, value: str) -> Callable[[Entry], bool]:
    if value.isupper():
        return lambda entry: field(entry) == value
    value = value.removesuffix("/32").lower()
    return lambda entry: field(entry).lower() == value


def _status(value: str) -> Callable[[Entry], bool]:
    words = set(value.upper().split(","))
    unknown = words - {"ASSURED", "SEEN_REPLY", "UNREPLIED", "UNSET"}
    if unknown:
        raise ValueError(f"this network does not know the status {', '.join(sorted(unknown))}")

    def holds(entry: Entry) -> bool:
        has = {"SEEN_REPLY"} if entry.connection.answered else {"UNREPLIED"}
        if "[ASSURED]" in entry.line():
            has.add("ASSURED")
        return words <= has

    return holds
