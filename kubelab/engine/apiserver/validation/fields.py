"""One thing wrong with one field, worded as apimachinery's ``field.Error`` words it."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

_WORDS = {
    "FieldValueRequired": "Required value",
    "FieldValueInvalid": "Invalid value",
    "FieldValueTypeInvalid": "Invalid value",
    "FieldValueNotSupported": "Unsupported value",
    "FieldValueDuplicate": "Duplicate value",
    "FieldValueForbidden": "Forbidden",
    "FieldValueTooLong": "Too long",
    "FieldValueTooMany": "Too many",
    "FieldValueNotFound": "Not found",
}
_WITHOUT_VALUE = frozenset({"FieldValueRequired", "FieldValueForbidden", "FieldValueTooLong"})


_LARGEST_IN_FULL = 1e21
"""Go writes greater numbers with an exponent, and no whole one with a point."""


def quoted(value: Any) -> str:
    """A value as messages show it."""
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False)
    if isinstance(value, float) and value == int(value) and abs(value) < _LARGEST_IN_FULL:
        return str(int(value))
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False, sort_keys=True)


@dataclass(frozen=True)
class FieldError:
    """``reason`` is the cause's type, ``field`` a path such as ``spec.ports[0].port``."""

    reason: str
    field: str
    value: Any = None
    detail: str = ""

    def body(self) -> str:
        """The message without the field."""
        text = _WORDS[self.reason]
        if self.reason not in _WITHOUT_VALUE:
            text += f": {quoted(self.value)}"
        return f"{text}: {self.detail}" if self.detail else text

    def __str__(self) -> str:
        return f"{self.field}: {self.body()}"

    def cause(self) -> dict[str, str]:
        """The entry of ``details.causes``."""
        return {"reason": self.reason, "message": self.body(), "field": self.field}


def required(field: str, detail: str = "") -> FieldError:
    """The field must be set."""
    return FieldError("FieldValueRequired", field, None, detail)


def invalid(field: str, value: Any, detail: str) -> FieldError:
    """The value breaks a rule."""
    return FieldError("FieldValueInvalid", field, value, detail)


def not_supported(field: str, value: Any, supported: Iterable[str]) -> FieldError:
    """The value is not one of those that there are."""
    detail = "supported values: " + ", ".join(quoted(name) for name in sorted(supported))
    return FieldError("FieldValueNotSupported", field, value, detail)


def duplicate(field: str, value: Any) -> FieldError:
    """The value is there twice."""
    return FieldError("FieldValueDuplicate", field, value)


def too_many(field: str, have: int, most: int) -> FieldError:
    """There are more than may be."""
    return FieldError("FieldValueTooMany", field, have, f"must have at most {most} item{'' if most == 1 else 's'}")


def too_long(field: str, most: int) -> FieldError:
    """It has more bytes than it may."""
    return FieldError("FieldValueTooLong", field, None, f"may not be more than {most} byte{'' if most == 1 else 's'}")


def not_found(field: str, value: Any) -> FieldError:
    """The value names something that is not there."""
    return FieldError("FieldValueNotFound", field, value)


def forbidden(field: str, detail: str) -> FieldError:
    """The field must not be set, or not be changed."""
    return FieldError("FieldValueForbidden", field, None, detail)


IMMUTABLE = "field is immutable"


def immutable(field: str, new: Any, old: Any) -> list[FieldError]:
    """Nothing when they are equal."""
    return [] if new == old else [invalid(field, new, IMMUTABLE)]


def one_of(field: str, value: Any, supported: Iterable[str]) -> list[FieldError]:
    """Required when empty, unsupported when not one of them."""
    if not value:
        return [required(field)]
    return [] if value in supported else [not_supported(field, value, supported)]
