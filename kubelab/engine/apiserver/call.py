"""One request on its way through the server."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from kubelab.engine.apiserver.auth import User
from kubelab.engine.apiserver.routing import Target
from kubelab.engine.apiserver.status import StatusError, bad_request, invalid
from kubelab.engine.apiserver.times import rfc3339
from kubelab.engine.apiserver.validation.fields import FieldError, not_supported
from kubelab.engine.client.transport import ApiRequest

FIELD_VALIDATION = ("", "Ignore", "Strict", "Warn")
_OPTIONS = {"POST": "CreateOptions", "PUT": "UpdateOptions", "PATCH": "PatchOptions", "DELETE": "DeleteOptions"}
_MOST_DIGITS = 18


@dataclass
class Call:
    """A request with what it means and who asks. ``warnings`` travel back as Warning headers."""

    request: ApiRequest
    target: Target
    user: User
    now: float
    query: dict[str, str] = field(init=False)
    warnings: list[str] = field(default_factory=list)
    managed_fields: list[dict[str, Any]] | None = None
    """What ``metadata.managedFields`` becomes; None leaves it as it was."""
    own: bool = False
    """Whether nobody asked: what must be there is put there, whatever policies say."""

    def __post_init__(self) -> None:
        self.query = dict(reversed(self.request.query))  # of what is said twice, the first counts

    @property
    def timestamp(self) -> str:
        """Now, as metadata has it."""
        return rfc3339(self.now)

    @property
    def dry_run(self) -> bool:
        """Whether nothing may be kept. Raises a Status for values other than ``All``."""
        errors = dry_run_values(self._dry_runs)
        if errors:
            raise self.refusal(errors)
        return bool(self._dry_runs)

    @property
    def _dry_runs(self) -> list[str]:
        return [value for name, value in self.request.query if name == "dryRun"]

    def keep_nothing(self) -> None:
        """Make it a dry run: a body can ask for one, too."""
        request = self.request
        asked = [*request.query, ("dryRun", "All")]
        self.request = type(request)(request.method, request.path, asked, request.headers, request.body)

    @property
    def field_validation(self) -> str:
        """``Strict``, ``Warn`` (when not said) or ``Ignore``."""
        asked = self.query.get("fieldValidation", "")
        if asked not in FIELD_VALIDATION:
            raise self.refusal(self.unsupported())
        return asked or "Warn"

    def unsupported(self) -> list[FieldError]:
        """What is wrong with ``dryRun`` and ``fieldValidation``."""
        asked = self.query.get("fieldValidation", "")
        wrong = asked not in FIELD_VALIDATION
        return dry_run_values(self._dry_runs) + (
            [not_supported("fieldValidation", asked, FIELD_VALIDATION)] if wrong else []
        )

    def refusal(self, errors: list[FieldError]) -> StatusError:
        """422: what the request's parameters say cannot be meant."""
        return invalid(_OPTIONS.get(self.request.method, "ListOptions"), "meta.k8s.io", "", errors)

    def flag(self, name: str) -> bool:
        """A boolean parameter."""
        return is_set(self.query, name)

    def number(self, name: str) -> int:
        """A whole number; 0 when not given. Raises a 400 Status."""
        text = self.query.get(name, "")
        if not text:
            return 0
        digits = text.removeprefix("-")
        if not digits.isascii() or not digits.isdigit():
            raise bad_request(f'strconv.ParseInt: parsing "{text}": invalid syntax')
        if len(digits) > _MOST_DIGITS:
            raise bad_request(f'strconv.ParseInt: parsing "{text}": value out of range')
        return int(text)


def is_set(query: Mapping[str, str], name: str) -> bool:
    """Whether a boolean parameter is true: as upstream reads them, any value but ``false`` and ``0`` is."""
    return name in query and query[name].lower() not in ("false", "0")


def dry_run_values(asked: list[str]) -> list[FieldError]:
    """What is wrong with the values of ``dryRun``."""
    return [] if all(value == "All" for value in asked) else [not_supported("dryRun", asked, ("All",))]
