"""The text of ``nft -f`` as commands.

Both ways of writing are read: one command a line, as kube-proxy writes them (``add rule ip kube-proxy services …``),
and blocks, as ``nft list ruleset`` prints them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from kubelab.rules.nft.errors import NftError
from kubelab.rules.nft.words import unquote

FAMILIES = ("ip", "ip6", "inet", "arp", "bridge", "netdev")
VERBS = ("add", "create", "insert", "replace", "delete", "destroy", "flush", "list", "reset")
_KINDS = ("table", "chain", "rule", "set", "map", "element")
_WHOLES = ("ruleset", "tables", "chains", "sets", "maps")
_ABOUT_CHAIN = ("type", "policy", "comment")
_TOKEN = re.compile(r'"(?:[^"\\\n]|\\.)*"|#[^\n]*|\\\n|[{},;()\n]|[^\s{},;()"]+|"')


class Token(NamedTuple):
    """A word and where it stands; lines and columns count from 1."""

    text: str
    line: int
    column: int


@dataclass
class Command:
    """``VERB KIND [FAMILY] [TABLE [NAME]] [BODY]``."""

    verb: str
    kind: str
    family: str
    table: str
    name: str
    """A chain or a set; empty where the command names none."""
    body: list[Token]
    """What follows; for chains, sets and elements what is between the braces."""
    tokens: list[Token]
    """All of it; those that name the table and the object come right after the family."""
    named_at: Token

    @property
    def words(self) -> list[str]:
        """The body's words, line ends left out."""
        return [token.text for token in self.body if token.text != "\n"]


class Script:
    """Reads commands. ``text`` is kept for error messages."""

    def __init__(self, text: str, *, located: bool = True) -> None:
        """``located``: errors say line and column (a file's do, those of a command line do not)."""
        self._text, self._located = text, located

    def commands(self) -> list[Command]:
        """All commands in order. Raises `NftError`."""
        found: list[Command] = []
        for statement in split(self._tokens()):
            found += self._commands(statement)
        return found

    def error(self, reason: str, first: Token, last: Token | None = None) -> NftError:
        """An error that points at a token, or at all from ``first`` to ``last``."""
        end = last if last is not None and last.line == first.line else first
        width = max(1, end.column + len(end.text.rstrip("\n")) - first.column)
        if self._located:
            return NftError(reason, self._text, first.line, first.column, width)
        return NftError(reason, self._text, 0, first.column, width)

    def _tokens(self) -> Iterator[Token]:
        line, start = 1, 0
        for match in _TOKEN.finditer(self._text):
            text = match[0]
            if not text.startswith(("#", "\\\n")):
                yield Token(text, line, match.start() - start + 1)
            if text.endswith("\n"):
                line, start = line + 1, match.end()

    def _commands(self, tokens: list[Token]) -> Iterator[Command]:
        words = [token.text for token in tokens]
        if words[0] == "table":
            yield from self._block(tokens)
            return
        if words[0] not in VERBS:
            end = Token("", tokens[-1].line, tokens[-1].column + len(tokens[-1].text))
            at = tokens[1] if len(tokens) > 1 else end
            raise self.error(f"syntax error, unexpected {'string' if len(tokens) > 1 else 'newline'}", at)
        command = self._head(tokens, words)
        yield command
        if command.kind == "table" and command.verb in ("add", "create"):
            yield from self._contents(command)

    def _head(self, tokens: list[Token], words: Sequence[str]) -> Command:
        verb, at = words[0], 2
        kind = words[1] if len(words) > 1 else ""
        if kind not in _KINDS and kind not in _WHOLES:
            raise self._unexpected(tokens, 1)
        family = words[2] if len(words) > 2 and words[2] in FAMILIES else "ip"
        at += len(words) > 2 and words[2] in FAMILIES
        if kind in _WHOLES:
            chosen = family if at == 3 else ""
            table = words[at + 1] if words[at : at + 1] == ["table"] and len(words) > at + 1 else ""
            return Command(verb, kind, chosen, table, "", tokens[at:], tokens, tokens[1])
        table = self._word(tokens, at)
        name = self._word(tokens, at + 1) if kind != "table" else ""
        named = at + (kind != "table")
        if words[named + 1 : named + 2] == ["{"] and kind != "rule":
            body = self._braced(tokens, named + 1)
        else:
            body = tokens[named + 1 :]
        return Command(verb, kind, family, unquote(table), unquote(name), body, tokens, tokens[named])

    def _block(self, tokens: list[Token]) -> Iterator[Command]:
        """``table ip t { … }``: the table is added, and all that it contains."""
        command = self._head([tokens[0]._replace(text="add"), *tokens], ["add", *(token.text for token in tokens)])
        yield command
        yield from self._contents(command)

    def _contents(self, table: Command) -> Iterator[Command]:
        """What stands in a table's braces: chains, then sets, then rules, so that they may name each other."""
        rules: list[Command] = []
        sets: list[Command] = []
        for part in split(table.body):
            kind = part[0].text
            if kind not in ("chain", "set", "map"):
                continue
            body = self._braced(part, 2) if len(part) > 2 else []
            name = unquote(self._word(part, 1))
            if kind == "chain":
                lines = list(split(body))
                about = [token for line in lines if line[0].text in _ABOUT_CHAIN for token in (*line, _end_of(line))]
                yield Command("add", kind, table.family, table.table, name, about, part, part[1])
                rules += [
                    Command("add", "rule", table.family, table.table, name, line, part, part[1])
                    for line in lines
                    if line[0].text not in _ABOUT_CHAIN
                ]
            else:
                sets.append(Command("add", kind, table.family, table.table, name, body, part, part[1]))
        yield from (*sets, *rules)

    def _braced(self, tokens: list[Token], at: int) -> list[Token]:
        if tokens[at].text != "{" or tokens[-1].text != "}":
            raise self._unexpected(tokens, len(tokens))
        return tokens[at + 1 : -1]

    def _word(self, tokens: list[Token], at: int) -> str:
        if at >= len(tokens) or tokens[at].text in ("{", "}", ","):
            raise self._unexpected(tokens, at)
        return tokens[at].text

    def _unexpected(self, tokens: list[Token], at: int) -> NftError:
        if at < len(tokens):
            return self.error(f"syntax error, unexpected {tokens[at].text}", tokens[at])
        last = tokens[-1]
        end = Token("", last.line, last.column + len(last.text))
        return self.error("syntax error, unexpected newline", end)


def _end_of(tokens: Sequence[Token]) -> Token:
    return tokens[-1]._replace(text=";")


def split(tokens: Sequence[Token] | Iterator[Token]) -> Iterator[list[Token]]:
    """The statements, which end with a line or a semicolon outside of braces."""
    found: list[Token] = []
    depth = 0
    for token in tokens:
        depth += (token.text == "{") - (token.text == "}")
        if depth == 0 and token.text in ("\n", ";"):
            if found:
                yield found
            found = []
        elif found or token.text != "\n":
            found.append(token)
    if found:
        yield found
