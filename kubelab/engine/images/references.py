"""Image names: checked and completed as a container runtime does (``python`` → ``docker.io/library/python:latest``).

The grammar is the distribution project's "reference": https://github.com/distribution/reference.
"""

from __future__ import annotations

import re
from typing import NamedTuple

_HOST = r"(?:[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?)(?:\.[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?)*(?::[0-9]+)?"
_PART = r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*"
_REFERENCE = re.compile(
    rf"(?P<name>(?:{_HOST}/)?{_PART}(?:/{_PART})*)"
    r"(?::(?P<tag>[\w][\w.-]{0,127}))?"
    r"(?:@(?P<digest>[A-Za-z][A-Za-z0-9]*:[0-9a-fA-F]{32,}))?",
    re.ASCII,
)


class InvalidImageName(ValueError):
    """The text cannot be an image name. The message is kubelet's."""


class Reference(NamedTuple):
    """A complete image name."""

    repository: str
    """With its registry: ``registry.k8s.io/pause``, ``docker.io/library/python``."""
    tag: str
    digest: str = ""

    def __str__(self) -> str:
        return self.repository + (f":{self.tag}" if self.tag else "") + (f"@{self.digest}" if self.digest else "")


def parse(image: str) -> Reference:
    """The complete name. Raises `InvalidImageName`."""
    found = _REFERENCE.fullmatch(image)
    if found is None:
        raise InvalidImageName(
            f'Failed to apply default image tag "{image}": '
            f'couldn\'t parse image name "{image}": invalid reference format'
        )
    tag, digest = found["tag"] or "", found["digest"] or ""
    return Reference(_complete(found["name"]), tag or ("" if digest else "latest"), digest)


def _complete(name: str) -> str:
    first, slash, rest = name.partition("/")
    is_registry = slash and ("." in first or ":" in first or first == "localhost")
    registry, path = (first, rest) if is_registry else ("docker.io", name)
    if registry == "index.docker.io":
        registry = "docker.io"
    if registry == "docker.io" and "/" not in path:
        path = f"library/{path}"
    return f"{registry}/{path}"
