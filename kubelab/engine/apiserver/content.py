"""What is in a request's body, and what the client wants to read."""

from __future__ import annotations

import json
import math
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import yaml

from kubelab.engine.apiserver import protobuf
from kubelab.engine.apiserver.json_errors import go_json_error
from kubelab.engine.apiserver.status import (
    StatusError,
    bad_request,
    not_acceptable,
    too_large,
    unsupported_media_type,
)

LARGEST_BODY = 3 * 1024 * 1024
DEEPEST_BODY = 100
MOST_VALUES = 100_000
"""In one body. No object that etcd would keep (1.5 MiB) has so many, and more keep everybody else waiting."""
_META, _META_VERSIONS = "meta.k8s.io", ("v1", "v1beta1")
_OF_META = ("Table", "PartialObjectMetadata", "PartialObjectMetadataList")
JSON = "application/json"
YAML = "application/yaml"

_CROWDED = f"the body has more than {MOST_VALUES} values"
_PAIR = r"\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}"
_ESCAPE = re.compile(rf"{_PAIR}|(\\u[dD][89a-fA-F][0-9a-fA-F]{{2}})|\\.")
"""An escape in JSON's text; the group holds half of a pair that is alone."""


class _Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]
    """YAML 1.1, whose booleans are also ``y`` and ``n``."""


_Loader.yaml_implicit_resolvers = {  # every loader has the same table: this one gets its own
    letter: list(known) for letter, known in _Loader.yaml_implicit_resolvers.items()
}
_Loader.add_implicit_resolver("tag:yaml.org,2002:bool", re.compile("^[yYnN]$"), list("yYnN"))
_Loader.bool_values = {**_Loader.bool_values, "y": True, "n": False}


class Unreadable(StatusError):
    """A 400 Status: the body is not what its type says. The message is the parser's."""

    def __init__(self, message: str) -> None:
        super().__init__(400, "BadRequest", message)
        self.why = message.removeprefix("couldn't get version/kind; json parse error: ")
        """Without what was wanted of the body."""


class Duplicates(list[str]):
    """What a strict reader says of fields that one object of a body has twice."""


@dataclass(frozen=True)
class Wanted:
    """What to answer: ``kind`` is what the object becomes, ``yaml`` how it is written."""

    kind: str = ""
    """Empty for the object itself, or ``Table``, ``PartialObjectMetadata``, ``APIGroupDiscoveryList``."""
    group_version: str = ""
    yaml: bool = False

    @property
    def content_type(self) -> str:
        """For the answer's header."""
        return YAML if self.yaml else JSON


def parse_body(body: bytes, content_type: str, duplicates: Duplicates | None = None, schema: str = "") -> Any:
    """The data in a JSON or YAML body, or a protobuf one if the ``schema`` of its message is given. Raises a Status."""
    if len(body) > LARGEST_BODY:
        raise too_large()
    media = content_type.partition(";")[0].strip().lower()
    if media in ("", JSON) or media.endswith("+json"):
        data = _json(body, duplicates)
    elif media == YAML or media.endswith("+yaml"):
        data = _yaml(body, duplicates)
    elif media == protobuf.MEDIA_TYPE and schema:
        data = protobuf.decode(body, schema)
    else:
        raise unsupported_media_type((JSON, YAML, protobuf.MEDIA_TYPE))
    if len(body) > MOST_VALUES and _is_crowded(data):
        raise bad_request(_CROWDED)
    return data


