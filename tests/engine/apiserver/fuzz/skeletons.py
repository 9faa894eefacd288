"""A valid object of every kind that the API stores, and of a custom one: what mutations begin with."""

from __future__ import annotations

import json
from typing import Any

Object = dict[str, Any]

LABELS = {"app": "web"}
CONTAINER: Object = {
    "name": "main", "image": "registry.k8s.io/e2e-test-images/agnhost:2.53", "args": ["netexec", "--http-port=8080"],
    "ports": [{"name": "http", "containerPort": 8080}], "env": [{"name": "A", "value": "b"}],
    "readinessProbe": {"httpGet": {"path": "/", "port": "http"}, "periodSeconds": 1},
    "resources": {"requests": {"cpu": "10m", "memory": "1Mi"}},
    "volumeMounts": [{"name": "notes", "mountPath": "/notes"}],
}  # fmt: skip
POD_SPEC: Object = {
    "containers": [CONTAINER], "volumes": [{"name": "notes", "configMap": {"name": "a", "optional": True}}],
    "terminationGracePeriodSeconds": 1, "tolerations": [{"key": "t", "operator": "Exists"}],
}  # fmt: skip
TEMPLATE: Object = {"metadata": {"labels": LABELS}, "spec": POD_SPEC}
SELECTED: Object = {"selector": {"matchLabels": LABELS}, "template": TEMPLATE}
ROLE_RULES: list[Object] = [{"apiGroups": [""], "resources": ["pods"], "verbs": ["get", "list"]}]
SUBJECTS: list[Object] = [{"kind": "ServiceAccount", "name": "default", "namespace": "fuzz-1"}]
MEMORY: Object = {"cpu": "10", "memory": "1Gi"}

GROUP = "fuzz.example.com"
CUSTOM_SCHEMA: Object = {
    "type": "object",
    "properties": {
        "spec": {
            "type": "object",
            "x-kubernetes-validations": [
                {"rule": "!has(self.least) || self.least <= self.most", "message": "least is at most most"},
                {"rule": "self.names.all(n, n.matches('^[a-z]+$'))"},
            ],
            "required": ["most", "names"],
            "properties": {
                "least": {"type": "integer", "minimum": 0},
                "most": {"type": "integer", "default": 3},
                "names": {"type": "array", "maxItems": 5, "items": {"type": "string", "maxLength": 20}},
                "parts": {"type": "array", "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["name"],
                          "items": {"type": "object", "required": ["name"],
                                    "properties": {"name": {"type": "string"}, "open": {"type": "object",
                                                   "x-kubernetes-preserve-unknown-fields": True}}}},
            },
        },
        "status": {"type": "object", "x-kubernetes-preserve-unknown-fields": True},
    },
}  # fmt: skip


def definition(name: str) -> Object:
    """A CustomResourceDefinition's spec; the plural is the name's first part."""
    plural = name.partition(".")[0]
    version = {"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": CUSTOM_SCHEMA},
               "subresources": {"status": {}, "scale": {"specReplicasPath": ".spec.most",
                                                        "statusReplicasPath": ".status.replicas"}},
               "additionalPrinterColumns": [{"name": "Most", "type": "integer", "jsonPath": ".spec.most"}]}  # fmt: skip
    names = {"plural": plural, "kind": plural.title()}
    return {"group": GROUP, "scope": "Namespaced", "names": names, "versions": [version]}


BODIES: dict[str, Object] = {
    "configmaps": {"data": {"a": "b"}},
    "endpoints": {"subsets": [{"addresses": [{"ip": "10.244.1.9"}], "ports": [{"port": 8080}]}]},
    "events": {"involvedObject": {"kind": "Pod", "name": "a"}, "reason": "Fuzz", "message": "m", "type": "Normal"},
    "limitranges": {"spec": {"limits": [{"type": "Container", "default": {"cpu": "1"}}]}},
    "namespaces": {},
    "nodes": {"spec": {"unschedulable": True}},
    "pods": {"spec": POD_SPEC},
    "resourcequotas": {"spec": {"hard": {"pods": "20", "requests.cpu": "10"}}},
    "secrets": {"stringData": {"a": "b"}},
    "serviceaccounts": {"automountServiceAccountToken": False},
    "services": {"spec": {"selector": LABELS, "ports": [{"name": "http", "port": 80, "targetPort": "http"}]}},
    "controllerrevisions": {"revision": 1, "data": {"a": 1}},
    "daemonsets": {"spec": SELECTED},
    "deployments": {"spec": {"replicas": 1, **SELECTED}},
    "replicasets": {"spec": {"replicas": 0, **SELECTED}},
    "statefulsets": {"spec": {"replicas": 1, "serviceName": "a", **SELECTED}},
    "ingressclasses": {"spec": {"controller": "example.com/fuzz"}},
    "ingresses": {"spec": {"rules": [{"host": "a.test", "http": {"paths": [
        {"path": "/", "pathType": "Prefix", "backend": {"service": {"name": "a", "port": {"number": 80}}}}]}}]}},
    "ipaddresses": {"spec": {"parentRef": {"resource": "services", "name": "a", "namespace": "fuzz-1"}}},
    "networkpolicies": {"spec": {"podSelector": {}, "policyTypes": ["Ingress"], "ingress": [
        {"from": [{"podSelector": {"matchLabels": LABELS}}], "ports": [{"port": 8080, "protocol": "TCP"}]}]}},
    "servicecidrs": {"spec": {"cidrs": ["10.97.0.0/24"]}},
    "poddisruptionbudgets": {"spec": {"minAvailable": 1, "selector": {"matchLabels": LABELS}}},
    "clusterrolebindings": {"subjects": SUBJECTS, "roleRef": {
        "apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "a"}},
    "clusterroles": {"rules": ROLE_RULES},
    "rolebindings": {"subjects": SUBJECTS, "roleRef": {
        "apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "a"}},
    "roles": {"rules": ROLE_RULES},
    "priorityclasses": {"value": 1000},
    "leases": {"spec": {"holderIdentity": "fuzz", "leaseDurationSeconds": 10}},
    "endpointslices": {"addressType": "IPv4", "ports": [{"port": 80}], "endpoints": [{"addresses": ["10.244.1.9"]}]},
    "tokenreviews": {"spec": {"token": "nothing"}},
    "selfsubjectreviews": {},
    "selfsubjectaccessreviews": {"spec": {"resourceAttributes": {"verb": "get", "resource": "pods"}}},
    "subjectaccessreviews": {"spec": {"user": "a", "resourceAttributes": {"verb": "get", "resource": "pods"}}},
    "localsubjectaccessreviews": {"spec": {"user": "a", "resourceAttributes": {
        "verb": "get", "resource": "pods", "namespace": "fuzz-1"}}},
    "selfsubjectrulesreviews": {"spec": {"namespace": "fuzz-1"}},
    GROUP: {"spec": {"most": 2, "names": ["a"], "parts": [{"name": "a"}]}},
}  # fmt: skip


def skeleton(plural: str, name: str, namespace: str) -> Object:
    """A copy that may be changed."""
    body = definition(name) if plural == "customresourcedefinitions" else None
    meta: Object = {"name": name, "labels": {**LABELS, "fuzz": "yes"}}
    if namespace:
        meta["namespace"] = namespace
    held = {"spec": body} if body else BODIES.get(plural, BODIES[GROUP])
    copied: Object = json.loads(json.dumps({"metadata": meta, **held}))
    return copied
