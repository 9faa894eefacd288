"""One request on its way through the server."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from kubelab.engine.apiserver.auth import User
from kubelab.engine.apiserver.routing import Target
from kubelab.engine.apiserver.status import StatusError, bad_request
from kubelab.engine.apiserver.validation.fields import not_supported
from kubelab.engine.client.transport import ApiRequest

FIELD_VALIDATION = ("Ignore", "Strict", "Warn")


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
        self.query = dict(self.request.query)

    @property
    def timestamp(self) -> str:
        """Now, as metadata has it."""
        return rfc3339(self.now)

    @property
    def dry_run(self) -> bool:
        """Whether nothing may be kept. Raises a Status for values other than ``All``."""
        asked = [value for name, value in self.request.query if name == "dryRun"]
        if any(value != "All" for value in asked):
            return _refuse("dryRun", asked[0], ("All",))
        return bool(asked)

    def keep_nothing(self) -> None:
        """Make it a dry run: a body can ask for one, too."""
        request = self.request
        asked = [*request.query, ("dryRun", "All")]
        self.request = type(request)(request.method, request.path, asked, request.headers, request.body)

    @property
    def field_validation(self) -> str:
        """``Strict``, ``Warn`` (when not said) or ``Ignore``."""
        asked = self.query.get("fieldValidation") or "Warn"
        if asked not in FIELD_VALIDATION:
            _refuse("fieldValidation", asked, FIELD_VALIDATION)
        return asked

    def flag(self, name: str) -> bool:
        """A boolean parameter."""
        return self.query.get(name, "").lower() in ("1", "true")

    def number(self, name: str) -> int:
        """A number that is not negative; 0 when not given. Raises a 400 Status."""
        text = self.query.get(name, "")
        if not text:
            return 0
        if not text.isascii() or not text.isdigit():
            raise bad_request(f'strconv.ParseInt: parsing "{text}": invalid syntax')
        return int(text)


def _refuse(name: str, value: str, supported: tuple[str, ...]) -> bool:
    error = not_supported(name, value, supported)
    details = {"causes": [error.cause()]}
    raise StatusError(422, "Invalid", f' "" is invalid: {error}', details)


def rfc3339(seconds: float) -> str:
    """Seconds since the epoch as ``2026-01-31T12:00:00Z``."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def parse_time(text: str) -> float:
    """The way back from `rfc3339`; fractions and offsets are understood."""
    return datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp()