def _json(body: bytes, duplicates: Duplicates | None) -> Any:
    repeated: list[tuple[int, list[str]]] = []

    def noting(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        made = dict(pairs)
        if len(made) != len(pairs):
            counts = Counter(name for name, _ in pairs)
            repeated.append((id(made), [name for name in made if counts[name] > 1]))
            kept.append(made)  # so that no other gets its id
        return made

    kept: list[Any] = []
    try:
        if nesting(body) > DEEPEST_BODY:
            raise bad_request(f"the body nests deeper than {DEEPEST_BODY} levels")
        text = _whole_characters(body.decode())
        hook = noting if duplicates is not None else None
        data = json.loads(text, object_pairs_hook=hook, parse_constant=_refuse, parse_float=_finite)
        if repeated and duplicates is not None:
            found = _placed(data, dict(repeated))
            duplicates.extend(f'duplicate field "{path}"' for path in found)
        return data
    except UnicodeDecodeError:
        raise bad_request("the body is not valid UTF-8") from None
    except RecursionError:
        raise bad_request("the body nests too deeply") from None
    except json.JSONDecodeError as error:
        raise Unreadable(f"couldn't get version/kind; json parse error: {go_json_error(error)}") from None
    except ValueError:  # Python's limit for the digits of an integer
        raise bad_request("couldn't get version/kind; json parse error: a number has too many digits") from None


def _whole_characters(text: str) -> str:
    """JSON can escape half a character, which no UTF-8 can hold; Go's decoder reads U+FFFD instead."""
    if "\\ud" not in text and "\\uD" not in text:
        return text
    return _ESCAPE.sub(lambda found: r"\ufffd" if found[1] else found[0], text)


def _finite(text: str) -> float:
    number = float(text)
    if math.isinf(number):
        raise bad_request(f"couldn't get version/kind; json parse error: the number {text} is out of range")
    return number


def _refuse(constant: str) -> Any:
    character = f"invalid character '{constant[0]}' looking for beginning of value"
    raise Unreadable(f"couldn't get version/kind; json parse error: {character}")


def _placed(value: Any, repeated: dict[int, list[str]], path: str = "") -> Iterator[str]:
    """The paths of fields that are there twice, in a value whose objects are known by their identity."""
    if isinstance(value, dict):
        yield from (f"{path}.{name}" if path else name for name in repeated.get(id(value), ()))
        for name, below in value.items():
            yield from _placed(below, repeated, f"{path}.{name}" if path else name)
    elif isinstance(value, list):
        for index, below in enumerate(value):
            yield from _placed(below, repeated, f"{path}[{index}]")


def nesting(body: bytes) -> int:
    """An upper bound of how deeply a JSON body nests, found without parsing it."""
    most = min(body.count(b"{") + body.count(b"["), len(body))
    if most <= DEEPEST_BODY:
        return most
    depth = deepest = 0
    for byte in body:
        if byte in b"{[":
            depth += 1
            deepest = max(deepest, depth)
        elif byte in b"}]":
            depth -= 1
    return deepest


def _is_crowded(data: Any) -> bool:
    left, waiting = MOST_VALUES, [data]
    while waiting and left >= 0:
        value = waiting.pop()
        if isinstance(value, dict | list):
            left -= len(value)
            waiting.extend(value.values() if isinstance(value, dict) else value)
    return left < 0


def _yaml(body: bytes, duplicates: Duplicates | None) -> Any:
    try:
        _refuse_bombs(body, duplicates)
        return json.loads(json.dumps(yaml.load(body, Loader=_Loader), default=str, allow_nan=False))
    except (yaml.YAMLError, ValueError, TypeError, LookupError) as error:  # what a tag's text can raise
        reason = " ".join(str(error).split())
        raise Unreadable(f"error converting YAML to JSON: yaml: {reason}") from None


def _refuse_bombs(body: bytes, duplicates: Duplicates | None) -> None:
    """Look at the events first: libyaml's loader recurses in C, where too deep a body ends the process."""
    depth, keys = 0, _Keys(duplicates)
    for count, event in enumerate(yaml.parse(body, Loader=_Loader)):
        if count > 2 * MOST_VALUES:
            raise bad_request(_CROWDED)
        keys.note(event)
        if isinstance(event, yaml.AliasEvent):
            raise bad_request("error converting YAML to JSON: aliases are not read here")
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
            if depth > DEEPEST_BODY:
                raise bad_request(f"the body nests deeper than {DEEPEST_BODY} levels")
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1


class _Keys:
    """Finds the keys that a mapping has twice, in the order of the parser's events."""

    def __init__(self, duplicates: Duplicates | None) -> None:
        self._duplicates = duplicates
        self._open: list[tuple[set[str], list[bool]] | None] = []

    def note(self, event: yaml.Event) -> None:
        """The next event."""
        if isinstance(event, yaml.CollectionEndEvent):
            self._open.pop()
        elif isinstance(event, yaml.NodeEvent):
            is_key = self._is_key()
            if is_key and isinstance(event, yaml.ScalarEvent):
                self._key(event)
            if isinstance(event, yaml.CollectionStartEvent):
                self._open.append((set(), [False]) if isinstance(event, yaml.MappingStartEvent) else None)

    def _is_key(self) -> bool:
        holder = self._open[-1] if self._open else None
        if holder is None:
            return False
        holder[1][0] = not holder[1][0]
        return holder[1][0]

    def _key(self, event: yaml.ScalarEvent) -> None:
        holder = self._open[-1]
        assert holder is not None
        if event.value in holder[0] and self._duplicates is not None:
            line = event.start_mark.line + 1 if event.start_mark else 0
            self._duplicates.append(f'line {line}: key "{event.value}" already set in map')
        holder[0].add(event.value)


def wanted(headers: Mapping[str, str], *kinds: str) -> Wanted:
    """The best of what the Accept header asks for; only the ``kinds`` named are offered beside the object itself.

    Raises a 406 Status when there is nothing.
    """
    accept = headers.get("accept") or "*/*"
    for clause in accept.split(","):
        media, *parameters = [part.strip() for part in clause.split(";")]
        if media not in (JSON, YAML, "*/*", "application/*"):
            continue
        options = dict(part.partition("=")[::2] for part in parameters)
        kind = options.get("as", "")
        if not kind:
            return Wanted(yaml=media == YAML)
        group, version = options.get("g", ""), options.get("v", "")
        if kind in kinds and (group != _META or version in _META_VERSIONS) and (group == _META) == (kind in _OF_META):
            return Wanted(kind, f"{group}/{version}", media == YAML)
    raise not_acceptable()


def to_yaml(body: bytes) -> bytes:
    """JSON as YAML."""
    dumper: Any = getattr(yaml, "CSafeDumper", yaml.SafeDumper)
    return yaml.dump(json.loads(body), Dumper=dumper, default_flow_style=False, allow_unicode=True).encode()
