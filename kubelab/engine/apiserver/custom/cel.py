"""Expressions in CEL, read by the library ``common-expression-language`` (loaded when the first rule is)."""

from __future__ import annotations

import logging
import math
import re
import sys
from collections.abc import Callable, Collection, Mapping
from datetime import timedelta
from functools import cache, lru_cache
from itertools import pairwise
from types import ModuleType
from typing import Any

from kubelab.engine.apiserver.custom.patterns import compiled
from kubelab.engine.apiserver.times import parse_time

RESERVED = frozenset(
    {
        "true", "false", "null", "in", "as", "break", "const", "continue", "else", "for", "function", "if", "import",
        "let", "loop", "package", "namespace", "return", "var", "void", "while",
    }
)  # fmt: skip
_SPECIAL = {"__": "__underscores__", ".": "__dot__", "-": "__dash__", "/": "__slash__"}
_BUILT_IN = frozenset(
    {
        "size", "contains", "startsWith", "endsWith", "matches", "int", "uint", "double", "string", "bytes", "dyn",
        "type", "timestamp", "duration", "getFullYear", "getMonth", "getDate", "getDayOfMonth", "getDayOfWeek",
        "getDayOfYear", "getHours", "getMinutes", "getSeconds", "getMilliseconds",
        "of", "none", "ofNonZeroValue", "hasValue", "value", "or", "orValue",
    }
)  # fmt: skip
"""What the library itself knows; macros such as ``all`` and ``has`` are no functions."""
_TYPES = frozenset({"bool", "int", "uint", "double", "string", "bytes", "list", "map", "null_type", "type"})
_BINDS = re.compile(r"\.\s*(?:all|exists|exists_one|map|filter)\(\s*([A-Za-z_]\w*)\s*,")
_STRING = re.compile(r"""[rRbB]{0,2}(?:\"{3}.*?\"{3}|'{3}.*?'{3}|"(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*')""", re.DOTALL)
_REFUSED = re.compile(r"Python function call failed: \w+: (.*)\. Check function arguments")
"""How the library tells of an error that one of our functions raised."""


class EvaluationError(ValueError):
    """The expression fails on these values, such as for a field that is not there."""


@cache
def _library() -> Any:
    # Its __init__ brings a command line along, with 25 MB of libraries for terminals: an empty module stands in.
    name = "cel.cli"
    stand_in = name not in sys.modules
    sys.modules.setdefault(name, ModuleType(name))
    try:
        import cel
    finally:
        if stand_in:
            del sys.modules[name]
    logging.getLogger("cel").setLevel(logging.ERROR)  # what a function refuses is told to who asked
    return cel


@cache
def _functions() -> dict[str, Callable[..., Any]]:
    _library()
    from cel.stdlib import STDLIB_FUNCTIONS

    return {**STDLIB_FUNCTIONS, **_KUBERNETES}


@lru_cache(maxsize=1024)
def _program(expression: str) -> Any:
    return _library().compile(expression)


@lru_cache(maxsize=1024)
def problem(expression: str) -> str:
    """Why the expression cannot be evaluated here; empty when it can."""
    if error := syntax_error(expression):
        first = error.partition("\n")[0]
        return f"its syntax is not understood ({first.rpartition('ERROR: ')[2]})"
    unknown = unknown_functions(expression)
    return f"{unknown[0]}() is not known here" if unknown else ""


def syntax_error(expression: str) -> str:
    """What the parser says against it, with the place pointed at; empty when it can be read."""
    try:
        _program(expression)
    except ValueError as error:
        return str(error).removeprefix(f"Failed to parse expression '{expression}': ")
    return ""


def unknown_functions(expression: str, own: Collection[str] = ()) -> list[str]:
    """The functions that it calls and that nobody has; ``own`` are those that come with its values."""
    known = _BUILT_IN | _functions().keys()
    names = _program(expression).functions()
    return [name for name in names if re.match(r"[a-zA-Z]", name) and name not in known and name not in own]


def names(expression: str) -> list[str]:
    """The values that it names, besides those that its own macros bind."""
    bound = {match[1] for match in _BINDS.finditer(masked(expression))}
    return [name for name in _program(expression).variables() if name not in bound | _TYPES]


def masked(expression: str) -> str:
    """The expression with blanks where its strings are; nothing changes its place."""
    return _STRING.sub(lambda found: " " * len(found[0]), expression)


