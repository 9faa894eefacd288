"""What the API server counts of itself, under kube-apiserver's names.

Source: https://kubernetes.io/docs/reference/instrumentation/metrics/ (1.36)
"""

from __future__ import annotations

import os
import resource
import time

from kubelab.engine.apiserver.access.attributes import verb_of
from kubelab.engine.apiserver.call import is_set
from kubelab.engine.apiserver.routing import Target
from kubelab.engine.apiserver.storage import Store
from kubelab.engine.client.transport import ApiRequest
from kubelab.engine.config import KUBERNETES_VERSION
from kubelab.engine.metrics import Metrics

_VERBS = {"get": "GET", "list": "LIST", "watch": "WATCH", "create": "POST", "update": "PUT", "patch": "PATCH",
          "delete": "DELETE", "deletecollection": "DELETE"}  # fmt: skip
_STARTED = time.time()


class ApiMetrics:
    """Requests, stored objects and the process."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._metrics = Metrics()
        self._metrics.set("kubernetes_build_info", 1, git_version=KUBERNETES_VERSION, platform="linux/amd64")

    def count(self, request: ApiRequest, target: Target, code: int, seconds: float) -> None:
        """A request for a resource was answered; of a watch: it began."""
        query = dict(request.query)
        rtype, named = target.rtype, bool(target.name)
        verb = _VERBS.get(verb_of(request.method, named=named, watch=is_set(query, "watch")), request.method)
        labels = {
            "verb": verb,
            "group": rtype.group,
            "version": rtype.version,
            "resource": rtype.plural,
            "subresource": target.subresource,
            "scope": "resource" if named else "namespace" if target.namespace else "cluster",
            "component": "apiserver",
        }
        dry_run = query.get("dryRun", "")
        self._metrics.add("apiserver_request_total", 1, **labels, code=str(code), dry_run=dry_run)
        if verb != "WATCH":
            self._metrics.observe("apiserver_request_duration_seconds", seconds, **labels, dry_run=dry_run)

    def text(self) -> str:
        """The exposition format, as of now."""
        for name, many in self._store.counts().items():
            group, _, plural = name.rpartition("/")
            self._metrics.set("apiserver_resource_objects", many, group=group, resource=plural)
        used = resource.getrusage(resource.RUSAGE_SELF)
        self._metrics.set("process_cpu_seconds_total", used.ru_utime + used.ru_stime)
        self._metrics.set("process_open_fds", len(os.listdir("/proc/self/fd")))
        self._metrics.set("process_start_time_seconds", _STARTED)
        return self._metrics.text()
