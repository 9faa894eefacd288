"""One line of rules, words to `Rule` and back: ``-A CHAIN [! ]-s … -m … -j …``."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from kubelab.rules import values
from kubelab.rules.errors import RuleError
from kubelab.rules.extensions import IMPLIED_BY_PROTOCOL, MATCHES, TARGETS, Spec
from kubelab.rules.model import Extension, Field, Match, Option, Rule, Target

_WORD = re.compile(r'[^\s"]+|"((?:\\.|[^"\\])*)"?|\s+', re.DOTALL)
_SAFE = re.compile(r"[A-Za-z0-9_-]+")
_ESCAPED = re.compile(r"\\(.)", re.DOTALL)
_QUOTED_OPTIONS = frozenset({"--comment", "--log-prefix", "--nfacct-name"})

_FIELDS = {
    "-s": "source", "--source": "source", "--src": "source",
    "-d": "destination", "--destination": "destination", "--dst": "destination",
    "-i": "in_interface", "--in-interface": "in_interface",
    "-o": "out_interface", "--out-interface": "out_interface",
    "-p": "protocol", "--protocol": "protocol", "--proto": "protocol",
}  # fmt: skip


def split(text: str) -> list[str]:
    """The words of a line; double quotes keep blanks, a backslash inside them keeps the next character."""
    found: list[str] = []
    current: str | None = None
    for token in _WORD.finditer(text):
        quoted = token.group(1)
        if quoted is not None:
            current = (current or "") + _ESCAPED.sub(r"\1", quoted)
        elif token.group().isspace():
            if current is not None:
                found.append(current)
            current = None
        else:
            current = (current or "") + token.group()
    if current is not None:
        found.append(current)
    return found


def quote(text: str) -> str:
    """A word as ``iptables-save`` prints a string: bare when it is plain, otherwise in double quotes."""
    if _SAFE.fullmatch(text):
        return text
    escaped = re.sub(r"([\\\"'])", r"\\\1", text)
    return f'"{escaped}"'


def print_rule(rule: Rule) -> str:
    """The rule without ``-A CHAIN``, as ``iptables-save`` prints it."""
    parts: list[str] = []
    for flag, value in (
        ("-s", rule.source),
        ("-d", rule.destination),
        ("-i", rule.in_interface),
        ("-o", rule.out_interface),
        ("-p", rule.protocol),
    ):
        if value is not None:
            parts.append(f"{'! ' if value.negated else ''}{flag} {value.value}")
    parts += [f"-m {match.name}{_print_options(match)}" for match in rule.matches]
    if rule.target is not None:
        parts.append(f"{'-g' if rule.target.goto else '-j'} {rule.target.name}{_print_options(rule.target)}")
    return " ".join(parts)


def _print_options(extension: Extension) -> str:
    if extension.raw is not None:
        return "".join(f" {word if _bare(word) else quote(word)}" for word in extension.raw)
    text = ""
    for option in extension.options:
        text += f"{' !' if option.negated else ''} {option.name}"
        if option.name in _QUOTED_OPTIONS:
            text += f"{'  ' if option.name == '--nfacct-name' else ' '}{quote(option.value)}"
        elif option.value:
            text += f" {option.value}"
    return text


def _bare(word: str) -> bool:
    return bool(word) and not re.search(r"[\s\"'\\]", word)


@dataclass
class _Open:
    """An extension whose options are being read."""

    name: str
    spec: Spec | None
    given: dict[str, Option] = field(default_factory=dict)
    raw: list[str] = field(default_factory=list)

    def close(self) -> tuple[Option, ...]:
        return () if self.spec is None else self.spec.canonical(self.name, self.given)


class _Reader:
    """Reads the words of one rule from left to right."""

    def __init__(self, words: list[str], strict: bool) -> None:
        self._words = words
        self._strict = strict
        self._at = 0
        self._fields: dict[str, list[Field]] = {}
        self._matches: list[_Open] = []
        self._target: _Open | None = None
        self._goto = False

    def read(self) -> list[Rule]:
        negated = False
        while self._at < len(self._words):
            word = self._words[self._at]
            self._at += 1
            if word == "!":
                negated = True
                continue
            self._word(word, negated)
            negated = False
        return self._rules()

    def _word(self, word: str, negated: bool) -> None:
        if word in _FIELDS:
            self._field(_FIELDS[word], word, negated)
        elif word in ("-m", "--match"):
            self._matches.append(self._open(self._next(word), MATCHES, "match"))
        elif word in ("-j", "--jump", "-g", "--goto"):
            name = self._next(word)
            self._target = _Open(name, TARGETS.get(name))
            self._goto = word in ("-g", "--goto")
        elif not word.startswith("-"):
            self._stray(word, negated)
        elif not self._option(word, negated):
            raise RuleError(f'unknown option "{word}"')

    def _next(self, option: str) -> str:
        if self._at >= len(self._words):
            raise RuleError(f'option "{option}" requires an argument')
        self._at += 1
        return self._words[self._at - 1]

    def _open(self, name: str, known: dict[str, Spec], what: str) -> _Open:
        spec = known.get(name)
        if spec is None and self._strict:
            raise RuleError(f"Couldn't load {what} `{name}':No such file or directory\n")
        return _Open(name, spec)

    def _field(self, name: str, word: str, negated: bool) -> None:
        text = self._next(word)
        if text == "!":
            negated, text = True, self._next(word)
        if name in ("source", "destination"):
            canonical = [values.network(part) for part in text.split(",")]
        elif name == "protocol":
            canonical = [values.protocol(text)]
        else:
            canonical = [text]
        self._fields[name] = [Field(value, negated) for value in canonical if value is not None]

    def _unknown(self) -> _Open | None:
        """The extension read last, when the model does not know it and so cannot know its options."""
        if self._target is not None:
            return self._target if self._target.spec is None else None
        return self._matches[-1] if self._matches and self._matches[-1].spec is None else None

    def _stray(self, word: str, negated: bool) -> None:
        unknown = self._unknown()
        if unknown is None or self._strict:
            raise RuleError(f"Bad argument `{word}'")
        unknown.raw += ["!", word] if negated else [word]

    def _option(self, word: str, negated: bool) -> bool:
        candidates = [*([self._target] if self._target else []), *reversed(self._matches)]
        for extension in candidates:
            if extension.spec is not None and self._take(extension, extension.spec, word, negated):
                return True
        implied = IMPLIED_BY_PROTOCOL.get(self._fields["protocol"][0].value) if self._fields.get("protocol") else None
        if implied and all(match.name != implied for match in self._matches):
            match = _Open(implied, MATCHES[implied])
            if self._take(match, MATCHES[implied], word, negated):
                self._matches.append(match)
                return True
        unknown = self._unknown()
        if unknown is not None and not self._strict:
            unknown.raw += ["!", word] if negated else [word]
            return True
        return False

    def _take(self, extension: _Open, spec: Spec, word: str, negated: bool) -> bool:
        name = spec.aliases.get(word, word)
        if name not in spec.options:
            return False
        canonical = spec.options[name]
        arguments = [self._next(word) for _ in range(spec.arity(name))]
        if arguments and arguments[0] == "!":
            negated, arguments = True, [*arguments[1:], self._next(word)]
        extension.given[name] = Option(name, canonical(*arguments) if canonical else "", negated)
        return True

    def _rules(self) -> list[Rule]:
        protocol = self._fields.get("protocol")
        matches = tuple(Match(*self._close(match)) for match in self._matches)
        for opened in self._matches:
            needed = opened.spec.protocol if opened.spec else ""
            if needed and (not protocol or protocol[0] != Field(needed)):
                raise RuleError(f"{needed.upper()} match requires '-p {needed}'")
        target = None
        if self._target is not None:
            target = Target(*self._close(self._target), self._goto)
        sources: list[Field | None] = [*self._fields.get("source", ())] or [None]
        destinations: list[Field | None] = [*self._fields.get("destination", ())] or [None]
        return [
            Rule(matches, target, source, destination, self._one("in_interface"), self._one("out_interface"),
                 protocol[0] if protocol else None)
            for source in sources
            for destination in destinations
        ]  # fmt: skip

    def _one(self, name: str) -> Field | None:
        found = self._fields.get(name)
        return found[0] if found else None

    def _close(self, opened: _Open) -> tuple[str, tuple[Option, ...], tuple[str, ...] | None]:
        chain = opened is self._target and not opened.raw
        raw = None if opened.spec is not None or chain else tuple(opened.raw)
        return opened.name, opened.close(), raw


def parse_rules(words: list[str], *, strict: bool = True) -> list[Rule]:
    """The rules that the words after ``-A CHAIN`` make (several when ``-s`` or ``-d`` list networks).

    With ``strict`` an unknown match raises `RuleError` as iptables does, otherwise it is kept as it is.
    """
    return _Reader(words, strict).read()
