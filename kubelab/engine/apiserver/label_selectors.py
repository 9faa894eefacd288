"""Label selectors, as the query parameter carries them: read word by word, in the grammar of apimachinery's labels.

Source: https://kubernetes.io/docs/concepts/overview/working-with-objects/labels/#label-selectors (1.36)
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

from kubelab.engine.apiserver.status import bad_request
from kubelab.engine.apiserver.validation import names
from kubelab.engine.apiserver.validation.fields import FieldError, invalid

Requirement = Callable[[Mapping[str, str]], bool]

_WORD = re.compile(r"==|!=|[=!(),<>]|[^=!(),<>\s]+")
_MARKS = frozenset(("==", "!=", "=", "!", "(", ")", ",", "<", ">"))
_OPERATORS = ("in", "notin", "=", "==", "!=", "gt", "lt")
_SETS, _ORDERED = ("in", "notin"), (">", "<")


def requirements(text: str) -> list[Requirement]:
    """What a selector asks for, all of which has to hold. Raises a 400 Status."""
    return _Reader(text).read()


class _Reader:
    def __init__(self, text: str) -> None:
        self._words = [found[0] for found in _WORD.finditer(text)]
        self._at = 0

    @property
    def _next(self) -> str:
        """The word that comes now; empty at the end."""
        return self._words[self._at] if self._at < len(self._words) else ""

    def _take(self) -> str:
        word = self._next
        self._at += 1
        return word

    def read(self) -> list[Requirement]:
        found: list[Requirement] = []
        while self._next:
            if self._next in _MARKS and self._next != "!":
                raise bad_request(f"found '{self._next}', expected: !, identifier, or 'end of string'")
            found.append(self._requirement())
            if (word := self._take()) not in ("", ","):
                raise bad_request(f"found '{word}', expected: ',' or 'end of string'")
            if word and (not self._next or self._next in _MARKS - {"!"}):
                raise bad_request(f"found '{self._next}', expected: identifier after ','")
        return found

    def _requirement(self) -> Requirement:
        absent = self._next == "!"
        if absent:
            self._take()
        key = self._take()
        if not key or key in _MARKS:
            raise _unread(f"found '{key}', expected: identifier")
        _check([invalid("<nil>", key, "; ".join(names.qualified_name(key)))] if names.qualified_name(key) else [])
        if absent:
            return lambda labels: key not in labels
        if self._next in ("", ","):
            return lambda labels: key in labels
        operator = self._take()
        if operator not in (*_OPERATORS[:5], *_ORDERED):
            raise _unread(f"found '{operator}', expected: {', '.join(_OPERATORS)}")
        values = self._values() if operator in _SETS else {self._value()}
        return _compared(key, operator, values)

    def _value(self) -> str:
        if self._next in ("", ","):
            return ""
        word = self._take()
        if word in _MARKS:
            raise _unread(f"found '{word}', expected: identifier")
        return word

    def _values(self) -> set[str]:
        """``(a,b)``; where nothing stands between two marks, the empty value is meant."""
        if (word := self._take()) != "(":
            raise _unread(f"found '{word}' expected: '('")
        values: set[str] = set()
        while True:
            word = self._next
            if word in _MARKS or not word:
                values.add("")
            else:
                values.add(self._take())
            if (mark := self._take()) == ")":
                return values
            if mark != ",":
                raise _unread(f"found '{mark}', expected: ',' or ')'")


def _compared(key: str, operator: str, values: set[str]) -> Requirement:
    listed = sorted(values)
    errors = [
        invalid(f"values[{index}][{key}]", value, "; ".join(problems))
        for index, value in enumerate(listed)
        if (problems := names.label_value(value))
    ]
    if operator in _ORDERED:
        if _number(listed[0]) is None:
            why = "for 'Gt', 'Lt' operators, the value must be an integer"
            errors.insert(0, invalid("values[0]", listed[0], why))
        _check(errors)
        return _ordered(key, operator, int(listed[0]))
    _check(errors)
    if operator in ("notin", "!="):
        return lambda labels: labels.get(key) not in values
    return lambda labels: labels.get(key) in values


def _ordered(key: str, operator: str, bound: int) -> Requirement:
    def compare(labels: Mapping[str, str]) -> bool:
        number = _number(labels.get(key, ""))
        return number is not None and (number > bound if operator == ">" else number < bound)

    return compare


def _number(text: str) -> int | None:
    return int(text) if re.fullmatch(r"[-+]?[0-9]{1,18}", text) else None


def _check(errors: list[FieldError]) -> None:
    if errors:
        texts = [str(error) for error in errors]
        raise _unread(texts[0] if len(texts) == 1 else f"[{', '.join(texts)}]")


def _unread(why: str) -> Exception:
    return bad_request(f"unable to parse requirement: {why}")
