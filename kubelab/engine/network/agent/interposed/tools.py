"""A node's tools, on the rules that are evaluated here: ``iptables`` and its kin, ``nft``, ``conntrack``."""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Sequence

from kubelab.engine.network.agent.interposed import conntrack_tool, nft_tool
from kubelab.engine.network.agent.interposed.output import Output
from kubelab.engine.network.agent.interposed.places import Host
from kubelab.engine.network.agent.interposed.tracking import Tracking
from kubelab.rules import RestoreError, Ruleset

_FAMILIES = {"iptables": 4, "ip6tables": 6}
_NAME = re.compile(r"(ip6?tables)(?:-legacy|-nft)?(-save|-restore)?")
_LISTING = ("-S", "--list-rules")
_CHECKING = ("-C", "--check")


def answer(host: Host, tracking: Tracking, argv: Sequence[str], stdin: int) -> Output | None:
    """What the tool would have done in the node; None for any other tool."""
    name = os.path.basename(argv[0])
    if name == "nft":
        return nft_tool.answer(host.nft, list(argv[1:]), lambda: _content(stdin).decode())
    if name == "conntrack":
        return conntrack_tool.answer(tracking, host.spec.name, argv[1:])
    parts = _NAME.fullmatch(name)
    if parts is None:
        return None
    rules = host.rules if _FAMILIES[parts[1]] == 4 else host.rules6
    options = _Options(argv[1:])
    try:
        if parts[2] == "-save":
            return Output(0, rules.save(options.table or None, counters=options.has("-c", "--counters")))
        if parts[2] == "-restore":
            noflush, counters = options.has("-n", "--noflush"), options.has("-c", "--counters")
            rules.restore(_content(stdin).decode(), noflush=noflush, counters=counters)
            return Output(0)
        return _command(rules, parts[1], options)
    except RestoreError as error:
        return Output(error.code, stderr=f"{error}\n")


class _Options:
    """Command line words without the table, the lock options and what only changes the look."""

    def __init__(self, words: Sequence[str]) -> None:
        self.table = ""
        self.words: list[str] = []
        rest = iter(words)
        for word in rest:
            if word in ("-t", "--table", "-T"):
                self.table = next(rest, "")
            elif word in ("-w", "--wait", "-W", "--wait-interval", "-v", "--verbose"):
                continue
            else:
                self.words.append(word)
        if self.words and self.words[0].isdigit():  # the seconds of --wait
            del self.words[0]

    def has(self, *names: str) -> bool:
        """Whether one of the options was given."""
        return any(name in self.words for name in names)


def _command(rules: Ruleset, program: str, options: _Options) -> Output:
    table, words = options.table or "filter", options.words
    if not words or words[0] in ("-V", "--version"):
        return Output(0, f"{program} v1.8.9 (evaluated by kubelab)\n")
    if words[0] in _LISTING:
        try:
            return Output(0, rules.commands(table, words[1] if len(words) > 1 else None))
        except KeyError:
            return Output(1, stderr=f"{program}: No chain/target/match by that name.\n")
    if words[0] in ("-L", "--list"):
        return Output(2, stderr=f"{program}: this network lists rules with -S or iptables-save only.\n")
    checking = words[0] in _CHECKING
    line = shlex.join(["-D" if checking else words[0], *words[1:]])
    target = _copy(rules) if checking else rules
    try:
        target.restore(f"*{table}\n{_quoted(line)}\nCOMMIT\n")
    except RestoreError as error:
        said = str(error).splitlines()[0].removeprefix("iptables-restore: ").partition("failed: ")[2] or str(error)
        return Output(error.code, stderr=f"{program}: {said}\n")
    return Output(0)


def _quoted(line: str) -> str:
    """Rule text knows double quotes only."""
    return re.sub(r"'([^']*)'", r'"\1"', line)


def _copy(rules: Ruleset) -> Ruleset:
    copy = Ruleset()
    copy.restore(rules.save(counters=True), noflush=False, counters=True, strict=False)
    return copy


def _content(file: int) -> bytes:
    os.lseek(file, 0, os.SEEK_SET)
    with open(file, "rb", closefd=False) as reader:
        return reader.read()
