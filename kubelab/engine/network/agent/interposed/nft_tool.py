"""A node's ``nft``, on the tables that are evaluated here."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from kubelab.engine.network.agent.interposed.output import Output
from kubelab.rules.nft.errors import NftError
from kubelab.rules.nft.listing import Part, as_json, whole, words
from kubelab.rules.nft.model import Table
from kubelab.rules.nft.ruleset import NftRuleset
from kubelab.rules.nft.script import Command, Script

_VERSION = "nftables v1.0.6 (evaluated by kubelab)\n"
_LOOK = {"-n", "-nn", "-nnn", "--numeric", "-y", "--numeric-priority", "-S", "-u", "-p", "-T", "-N", "--terse"}
"""Options that change how values are spelt where names stand for them; nothing here is spelt by name."""


def answer(rules: NftRuleset, argv: Sequence[str], stdin: Callable[[], str]) -> Output:
    """What ``nft`` with these words would have done."""
    given = _Options(argv)
    if given.version:
        return Output(0, _VERSION)
    if given.unknown:
        return Output(1, stderr=f"nft: this network does not know the option {given.unknown}.\n")
    try:
        if given.file is not None:
            return _script(rules, given, stdin)
        text = " ".join(given.words)
        if not text:
            return Output(1, stderr="nft: no command specified\n")
        if given.words[0] == "list":
            (command,) = Script(text, located=False).commands()
            return Output(0, _listed(rules, command, given))
        rules.run(text, check=given.check, located=False)
    except NftError as error:
        return Output(1, stderr=f"{error}\n")
    return Output(0)


class _Options:
    """The options, and the command's words."""

    def __init__(self, argv: Sequence[str]) -> None:
        self.json = self.handles = self.check = self.version = False
        self.file: str | None = None
        self.unknown = ""
        self.words: list[str] = []
        rest = iter(argv)
        for word in rest:
            if self.words or not word.startswith("-"):
                self.words.append(word)
            elif word in ("-f", "--file"):
                self.file = next(rest, "")
            elif word not in _LOOK:
                self._flag(word)

    def _flag(self, word: str) -> None:
        names = {"--json": "j", "--handle": "a", "--check": "c", "--version": "v"}
        letters = names.get(word, word[1:] if not word.startswith("--") else "")
        known = {"j": "json", "a": "handles", "c": "check", "v": "version"}
        if not letters or not known.keys() >= set(letters):
            self.unknown = word
            return
        for letter in letters:
            setattr(self, known[letter], True)


def _script(rules: NftRuleset, given: _Options, stdin: Callable[[], str]) -> Output:
    if given.json:
        return Output(1, stderr="nft: this network reads scripts in words only, not as JSON.\n")
    if given.file in ("-", "/dev/stdin"):
        text = stdin()
    else:
        try:
            with open(given.file or "") as file:
                text = file.read()
        except OSError as error:
            return Output(1, stderr=f'internal:0:0-0: Error: Could not open file "{given.file}": {error.strerror}\n')
    rules.run(text, check=given.check)
    return Output(0)


def _listed(rules: NftRuleset, command: Command, given: _Options) -> str:
    tables = [table for table in rules.tables.values() if command.family in ("", table.family)]
    if command.kind == "tables":
        bare = [replace(table, chains={}, containers={}) for table in tables]
        return as_json(map(whole, bare)) if given.json else "".join(f"table {table.label}\n" for table in tables)
    between = "\n\n"
    if command.kind == "ruleset":
        parts = [whole(table) for table in tables]
    elif command.kind in ("chains", "sets", "maps"):
        between = "\n"
        parts = [_names(table, command.kind) for table in tables if command.table in ("", table.name)]
    else:
        parts = [_part(_table(tables, command), command)]
    return (
        as_json(parts) if given.json else "".join(words(each, handles=given.handles, between=between) for each in parts)
    )


def _table(tables: Sequence[Table], command: Command) -> Table:
    for table in tables:
        if table.name == command.table:
            return table
    at = next(token for token in command.tokens[2:] if token.text == command.table)
    raise _missing(command, at.column, command.table)


def _names(table: Table, kind: str) -> Part:
    """All chains without their rules, or all sets or maps without their elements."""
    if kind == "chains":
        return Part(table, [replace(chain, rules=()) for chain in table.chains.values()], [])
    found = [each for each in table.containers.values() if each.is_map == (kind == "maps")]
    return Part(table, [], [replace(each, elements={}) for each in found])


def _part(table: Table, command: Command) -> Part:
    if command.kind == "table":
        return whole(table)
    if command.kind == "chain" and command.name in table.chains:
        return Part(table, [table.chains[command.name]], [])
    container = table.containers.get(command.name)
    if container is not None and command.kind == ("map" if container.is_map else "set"):
        return Part(table, [], [container])
    raise _missing(command, command.named_at.column, command.name)


def _missing(command: Command, column: int, name: str) -> NftError:
    text = " ".join(token.text for token in command.tokens)
    return NftError("No such file or directory", text, 0, column, len(name))
