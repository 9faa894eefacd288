"""A node's ``iptables``, ``iptables-save`` and ``iptables-restore``, on the rules that are evaluated here."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable, Sequence

from kubelab.engine.network.agent.interposed.output import Output
from kubelab.engine.network.agent.interposed.places import Host
from kubelab.rules import RestoreError, Ruleset, Table
from kubelab.rules.listing import Look, chains

_FAMILIES = {"iptables": 4, "ip6tables": 6}
_NAME = re.compile(r"(ip6?tables)(?:-legacy|-nft)?(-save|-restore)?")
_LISTING = ("-S", "--list-rules")
_CHECKING = ("-C", "--check")
_LOOKS = (("n", "--numeric"), ("v", "--verbose"), ("x", "--exact"), ("\0", "--line-numbers"))


def answer(host: Host, name: str, argv: Sequence[str], stdin: Callable[[], str]) -> Output | None:
    """What the program ``name`` with these words would have done in the node; None when it is none of them."""
    parts = _NAME.fullmatch(name)
    if parts is None:
        return None
    rules = host.rules if _FAMILIES[parts[1]] == 4 else host.rules6
    options = _Options(argv)
    try:
        if parts[2] == "-save":
            return Output(0, rules.save(options.table or None, counters=options.has("-c", "--counters")))
        if parts[2] == "-restore":
            noflush, counters = options.has("-n", "--noflush"), options.has("-c", "--counters")
            rules.restore(stdin(), noflush=noflush, counters=counters)
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
            elif word in ("-w", "--wait", "-W", "--wait-interval"):
                continue
            else:
                self.words.append(word)
        if self.words and self.words[0].isdigit():  # the seconds of --wait
            del self.words[0]

    @property
    def listed(self) -> str | None:
        """The chain after ``-L``, empty for all; None without it."""
        for at, word in enumerate(self.words):
            if word == "--list" or (word[:1] == "-" and word[1:2] != "-" and "L" in word):
                following = self.words[at + 1 : at + 2]
                return following[0] if following and not following[0].startswith("-") else ""
        return None

    def flag(self, letter: str, word: str) -> bool:
        """Whether a flag was given, alone or with others (``-nvL``)."""
        return any(each == word or (each[:1] == "-" and each[1:2] != "-" and letter in each) for each in self.words)

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
    if options.listed is not None:
        return _listing(rules, program, table, options)
    words = [word for word in words if word not in ("-v", "--verbose")]
    checking = words[0] in _CHECKING
    line = shlex.join(["-D" if checking else words[0], *words[1:]])
    target = _copy(rules) if checking else rules
    try:
        target.restore(f"*{table}\n{_quoted(line)}\nCOMMIT\n")
    except RestoreError as error:
        said = str(error).splitlines()[0].removeprefix("iptables-restore: ").partition("failed: ")[2] or str(error)
        return Output(error.code, stderr=f"{program}: {said}\n")
    return Output(0)


def _listing(rules: Ruleset, program: str, table: str, options: _Options) -> Output:
    look = Look(*(options.flag(letter, word) for letter, word in _LOOKS))
    try:
        found = rules.tables.get(table) or Table.empty(table)
        return Output(0, chains(found, look, options.listed or None))
    except KeyError:
        return Output(1, stderr=f"{program}: No chain/target/match by that name.\n")


def _quoted(line: str) -> str:
    """Rule text knows double quotes only."""
    return re.sub(r"'([^']*)'", r'"\1"', line)


def _copy(rules: Ruleset) -> Ruleset:
    copy = Ruleset()
    copy.restore(rules.save(counters=True), noflush=False, counters=True, strict=False)
    return copy
