"""Events do not stay: each is forgotten some time after it was last written.

There is no timer: whoever looks at Events first sweeps out the old ones.
"""

from __future__ import annotations

from kubelab.engine.apiserver.call import parse_time
from kubelab.engine.apiserver.resources import EVENTS
from kubelab.engine.apiserver.settings import ApiServerSettings
from kubelab.engine.apiserver.storage import Store

SWEEP_SECONDS = 60.0


class EventExpiry:
    """Sweeps at most once a minute."""

    def __init__(self, store: Store, settings: ApiServerSettings) -> None:
        self._store = store
        self._clock = settings.clock
        self._ttl = settings.events_ttl_seconds
        self._next = self._clock() + SWEEP_SECONDS

    def sweep(self) -> None:
        """Remove what is too old, if it is time to look."""
        now = self._clock()
        if now < self._next:
            return
        self._next = now + SWEEP_SECONDS
        for stored in list(self._store.shelf(EVENTS.storage_key).objects.values()):
            obj = stored.obj
            last = obj.get("lastTimestamp") or obj.get("eventTime") or obj["metadata"]["creationTimestamp"]
            if now - parse_time(last) > self._ttl:
                shown = {**obj, "metadata": dict(obj["metadata"])}
                self._store.remove(EVENTS.storage_key, stored.key, shown, EVENTS.kind, EVENTS.api_version)
