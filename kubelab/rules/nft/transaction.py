"""One script's changes, made on copies: they count when the last has succeeded."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from kubelab.rules.nft.definitions import read_container, read_hook
from kubelab.rules.nft.errors import BUSY, EXISTS, NO_SUCH, NOT_SUPPORTED, TOO_DEEP, NftError, NotUnderstood
from kubelab.rules.nft.literals import canonical, canonical_rule
from kubelab.rules.nft.model import Chain, Container, Rule, Table, element_of
from kubelab.rules.nft.references import chains_named, sets_named, too_deep, wanted_chains
from kubelab.rules.nft.script import Command, Script, Token, split
from kubelab.rules.nft.sets import freeze
from kubelab.rules.nft.syntax import read_elements, read_rule
from kubelab.rules.nft.words import unquote

Defined = TypeVar("Defined")


class Transaction:
    """Carries out commands one after another; the first that fails raises `NftError`."""

    def __init__(
        self, tables: dict[tuple[str, str], Table], made: int, script: Script, now: Callable[[], float]
    ) -> None:
        self.tables = dict(tables)
        self.made = made
        """How many tables have been made so far."""
        self._script, self._now = script, now
        self._copied: set[int] = set()
        self._jumps: dict[int, tuple[Table, Command]] = {}

    def do(self, command: Command) -> None:
        """Carry out one command."""
        act = getattr(self, f"_{command.verb}_{command.kind}", None)
        if act is None:
            what = f"'{command.verb} {command.kind}' is not part of kubelab's evaluated nftables"
            raise self._script.error(what, command.tokens[0], command.tokens[-1])
        act(command)

    def finish(self) -> None:
        """Check what only the whole can show: no chain leads back to itself, and none too deep."""
        for table, command in self._jumps.values():
            if too_deep(table):
                raise self._all_of(command, TOO_DEEP)

    # Tables

    def _add_table(self, command: Command) -> None:
        key = command.family, command.table
        if key not in self.tables:
            self.made += 1
            self.tables[key] = table = Table(command.family, command.table, self.made)
            self._copied.add(id(table))
            for part in split(command.body):
                if part[0].text == "comment":
                    table.comment = unquote(part[1].text)
        elif command.verb == "create":
            raise self._at(command, EXISTS)

    _create_table = _add_table

    def _delete_table(self, command: Command) -> None:
        self._table(command)
        del self.tables[command.family, command.table]

    def _destroy_table(self, command: Command) -> None:
        self.tables.pop((command.family, command.table), None)

    def _flush_table(self, command: Command) -> None:
        table = self._table(command)
        for name in table.chains:
            self._chain(table, name).rules = ()

    def _flush_ruleset(self, command: Command) -> None:
        self.tables = {key: table for key, table in self.tables.items() if command.family not in ("", key[0])}

    # Chains

    def _add_chain(self, command: Command) -> None:
        table = self._table(command)
        parts = [[token.text for token in part] for part in split(command.body)]
        hook = self._defined(command, lambda: read_hook(parts))
        known = table.chains.get(command.name)
        if known is None:
            known = Chain(command.name, table.next_handle(), hook)
            self._copied.add(id(known))
            table.chains[command.name] = known
        elif command.verb == "create":
            raise self._at(command, EXISTS)
        elif hook is not None and (known.hook is None or known.hook[:3] != hook[:3]):
            raise self._all_of(command, NOT_SUPPORTED)
        elif hook is not None and any("policy" in words for words in parts):
            self._chain(table, command.name).hook = hook
        for words in parts:
            if words[0] == "comment":
                self._chain(table, command.name).comment = unquote(words[1])

    _create_chain = _add_chain

    def _delete_chain(self, command: Command) -> None:
        table = self._table(command)
        chain = self._known(command, table.chains)
        if chain.rules or command.name in wanted_chains(table):
            raise self._at(command, BUSY)
        del table.chains[command.name]

    def _flush_chain(self, command: Command) -> None:
        table = self._table(command)
        self._known(command, table.chains)
        self._chain(table, command.name).rules = ()

    # Rules

    def _add_rule(self, command: Command) -> None:
        table = self._table(command)
        self._known(command, table.chains)
        self._append(command, table, command.name, command.body)

    _create_rule = _add_rule

    def _insert_rule(self, command: Command) -> None:
        table = self._table(command)
        self._known(command, table.chains)
        self._append(command, table, command.name, command.body, first=True)

    def _replace_rule(self, command: Command) -> None:
        table = self._table(command)
        old = self._by_handle(command, table)
        new = self._rule(command, table, command.body[2:])
        chain = self._chain(table, command.name)
        chain.rules = tuple(new if rule is old else rule for rule in chain.rules)

    def _delete_rule(self, command: Command) -> None:
        table = self._table(command)
        old = self._by_handle(command, table)
        chain = self._chain(table, command.name)
        chain.rules = tuple(rule for rule in chain.rules if rule is not old)

    def _by_handle(self, command: Command, table: Table) -> Rule:
        chain: Chain = self._known(command, table.chains)
        words = command.words
        if len(words) < 2 or words[0] != "handle":
            raise self._all_of(command, "syntax error, unexpected newline, expecting handle")
        for rule in chain.rules:
            if str(rule.handle) == words[1]:
                return rule
        raise self._script.error(NO_SUCH, command.body[1])

    def _append(self, command: Command, table: Table, name: str, tokens: list[Token], *, first: bool = False) -> None:
        rule = self._rule(command, table, tokens)
        chain = self._chain(table, name)
        chain.rules = (rule, *chain.rules) if first else (*chain.rules, rule)

    def _rule(self, command: Command, table: Table, tokens: list[Token]) -> Rule:
        words = [token.text for token in tokens if token.text != "\n"]
        expressions, comment = read_rule(words)
        for expression in expressions:
            if "unknown" in expression:
                what = f"syntax error, or not part of kubelab's evaluated nftables: '{expression['unknown']}'"
                raise self._script.error(what, tokens[0], tokens[-1])
        expressions = canonical_rule(expressions)
        rule = Rule(0, expressions, comment)
        for missing in chains_named(rule) - table.chains.keys():
            raise self._script.error(NO_SUCH, _token(tokens, missing))
        for missing in sets_named(rule) - table.containers.keys():
            raise self._script.error("No such file or directory", _token(tokens, f"@{missing}"))
        table.handles += repr(expressions).count("{'set': [")
        rule.handle = table.next_handle()
        if chains_named(rule) or sets_named(rule):
            self._jumps[id(table)] = table, command
        return rule

    # Sets and maps

    def _add_set(self, command: Command) -> None:
        table = self._table(command)
        made = self._defined(command, lambda: read_container(command, self._now))
        known = table.containers.get(made.name)
        if known is None:
            made.handle = table.next_handle()
            self._copied.add(id(made))
            table.containers[made.name] = made
        elif command.verb == "create" or (known.type, known.data, known.flags) != (made.type, made.data, made.flags):
            raise self._at(command, EXISTS)
        for part in split(command.body):
            if part[0].text == "elements":
                self._add_elements(command, table, part[3:-1])

    _add_map = _create_set = _create_map = _add_set

    def _delete_set(self, command: Command) -> None:
        table = self._table(command)
        self._known(command, table.containers)
        if any(command.name in sets_named(rule) for chain in table.chains.values() for rule in chain.rules):
            raise self._at(command, BUSY)
        del table.containers[command.name]

    _delete_map = _delete_set

    def _flush_set(self, command: Command) -> None:
        table = self._table(command)
        self._known(command, table.containers)
        container = self._contents(table, command.name)
        container.elements, container.wide = {}, ()

    _flush_map = _flush_set

    def _add_element(self, command: Command) -> None:
        table = self._table(command)
        self._known(command, table.containers)
        self._add_elements(command, table, command.body)

    _create_element = _add_element

    def _add_elements(self, command: Command, table: Table, tokens: list[Token]) -> None:
        container = self._contents(table, command.name)
        for given in self._elements(command, tokens):
            element = element_of(canonical(given))
            known = container.get(freeze(element.key))
            if known is not None and (command.verb == "create" or known.data != element.data):
                raise self._script.error(EXISTS, tokens[0], tokens[-1])
            for _ in chains_named(element) - table.chains.keys():
                raise self._script.error(NO_SUCH, tokens[0], tokens[-1])
            if known is None:
                container.add(element)
            if chains_named(element):
                self._jumps[id(table)] = table, command

    def _delete_element(self, command: Command) -> None:
        table = self._table(command)
        self._known(command, table.containers)
        container = self._contents(table, command.name)
        for given in self._elements(command, command.body):
            key = canonical(given[0] if isinstance(given, list) else given)
            if not container.remove(element_of(key).key):
                raise self._script.error(NO_SUCH, command.body[0], command.body[-1])

    def _elements(self, command: Command, tokens: list[Token]) -> list[Any]:
        try:
            return read_elements([token.text for token in tokens if token.text != "\n"])
        except (NotUnderstood, IndexError):
            raise self._script.error("syntax error in the elements", tokens[0], tokens[-1]) from None

    # Finding and copying

    def _table(self, command: Command) -> Table:
        """The table, as a copy that may be changed."""
        key = command.family, command.table
        table = self.tables.get(key)
        if table is None:
            raise self._script.error(NO_SUCH, next(each for each in command.tokens[2:] if each.text == command.table))
        if id(table) not in self._copied:
            table = self.tables[key] = table.copy()
            self._copied.add(id(table))
        return table

    def _known(self, command: Command, things: dict[str, Any]) -> Any:
        if command.name not in things:
            raise self._at(command, NO_SUCH)
        return things[command.name]

    def _chain(self, table: Table, name: str) -> Chain:
        return self._own(table.chains, name, lambda chain: Chain(**{each: getattr(chain, each) for each in _FIELDS}))

    def _contents(self, table: Table, name: str) -> Container:
        return self._own(table.containers, name, Container.copy)

    def _own(self, things: dict[str, Any], name: str, copy: Callable[[Any], Any]) -> Any:
        """A chain or set as a copy that may be changed."""
        thing = things[name]
        if id(thing) not in self._copied:
            thing = things[name] = copy(thing)
            self._copied.add(id(thing))
        return thing

    # Errors

    def _defined(self, command: Command, read: Callable[[], Defined]) -> Defined:
        """What a command defines, or an error that points at all of it."""
        try:
            return read()
        except NotUnderstood as wrong:
            raise self._all_of(command, str(wrong)) from None

    def _at(self, command: Command, reason: str) -> NftError:
        return self._script.error(reason, command.named_at)

    def _all_of(self, command: Command, reason: str) -> NftError:
        return self._script.error(reason, command.tokens[0], command.tokens[-1])


_FIELDS = ("name", "handle", "hook", "comment", "rules")


def _token(tokens: list[Token], text: str) -> Token:
    return next((token for token in tokens if token.text == text), tokens[0])
