"""Objects as the API stores them, made in one line."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import count

import pytest

NOW = datetime(2026, 11, 23, 12, 0, 0, tzinfo=UTC)
_numbers = count(1)


class Make:
    """What most tests need; every keyword goes where the API has it."""

    now = NOW

    @staticmethod
    def ago(seconds: float) -> str:
        return (NOW - timedelta(seconds=seconds)).strftime("%Y-%m-%dT%H:%M:%SZ")

    def meta(self, name: str, *, labels=None, annotations=None, owner=None, age=3600, deleting=False, **more) -> dict:
        meta = {
            "name": name,
            "namespace": "default",
            "uid": f"uid-{name}",
            "resourceVersion": str(next(_numbers)),
            "creationTimestamp": self.ago(age),
            "labels": labels or {},
            "annotations": annotations or {},
            **more,
        }
        if owner is not None:
            meta["ownerReferences"] = [
                {"apiVersion": "v1", "kind": "Any", "name": "any", "uid": owner, "controller": True}
            ]
        if deleting:
            meta["deletionTimestamp"] = self.ago(0)
        return meta

    def pod(
        self,
        name: str,
        *,
        ip=None,
        node="node-a",
        ready=True,
        phase="Running",
        since=600,
        restarts=0,
        spec=None,
        **meta,
    ) -> dict:
        conditions = [{"type": "Ready", "status": "True" if ready else "False", "lastTransitionTime": self.ago(since)}]
        status = {"phase": phase, "conditions": conditions, "containerStatuses": [{"restartCount": restarts}]}
        if ip:
            status |= {"podIP": ip, "podIPs": [{"ip": ip}]}
        spec = {"containers": [{"name": "main", "image": "agnhost"}], **(spec or {})}
        if node:
            spec["nodeName"] = node
        return {"metadata": self.meta(name, **meta), "spec": spec, "status": status}

    def node(self, name: str, *, labels=None, taints=(), ready="True", allocatable=None, **spec) -> dict:
        meta = self.meta(name, labels={"kubernetes.io/hostname": name, **(labels or {})})
        del meta["namespace"]
        status = {
            "conditions": [{"type": "Ready", "status": ready, "lastTransitionTime": self.ago(600)}],
            "allocatable": {"cpu": "2", "memory": "4Gi", "pods": "110", **(allocatable or {})},
        }
        return {"metadata": meta, "spec": {**spec, **({"taints": list(taints)} if taints else {})}, "status": status}

    def service(self, name: str = "web", *, selector=None, ports=None, **more) -> dict:
        meta = self.meta(name, **{key: more.pop(key) for key in ("labels", "annotations") if key in more})
        spec = {
            "clusterIP": "10.96.0.7",
            "selector": {"app": name} if selector is None else selector,
            "ports": ports or [{"name": "http", "port": 80, "targetPort": 8080, "protocol": "TCP"}],
            **more,
        }
        return {"metadata": meta, "spec": spec}

    def replicaset(
        self, name: str, replicas: int, *, of=None, available=None, total=None, image="agnhost:1", spec=None, **meta
    ) -> dict:
        total = replicas if total is None else total
        available = total if available is None else available
        status = {
            "replicas": total,
            "readyReplicas": available,
            "availableReplicas": available,
            "observedGeneration": 1,
        }
        labels = {"app": "web", "pod-template-hash": name.rpartition("-")[2]}
        template = {"metadata": {"labels": labels}, "spec": {"containers": [{"name": "main", "image": image}]}}
        return {
            "metadata": self.meta(name, labels=labels, generation=1, **meta),
            "spec": {
                "replicas": replicas,
                "selector": {"matchLabels": labels},
                "template": template,
                **(spec or {}),
            },
            "status": {key: value for key, value in status.items() if value},
        }

    def deployment(
        self, replicas: int, *, image="agnhost:1", surge="25%", unavailable="25%", status=None, annotations=None, **spec
    ) -> dict:
        template = {
            "metadata": {"labels": {"app": "web"}},
            "spec": {"containers": [{"name": "main", "image": image}]},
        }
        strategy = {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": surge, "maxUnavailable": unavailable}}
        return {
            "metadata": self.meta("web", generation=1, annotations=annotations),
            "spec": {
                "replicas": replicas,
                "selector": {"matchLabels": {"app": "web"}},
                "template": template,
                "strategy": strategy,
                "progressDeadlineSeconds": 600,
                "revisionHistoryLimit": 10,
                **spec,
            },
            "status": status or {},
        }


@pytest.fixture
def make() -> Make:
    return Make()