def uses_old(expression: str) -> bool:
    """Whether the rule is about a change."""
    return re.search(r"\boldSelf\b", expression) is not None


def evaluate(expression: str, variables: dict[str, Any]) -> Any:
    """The value of the expression. Raises `EvaluationError`."""
    return evaluate_in(context(variables), expression)


def context(variables: dict[str, Any], functions: Mapping[str, Callable[..., Any]] | None = None) -> Any:
    """Values for several expressions, and functions that come with them."""
    return _library().Context(variables, {**_functions(), **functions} if functions else _functions())


def evaluate_in(context: Any, expression: str) -> Any:
    """The value of the expression in a `context`. Raises `EvaluationError`."""
    try:
        return _program(expression).execute(context)
    except KeyError as error:
        raise EvaluationError(f"no such key: {error.args[0]}") from None
    except ZeroDivisionError:
        raise EvaluationError("division by zero") from None
    except TypeError:
        raise EvaluationError("no such overload") from None
    except (RuntimeError, ValueError, OverflowError, IndexError) as error:
        text = str(error).partition("\n")[0]
        refused = _REFUSED.search(text)
        raise EvaluationError(refused[1] if refused else text) from None


def optional(value: Any, *, there: bool) -> Any:
    """A CEL optional."""
    kind = _library().OptionalValue
    return kind.of(value) if there else kind.none()


def value(data: Any, schema: Any) -> Any:
    """JSON as CEL sees it with this schema: names escaped, numbers, times and bytes of their types."""
    if isinstance(data, dict):
        properties, others = schema.get("properties") or {}, schema.get("additionalProperties")
        below = others if isinstance(others, dict) else {}
        return {
            escaped(name) if name in properties else name: value(item, properties.get(name, below))
            for name, item in data.items()
        }
    if isinstance(data, list):
        items = schema.get("items") or {}
        return [value(item, items) for item in data]
    if isinstance(data, int) and not isinstance(data, bool):
        return _float(data) if schema.get("type") == "number" or not -(2**63) <= data < 2**63 else data
    if isinstance(data, str) and schema.get("format") in _FORMATS:
        return _FORMATS[schema["format"]](data)
    return data


def _float(number: int) -> float:
    try:
        return float(number)
    except OverflowError:
        return math.inf if number > 0 else -math.inf


@lru_cache(maxsize=1024)
def escaped(name: str) -> str:
    """A field's name as expressions write it: ``namespace`` is ``__namespace__``."""
    if name in RESERVED:
        return f"__{name}__"
    return re.sub(r"__|[./-]", lambda match: _SPECIAL[match[0]], name)


# -- functions that Kubernetes adds --------------------------------------------------------------

_UNITS = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}


def _duration(text: str) -> timedelta:
    parts = re.findall(r"(\d+(?:\.\d*)?|\.\d+)(ns|us|µs|ms|s|m|h)", text)
    seconds = sum(float(number) * _UNITS[unit] for number, unit in parts)
    return timedelta(seconds=-seconds if text.startswith("-") else seconds)


def _timestamp(text: str) -> Any:
    from datetime import UTC, datetime

    return datetime.fromtimestamp(parse_time(text), UTC)


_FORMATS: dict[str, Callable[[str], Any]] = {"duration": _duration, "date-time": _timestamp}


def _index_of(where: Any, what: Any, start: int = 0) -> int:
    if isinstance(where, str):
        return where.find(what, start)
    return next((index for index, item in enumerate(where) if item == what), -1)


def _last_index_of(where: Any, what: Any) -> int:
    if isinstance(where, str):
        return where.rfind(what)
    return next((index for index in range(len(where) - 1, -1, -1) if where[index] == what), -1)


def _find(text: str, pattern: str) -> str:
    match = compiled(pattern).search(text)
    return match[0] if match else ""


def _find_all(text: str, pattern: str, most: int = -1) -> list[str]:
    found = [match[0] for match in compiled(pattern).finditer(text)]
    return found if most < 0 else found[:most]


_KUBERNETES: dict[str, Callable[..., Any]] = {
    "indexOf": _index_of,
    "lastIndexOf": _last_index_of,
    "find": _find,
    "findAll": _find_all,
    "isSorted": lambda items: all(one <= other for one, other in pairwise(items)),
    "sum": lambda items: sum(items),
    "min": lambda items: min(items),
    "max": lambda items: max(items),
}
