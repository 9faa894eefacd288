"""Where objects live: in memory for reading, in SQLite for keeps.

A write is committed before it is acknowledged, and nothing else is needed to come back after ``kill -9``:
SQLite runs in WAL mode, whose commits survive the death of the process. One revision counts all writes and
is every object's ``resourceVersion``; it never goes back.
"""

from __future__ import annotations

import json
import sqlite3
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, NamedTuple

from kubelab.engine.apiserver.encoding import Object, encode_object

Key = tuple[str, str]
"""Namespace (empty for cluster-scoped objects) and name."""

_SCHEMA = """
CREATE TABLE IF NOT EXISTS objects (
    resource TEXT NOT NULL, namespace TEXT NOT NULL, name TEXT NOT NULL,
    revision INTEGER NOT NULL, body BLOB NOT NULL,
    PRIMARY KEY (resource, namespace, name)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS facts (name TEXT PRIMARY KEY, value) WITHOUT ROWID;
"""


_COLUMNS = tuple((name, *(6 * (None,))) for name in ("resource", "namespace", "name", "revision", "body"))
"""Of ``objects``, as a cursor describes them."""


@dataclass(frozen=True, slots=True)
class Stored:
    """One version of one object. ``obj`` is shared: whoever changes it copies it first."""

    key: Key
    revision: int
    obj: Object
    raw: bytes
    """The object as JSON, type first."""


class Event(NamedTuple):
    """One change: ``old`` is what was there before it, ``new`` what is there (for DELETED: the last words)."""

    revision: int
    type: Literal["ADDED", "MODIFIED", "DELETED"]
    old: Stored | None
    new: Stored


class Write(NamedTuple):
    """One change to be made: the object as it is to be, or as its DELETED event shows it when it is ``gone``."""

    resource: str
    """`ResourceType.storage_key`."""
    key: Key
    obj: Object
    kind: str
    api_version: str
    gone: bool = False


Listener = Callable[[Event], None]


class Shelf:
    """All objects of one resource, and its latest events."""

    def __init__(self, name: str, window: int, revision: int) -> None:
        self.name = name
        self.objects: dict[Key, Stored] = {}
        self.events: deque[Event] = deque(maxlen=window)
        self.listeners: list[Listener] = []
        self._begin = revision
        self._order: list[Key] | None = None

    @property
    def floor(self) -> int:
        """The oldest revision from which every event since is still known."""
        if len(self.events) == self.events.maxlen:
            return self.events[0].revision
        return self._begin

    def sorted(self) -> list[Stored]:
        """Every object by namespace and name."""
        if self._order is None:
            self._order = sorted(self.objects)
        objects = self.objects
        return [objects[key] for key in self._order]

    def as_of(self, revision: int) -> list[Stored]:
        """Every object as it was at a revision not below `floor`, by namespace and name."""
        past = dict(self.objects)
        for event in reversed(self.events):
            if event.revision <= revision:
                break
            if event.old is None:
                past.pop(event.new.key, None)
            else:
                past[event.new.key] = event.old
        return [past[key] for key in sorted(past)]

    def apply(self, event: Event) -> None:
        """Take a committed change in and tell the listeners."""
        key = event.new.key
        if event.type == "DELETED":
            del self.objects[key]
        else:
            self.objects[key] = event.new
        if event.type != "MODIFIED":
            self._order = None
        self.events.append(event)
        for listener in list(self.listeners):
            listener(event)


