"""The two tables of the Ingress specification, as data: what every controller has to keep to.

https://kubernetes.io/docs/concepts/services-networking/ingress/#examples and #hostname-wildcards (1.36).
"""

from __future__ import annotations

from typing import NamedTuple

from kubelab.routing.model import PathMatch

_ROOT = PathMatch("Prefix", "/")
_AAA = PathMatch("Prefix", "/aaa")
_AAA_BBB = PathMatch("Prefix", "/aaa/bbb")


class PathRow(NamedTuple):
    """One row about paths."""

    number: int
    paths: tuple[PathMatch, ...]
    requests: tuple[str, ...]
    winner: PathMatch | None
    """The path that matches each of the requests; None: none does, and the default backend answers."""


class HostRow(NamedTuple):
    """One row about hosts."""

    pattern: str
    """A rule's host; empty: none."""
    host: str
    matches: bool


def _row(number: int, path: PathMatch, *requests: str, matches: bool = True) -> PathRow:
    return PathRow(number, (path,), requests, path if matches else None)


PATH_ROWS = (
    _row(1, _ROOT, "/", "/any/path"),
    _row(2, PathMatch("Exact", "/foo"), "/foo"),
    _row(3, PathMatch("Exact", "/foo"), "/bar", matches=False),
    _row(4, PathMatch("Exact", "/foo"), "/foo/", matches=False),
    _row(5, PathMatch("Exact", "/foo/"), "/foo", matches=False),
    _row(6, PathMatch("Prefix", "/foo"), "/foo", "/foo/"),
    _row(7, PathMatch("Prefix", "/foo/"), "/foo", "/foo/"),
    _row(8, PathMatch("Prefix", "/aaa/bb"), "/aaa/bbb", matches=False),
    _row(9, _AAA_BBB, "/aaa/bbb"),
    _row(10, PathMatch("Prefix", "/aaa/bbb/"), "/aaa/bbb"),
    _row(11, _AAA_BBB, "/aaa/bbb/"),
    _row(12, _AAA_BBB, "/aaa/bbb/ccc"),
    _row(13, _AAA_BBB, "/aaa/bbbxyz", matches=False),
    PathRow(14, (_ROOT, _AAA), ("/aaa/ccc",), _AAA),
    PathRow(15, (_ROOT, _AAA, _AAA_BBB), ("/aaa/bbb",), _AAA_BBB),
    PathRow(16, (_ROOT, _AAA, _AAA_BBB), ("/ccc",), _ROOT),
    _row(17, _AAA, "/ccc", matches=False),
    PathRow(18, (PathMatch("Prefix", "/foo"), PathMatch("Exact", "/foo")), ("/foo",), PathMatch("Exact", "/foo")),
)

HOST_ROWS = (
    HostRow("*.foo.com", "bar.foo.com", True),
    HostRow("*.foo.com", "baz.bar.foo.com", False),
    HostRow("*.foo.com", "foo.com", False),
    HostRow("foo.com", "foo.com", True),
    HostRow("", "any.thing", True),
)
