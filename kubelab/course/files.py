"""The manifests and programs of a lesson, kept as package data; those of several lessons are in `course.programs`."""

from __future__ import annotations

from importlib import resources
from string import Template
from typing import Any

import yaml

from kubelab.lab.api import Object

SHARED = "kubelab.course.programs"
_FILE = "@file: "


def text(package: str, name: str) -> str:
    """A file of a lesson, or one that lessons share."""
    own = resources.files(f"kubelab.course.lessons.{package}").joinpath(name)
    return (own if own.is_file() else resources.files(SHARED).joinpath(name)).read_text()


def manifest(package: str, name: str, **values: object) -> list[Object]:
    """The objects of ``name``.yaml, ``${…}`` filled in; a value ``@file: server.py`` becomes that file's text."""
    filled = Template(text(package, f"{name}.yaml")).substitute({key: str(value) for key, value in values.items()})
    return [_with_files(package, document) for document in yaml.safe_load_all(filled)]


def _with_files(package: str, value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _with_files(package, inner) for key, inner in value.items()}
    if isinstance(value, str) and value.startswith(_FILE):
        return text(package, value.removeprefix(_FILE))
    return value