class Store:
    """The objects of every resource."""

    def __init__(self, database: Path | str, *, window: int = 1000) -> None:
        """Open or make it. Raises `sqlite3.Error` and ValueError for one that is damaged, or of another layout."""
        _refuse_emptied(Path(database))
        self._db = sqlite3.connect(database, isolation_level=None, check_same_thread=False, cached_statements=16)
        self._db.execute("PRAGMA journal_mode=WAL")
        self._db.execute("PRAGMA synchronous=NORMAL")
        self._db.executescript(_SCHEMA)
        if self._db.execute("PRAGMA quick_check(1)").fetchone()[0] != "ok":  # half of them may be readable still
            raise sqlite3.DatabaseError("the file is damaged")
        if self._db.execute("SELECT * FROM objects LIMIT 0").description != _COLUMNS:
            raise sqlite3.DatabaseError("another version of kubelab has written them")
        self._window = window
        self._shelves: dict[str, Shelf] = {}
        deleted = self.fact("revision")
        written = self._db.execute("SELECT max(revision) FROM objects").fetchone()[0]
        self.revision = max(int(deleted or 0), written or 0, 1)
        self._load()

    def _load(self) -> None:
        rows = self._db.execute("SELECT resource, namespace, name, revision, body FROM objects")
        for resource, namespace, name, revision, body in rows:
            stored = Stored((namespace, name), revision, json.loads(body), body)
            self.shelf(resource).objects[stored.key] = stored

    def fact(self, name: str) -> str | None:
        """A string kept beside the objects."""
        row = self._db.execute("SELECT value FROM facts WHERE name = ?", (name,)).fetchone()
        return None if row is None else str(row[0])

    def keep_fact(self, name: str, value: str) -> None:
        """Keep a string beside the objects."""
        self._db.execute("INSERT OR REPLACE INTO facts VALUES (?, ?)", (name, value))

    def is_usable(self) -> bool:
        """Whether the database answers."""
        try:
            self._db.execute("SELECT 1").fetchone()
        except sqlite3.Error:
            return False
        return True

    def counts(self) -> dict[str, int]:
        """How many objects there are of each resource (``group/plural``)."""
        return {name: len(shelf.objects) for name, shelf in sorted(self._shelves.items())}

    def shelf(self, resource: str) -> Shelf:
        """The shelf of a resource (`ResourceType.storage_key`)."""
        shelf = self._shelves.get(resource)
        if shelf is None:
            shelf = self._shelves[resource] = Shelf(resource, self._window, self.revision)
        return shelf

    def get(self, resource: str, key: Key) -> Stored | None:
        """The object, or None."""
        return self.shelf(resource).objects.get(key)

    def put(self, resource: str, key: Key, obj: Object, kind: str, api_version: str) -> Stored:
        """Create or replace; sets ``metadata.resourceVersion`` in ``obj``, which belongs to the store from now on."""
        return self.commit(Write(resource, key, obj, kind, api_version))

    def remove(self, resource: str, key: Key, last: Object, kind: str, api_version: str) -> Stored:
        """Take the object away; ``last`` is how its DELETED event shows it."""
        return self.commit(Write(resource, key, last, kind, api_version, gone=True))

    def commit(self, first: Write, *others: Write) -> Stored:
        """Make several changes as one: all of them are kept, or none. Answers what became of the first."""
        if not others and not first.gone:
            event = self._keep(first, self.revision + 1)
            self._publish([(first, event)])
            return event.new
        events: list[tuple[Write, Event]] = []
        with self._db:
            self._db.execute("BEGIN")
            for revision, write in enumerate((first, *others), start=self.revision + 1):
                events.append((write, self._keep(write, revision)))
        self._publish(events)
        return events[0][1].new

    def _keep(self, write: Write, revision: int) -> Event:
        resource, key, obj = write.resource, write.key, write.obj
        obj["metadata"]["resourceVersion"] = str(revision)
        new = Stored(key, revision, obj, encode_object(obj, write.kind, write.api_version))
        old = self.shelf(resource).objects.get(key)
        if write.gone:
            self._db.execute("DELETE FROM objects WHERE resource = ? AND namespace = ? AND name = ?", (resource, *key))
            self.keep_fact("revision", str(revision))
            return Event(revision, "DELETED", old, new)
        self._db.execute("INSERT OR REPLACE INTO objects VALUES (?, ?, ?, ?, ?)", (resource, *key, revision, new.raw))
        return Event(revision, "MODIFIED" if old else "ADDED", old, new)

    def _publish(self, events: list[tuple[Write, Event]]) -> None:
        self.revision = events[-1][1].revision
        for write, event in events:
            self.shelf(write.resource).apply(event)

    def close(self) -> None:
        """Close the database."""
        self._db.close()


def _refuse_emptied(database: Path) -> None:
    """SQLite takes an empty file for a new database, and throws away what lies in the log beside it."""
    log = database.with_name(f"{database.name}-wal")
    if database.exists() and not database.stat().st_size and log.exists() and log.stat().st_size:
        raise sqlite3.DatabaseError("the file is empty, although there were objects in it")


class ByNamespace:
    """The objects of one shelf, found by their namespace without a look at all others."""

    def __init__(self, shelf: Shelf) -> None:
        self._found: dict[str, dict[str, Stored]] = {}
        for stored in shelf.objects.values():
            self._learn(stored)
        shelf.listeners.append(self._follow)

    def of(self, namespace: str) -> list[Stored]:
        """Those of the namespace, by name."""
        found = self._found.get(namespace)
        return [found[name] for name in sorted(found)] if found else []

    def _learn(self, stored: Stored) -> None:
        self._found.setdefault(stored.key[0], {})[stored.key[1]] = stored

    def _follow(self, event: Event) -> None:
        if event.type == "DELETED":
            self._found[event.new.key[0]].pop(event.new.key[1], None)
        else:
            self._learn(event.new)


def in_namespace(objects: Iterable[Stored], namespace: str) -> Iterable[Stored]:
    """Those of one namespace; all when it is empty."""
    if not namespace:
        return objects
    return (stored for stored in objects if stored.key[0] == namespace)
