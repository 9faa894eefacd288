"""The commands of ``iptables-restore``: one table at a time, each changed at its COMMIT or not at all.

Words and exit codes of a failure are those of iptables 1.8.9 (nf_tables).
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field

from kubelab.rules.errors import PROGRAM, KernelRefusedError, RefusedError, RestoreError, RuleError
from kubelab.rules.extensions import TABLE_OF_TARGET, TARGETS
from kubelab.rules.line import parse_rules, split
from kubelab.rules.model import BUILT_IN_CHAINS, Chain, Rule, Table

_COUNTERS = re.compile(r"\[(\d+):(\d+)\]")

_NO_CHAIN = "No chain/target/match by that name."
_LONGEST_CHAIN_NAME = 28

_LONG_COMMANDS = {
    "--append": "-A", "--insert": "-I", "--delete": "-D", "--replace": "-R", "--new-chain": "-N",
    "--delete-chain": "-X", "--flush": "-F", "--policy": "-P", "--zero": "-Z",
}  # fmt: skip


@dataclass
class _DraftChain:
    """A chain while it is being changed."""

    policy: str
    rules: list[Rule]
    packets: int = 0
    bytes: int = 0


@dataclass
class _Draft:
    """A table while it is being changed: chains are copied when they are first written to."""

    table: Table
    changed: dict[str, _DraftChain] = field(default_factory=dict)
    deleted: dict[str, int] = field(default_factory=dict)
    """Chain → line that deletes it."""

    def has(self, name: str) -> bool:
        return name in self.changed or (name in self.table.chains and name not in self.deleted)

    def names(self) -> list[str]:
        return [name for name in {**self.table.chains, **self.changed} if self.has(name)]

    def open(self, name: str) -> _DraftChain:
        """The chain, ready to be changed. Raises `RefusedError` when there is none."""
        if name not in self.changed:
            if not self.has(name):
                raise RefusedError(_NO_CHAIN)
            known = self.table.chains[name]
            self.changed[name] = _DraftChain(known.policy, list(known.rules), known.packets, known.bytes)
        return self.changed[name]

    def rules(self, name: str) -> list[Rule] | tuple[Rule, ...]:
        """The rules of a chain that is there, not to be changed."""
        return self.changed[name].rules if name in self.changed else self.table.chains[name].rules

    def finished(self, line: int) -> Table:
        """The table after COMMIT at ``line``. Raises `RestoreError` when the kernel would not have it so."""
        chains = {name: chain for name, chain in self.table.chains.items() if name not in self.deleted}
        for name, draft in self.changed.items():
            chains[name] = Chain(name, draft.policy, tuple(draft.rules), draft.packets, draft.bytes)
        for name in _targets(chains.values()):
            if name in self.deleted and name not in chains:
                raise RestoreError.kernel(_busy(name), self.deleted[name])
        if looping := _loop(chains):
            raise RestoreError.kernel(f"RULE_APPEND failed (Too many links): rule in chain {looping}", line)
        return Table(self.table.name, chains)


def _busy(chain: str) -> str:
    return f"CHAIN_DEL failed (Device or resource busy): chain {chain}"


def _targets(chains: Iterable[Chain]) -> set[str]:
    return {rule.target.name for chain in chains for rule in chain.rules if rule.target is not None}


def _loop(chains: dict[str, Chain]) -> str | None:
    """A built-in chain from which a chain can be reached that leads back to itself."""
    leads_on = {name: sorted(_targets([chain]).intersection(chains)) for name, chain in chains.items()}
    done: set[str] = set()

    def search(name: str, above: frozenset[str]) -> bool:
        if name in above:
            return True
        if name in done:
            return False
        found = any(search(target, above | {name}) for target in leads_on[name])
        done.add(name)
        return found

    return next((name for name, chain in chains.items() if chain.built_in and search(name, frozenset())), None)


class Restore:
    """One run of the program over ``tables``."""

    def __init__(self, tables: dict[str, Table], *, noflush: bool, counters: bool, strict: bool) -> None:
        self._tables = tables
        self._noflush = noflush
        self._counters = counters
        self._strict = strict
        self._draft: _Draft | None = None
        self._line = 0

    def run(self, text: str) -> None:
        """Carry out every line."""
        for self._line, line in enumerate(text.splitlines(), 1):
            stripped = line.strip()
            if stripped and not stripped.startswith("#"):
                try:
                    self._do(stripped)
                except RuleError as error:
                    raise RestoreError.bad_line(str(error), self._line) from None
                except RefusedError as error:
                    raise RestoreError.refused(str(error), self._line) from None
                except KernelRefusedError as error:
                    raise RestoreError.kernel(str(error), self._line) from None
        if self._draft is not None:
            raise RestoreError(f"{PROGRAM}: COMMIT expected at line {self._line + 1}", self._line + 1, 1)

    def _do(self, line: str) -> None:
        if self._draft is None:
            if not line.startswith("*"):
                raise RestoreError(f"{PROGRAM}: line {self._line} failed", self._line, 1)
            self._draft = self._start(line[1:].strip())
        elif line == "COMMIT":
            self._tables[self._draft.table.name] = self._draft.finished(self._line)
            self._draft = None
        elif line.startswith("*"):
            raise RestoreError(f"{PROGRAM}: COMMIT expected at line {self._line}", self._line, 1)
        elif line.startswith(":"):
            self._declare(self._draft, line[1:])
        else:
            self._command(self._draft, line)

    def _start(self, name: str) -> _Draft:
        if name not in BUILT_IN_CHAINS:
            raise RuleError(f"{PROGRAM}: line {self._line} table name '{name}' invalid")
        known = self._tables.get(name)
        return _Draft(known if known and self._noflush else Table.empty(name))

    def _declare(self, draft: _Draft, line: str) -> None:
        """``:CHAIN POLICY [packets:bytes]``: a chain that is there is emptied, a new one made."""
        name, policy, *rest = [*line.split(), "-"]
        _check_name(name)
        counts = _COUNTERS.fullmatch(rest[0]) if self._counters and rest else None
        packets, size = (int(counts[1]), int(counts[2])) if counts else (0, 0)
        if name in BUILT_IN_CHAINS[draft.table.name]:
            chain = draft.open(name)
            if policy != "-":
                chain.policy = _policy(policy)
            if counts:
                chain.packets, chain.bytes = packets, size
        else:
            draft.deleted.pop(name, None)
            draft.changed[name] = _DraftChain("-", [])

    def _command(self, draft: _Draft, line: str) -> None:
        counts = _COUNTERS.match(line)
        words = split(line[counts.end() :] if counts else line)
        command = _LONG_COMMANDS.get(words[0], words[0])
        if not command.startswith("-"):
            raise RuleError(f"Bad argument `{command}'")
        if "-t" in words[1:] or "--table" in words[1:]:
            raise RuleError(f"The -t option cannot be used in {PROGRAM}.\n")
        name, rest = (words[1] if len(words) > 1 else ""), words[2:]
        match command:
            case "-A" | "-I" | "-R" | "-D":
                if not name:
                    raise RuleError(f'option "{words[0]}" requires an argument')
                self._rule_command(draft, command, name, rest, counts)
            case "-N":
                if draft.has(name):
                    raise RefusedError("Chain already exists.")
                _check_name(name)
                draft.deleted.pop(name, None)
                draft.changed[name] = _DraftChain("-", [])
            case "-P":
                if name not in BUILT_IN_CHAINS[draft.table.name]:
                    raise RefusedError("Bad built-in chain name.")
                draft.open(name).policy = _policy(rest[0] if rest else "")
            case "-F":
                for each in [name] if name else draft.names():
                    draft.open(each).rules.clear()
            case "-X":
                self._delete_chains(draft, name)
            case "-Z":
                for each in [name] if name else draft.names():
                    self._zero(draft.open(each))
            case _:
                raise RuleError(f'unknown option "{words[0]}"')

    def _rule_command(
        self, draft: _Draft, command: str, name: str, words: list[str], counts: re.Match[str] | None
    ) -> None:
        at = None
        if command != "-A" and words and words[0].isdigit():
            at, words = int(words[0]), words[1:]
        if command == "-D" and at is not None:
            _delete_at(draft.open(name), at)
            return
        rules = parse_rules(words, strict=self._strict)
        for rule in rules:
            self._check_target(draft, name, rule)
        chain = draft.open(name)
        if command == "-D":
            for rule in rules:
                if rule not in chain.rules:
                    raise RefusedError("Bad rule (does a matching rule exist in that chain?).")
                chain.rules.remove(rule)
            return
        if counts and self._counters:
            for rule in rules:
                rule.packets, rule.bytes = int(counts[1]), int(counts[2])
        _place(chain, command, at, rules)

    def _check_target(self, draft: _Draft, chain: str, rule: Rule) -> None:
        target = rule.target
        if target is None:
            return
        if target.name not in TARGETS:
            if not draft.has(target.name) and self._strict:
                raise RuleError(f"Chain '{target.name}' does not exist")
        elif draft.table.name != TABLE_OF_TARGET.get(target.name, draft.table.name):
            raise KernelRefusedError(f"RULE_APPEND failed (Invalid argument): rule in chain {chain}")

    def _delete_chains(self, draft: _Draft, name: str) -> None:
        built_in = BUILT_IN_CHAINS[draft.table.name]
        for each in [name] if name else [known for known in draft.names() if known not in built_in]:
            if each in built_in:
                raise RefusedError(_NO_CHAIN)
            if not draft.has(each):
                raise RefusedError(_NO_CHAIN)
            if draft.rules(each):
                raise KernelRefusedError(_busy(each))
            draft.changed.pop(each, None)
            draft.deleted[each] = self._line

    @staticmethod
    def _zero(chain: _DraftChain) -> None:
        chain.packets = chain.bytes = 0
        for rule in chain.rules:
            rule.packets = rule.bytes = 0


def _place(chain: _DraftChain, command: str, at: int | None, rules: list[Rule]) -> None:
    if command == "-A":
        chain.rules += rules
    elif command == "-I":
        if (at or 1) > len(chain.rules) + 1:
            raise RefusedError("Index of insertion too big.")
        chain.rules[(at or 1) - 1 : (at or 1) - 1] = rules
    else:
        if at is None or at > len(chain.rules):
            raise RefusedError(_NO_CHAIN)
        chain.rules[at - 1 : at] = rules


def _delete_at(chain: _DraftChain, at: int) -> None:
    if not 0 < at <= len(chain.rules):
        raise RefusedError("Index of deletion too big.")
    del chain.rules[at - 1]


def _policy(text: str) -> str:
    if text not in ("ACCEPT", "DROP"):
        raise RefusedError("Bad policy name.")
    return text


def _check_name(name: str) -> None:
    if len(name) > _LONGEST_CHAIN_NAME:
        raise RuleError(f"chain name `{name}' too long (must be under {_LONGEST_CHAIN_NAME + 1} chars)")
