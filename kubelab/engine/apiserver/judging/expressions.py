"""A policy's expressions: do they compile, and what is their value.

``variables.NAME`` is evaluated when it is asked for and once at most. The library knows no such values, so that the
name becomes a call of a function that comes with the other values.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping
from functools import lru_cache
from typing import Any

from kubelab.engine.apiserver.custom import cel
from kubelab.engine.apiserver.judging.asking import FUNCTIONS as ASKING

ALWAYS = ("object", "oldObject", "request", "namespaceObject")
"""What every expression can ask for."""
COMPOSED = "variable__"
_MEMBER = re.compile(r"(?<![\w.])variables\s*\.\s*([A-Za-z_]\w*)")


def compile_error(expression: str, variables: Collection[str] | None, *, authorizes: bool) -> str:
    """Why it does not compile, as CEL's compiler writes it; empty when it does.

    ``variables``: the names that there are (None: it cannot ask for any). ``authorizes``: whether it may ask what
    somebody may do.
    """
    if error := cel.syntax_error(expression):
        return error
    plain = cel.masked(expression)
    known = {*ALWAYS, *(("authorizer",) if authorizes else ())}
    if variables is not None:
        known.add("variables")
        for member in _MEMBER.finditer(plain):
            if member[1] not in variables:
                return _pointed(expression, plain.index(".", member.start()), f"undefined field '{member[1]}'")
    for name in cel.names(expression):
        if name not in known:
            named = re.search(rf"(?<![\w.]){name}\b", plain)
            return _undeclared(expression, named.start() if named else 0, name)
    for name in cel.unknown_functions(expression, ASKING if authorizes else ()):
        called = re.search(rf"\b{re.escape(name)}\s*\(", plain)
        return _undeclared(expression, called.end() - 1 if called else 0, name)
    return ""


def _undeclared(expression: str, at: int, name: str) -> str:
    return _pointed(expression, at, f"undeclared reference to '{name}' (in container '')")


def _pointed(expression: str, at: int, what: str) -> str:
    before = expression[:at]
    line, column = before.count("\n") + 1, at - (before.rfind("\n") + 1)
    text = expression.split("\n")[line - 1]
    return f"ERROR: <input>:{line}:{column + 1}: {what}\n | {text}\n | {'.' * column}^"


class Values:
    """The values of one request for one policy."""

    def __init__(
        self,
        values: dict[str, Any],
        composed: Mapping[str, str],
        functions: Mapping[str, Callable[..., Any]],
    ) -> None:
        """``composed``: the policy's variables, name → expression."""
        self._composed = composed
        self._known: dict[str, Any] = {}
        self._context = cel.context(values, {**functions, COMPOSED: self._variable})

    def evaluate(self, expression: str) -> Any:
        """The value. Raises `cel.EvaluationError`."""
        return cel.evaluate_in(self._context, _with_calls(expression))

    def _variable(self, name: str) -> Any:
        if name not in self._known:
            try:
                self._known[name] = self.evaluate(self._composed[name])
            except cel.EvaluationError as error:
                raise cel.EvaluationError(f'composited variable "{name}" fails to evaluate: {error}') from None
        return self._known[name]


@lru_cache(maxsize=1024)
def _with_calls(expression: str) -> str:
    """The expression with calls in place of members of ``variables``."""
    made, done = "", 0
    for found in _MEMBER.finditer(cel.masked(expression)):
        made += f"{expression[done : found.start()]}{COMPOSED}('{found[1]}')"
        done = found.end()
    return made + expression[done:]
