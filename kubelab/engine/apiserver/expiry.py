"""Events do not stay: each is forgotten some time after it was last written.

There is no timer: whoever looks at Events first sweeps out the old ones. An Event's age is what has passed since it was
seen to be written, so that none goes, or stays, because the machine's time was set; only of those that an earlier
engine has left does the time written in them tell.
"""

from __future__ import annotations

from kubelab.engine.apiserver.resources import EVENTS
from kubelab.engine.apiserver.settings import ApiServerSettings
from kubelab.engine.apiserver.storage import Event, Key, Store, Stored
from kubelab.engine.apiserver.times import parse_time

SWEEP_SECONDS = 60.0


class EventExpiry:
    """Sweeps at most once a minute."""

    def __init__(self, store: Store, settings: ApiServerSettings) -> None:
        self._store = store
        self._steady = settings.steady
        self._ttl = settings.events_ttl_seconds
        passed, now = self._steady(), settings.clock()
        self._next = passed + SWEEP_SECONDS
        shelf = store.shelf(EVENTS.storage_key)
        self._written = {key: passed - _age(stored, now) for key, stored in shelf.objects.items()}
        shelf.listeners.append(self._follow)

    def sweep(self) -> None:
        """Remove what is too old, if it is time to look."""
        passed = self._steady()
        if passed < self._next:
            return
        self._next = passed + SWEEP_SECONDS
        for key in [key for key, since in self._written.items() if passed - since > self._ttl]:
            stored = self._store.get(EVENTS.storage_key, key)
            assert stored is not None
            shown = {**stored.obj, "metadata": dict(stored.obj["metadata"])}
            self._store.remove(EVENTS.storage_key, key, shown, EVENTS.kind, EVENTS.api_version)

    def _follow(self, event: Event) -> None:
        key: Key = event.new.key
        if event.type == "DELETED":
            self._written.pop(key, None)
        else:
            self._written[key] = self._steady()


def _age(stored: Stored, now: float) -> float:
    """Seconds since it was last written, by its own word; never negative."""
    obj = stored.obj
    last = obj.get("lastTimestamp") or obj.get("eventTime") or obj["metadata"]["creationTimestamp"]
    return max(now - parse_time(last), 0.0)
