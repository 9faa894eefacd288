"""YAML in, objects out; every complaint names the line.

A learner's manifest is checked in two steps: here for what YAML can say about it, and by the API server, which knows
the fields (``fieldValidation=Strict``). The server names a path, `Manifest.line` turns it back into a line.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from kubelab.lab.api import Object
from kubelab.lab.errors import BadManifest

Source = str | Path | Object | Sequence[Object]
"""What `apply` takes: YAML text, a path, an object, or several objects."""


@dataclass(frozen=True)
class Manifest:
    """One object and where its fields stand in the text it came from (no lines when it came as a dict)."""

    object: Object
    node: yaml.Node | None = field(default=None, repr=False)

    @property
    def kind(self) -> str:
        return self.object["kind"]

    @property
    def api_version(self) -> str:
        return self.object["apiVersion"]

    @property
    def name(self) -> str:
        return self.object["metadata"]["name"]

    def __str__(self) -> str:
        return f"{self.kind}/{self.name}"

    def line(self, path: str) -> str:
        """Where a field such as ``spec.template.spec.containers[0].imge`` stands: `` (line 12)``, or nothing."""
        node = self.node
        mark = node.start_mark if node else None
        for step in re.findall(r"[^.\[\]]+", path):
            mark, node = _step(node, step)
            if mark is None:
                return ""
        return f" (line {mark.line + 1})" if mark else ""


def _step(node: yaml.Node | None, step: str) -> tuple[yaml.Mark | None, yaml.Node | None]:
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            if key.value == step:
                return key.start_mark, value
    if isinstance(node, yaml.SequenceNode) and step.isdigit() and int(step) < len(node.value):
        element = node.value[int(step)]
        return element.start_mark, element
    if isinstance(node, yaml.SequenceNode) and len(node.value) == 1:
        # Some complaints leave indices out (spec.ports.port); with one element there is no doubt.
        return _step(node.value[0], step)
    return None, None


def read(source: Source) -> list[Manifest]:
    """The objects of a source, a ``List`` unpacked. Raises `BadManifest`."""
    if isinstance(source, dict):
        manifests = [Manifest(source)]
    elif isinstance(source, (str, Path)):
        manifests = list(_parse(_text(source)))
    else:
        manifests = [manifest for element in source for manifest in read(element)]
    flat = [inner for manifest in manifests for inner in _unpack(manifest)]
    if not flat:
        raise BadManifest("There is no object in this manifest; it needs at least apiVersion, kind and metadata.name.")
    for manifest in flat:
        _check_head(manifest)
    return flat


def _text(source: str | Path) -> str:
    """YAML text as it is; a path (a `Path`, or one line that ends like a YAML file's name) is read."""
    is_path = isinstance(source, Path) or ("\n" not in source and source.strip().endswith((".yaml", ".yml")))
    if not is_path:
        return str(source)
    try:
        return Path(source).read_text()
    except OSError as error:
        raise BadManifest(f"The file {source} cannot be read: {error.strerror}.") from error


def _parse(text: str) -> Iterator[Manifest]:
    loader = yaml.SafeLoader(text)
    try:
        while loader.check_node():
            node = loader.get_node()
            assert node is not None  # check_node said so
            _refuse_duplicates(node)
            value = loader.construct_document(node)
            if value is None:
                continue
            if not isinstance(value, dict):
                raise BadManifest(
                    f"Line {node.start_mark.line + 1} holds {_plain(value)} where an object with apiVersion, kind and "
                    "metadata is expected."
                )
            yield Manifest(value, node)
    except yaml.MarkedYAMLError as error:
        raise BadManifest(_malformed(error)) from error
    except yaml.YAMLError as error:
        raise BadManifest(f"The YAML is malformed: {' '.join(str(error).split())}.") from error
    finally:
        loader.dispose()


def _malformed(error: yaml.MarkedYAMLError) -> str:
    mark = error.problem_mark or error.context_mark
    where = f"in line {mark.line + 1}, column {mark.column + 1}" if mark else "somewhere"
    advice = ""
    if "'\\t'" in str(error.problem):
        advice = " YAML is indented with spaces, never with tabs."
    elif "mapping values are not allowed" in str(error.problem):
        advice = " Look at the indentation of this line and the one before it."
    return f"The YAML is malformed {where}: {error.problem}.{advice}"


def _refuse_duplicates(node: yaml.Node) -> None:
    """YAML forbids a key twice in one mapping (1.2, section 3.2.1.3); PyYAML would silently keep the last."""
    children: Iterable[yaml.Node] = ()
    if isinstance(node, yaml.MappingNode):
        seen: set[str] = set()
        for key, _ in node.value:
            if isinstance(key, yaml.ScalarNode) and key.value in seen:
                raise BadManifest(f"Line {key.start_mark.line + 1} gives the key {key.value!r} a second time.")
            seen.add(getattr(key, "value", ""))
        children = (value for _, value in node.value)
    elif isinstance(node, yaml.SequenceNode):
        children = node.value
    for child in children:
        _refuse_duplicates(child)


def _unpack(manifest: Manifest) -> Iterator[Manifest]:
    if manifest.object.get("kind") == "List" and isinstance(manifest.object.get("items"), list):
        yield from (Manifest(item) for item in manifest.object["items"])
    else:
        yield manifest


def _check_head(manifest: Manifest) -> None:
    head = manifest.object
    for key in ("apiVersion", "kind"):
        if not isinstance(head.get(key), str) or not head[key]:
            raise BadManifest(f"An object{manifest.line('')} has no {key}.")
    metadata = head.get("metadata")
    if not isinstance(metadata, dict) or not isinstance(metadata.get("name"), str):
        raise BadManifest(f"The {head['kind']}{manifest.line('')} has no metadata.name.")


def _plain(value: Any) -> str:
    return {list: "a list", str: "text", int: "a number", float: "a number", bool: "true or false"}.get(
        type(value), "something else"
    )
