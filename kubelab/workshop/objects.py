"""The objects of a workshop: pure functions of the plan, a learner and what the cluster is like."""

from __future__ import annotations

from typing import Any

from kubelab.grading.report import LEARNER_LABEL, SLIP, WORKSHOP_LABEL
from kubelab.lab.api import Object
from kubelab.lab.kinds import Kind
from kubelab.lab.objects import MANAGED_BY
from kubelab.workshop.facts import NODE_PORTS_QUOTA, Facts
from kubelab.workshop.guards import guard
from kubelab.workshop.plan import Plan
from kubelab.workshop.policies import isolation
from kubelab.workshop.rights import CLUSTER_WIDE, IN_THE_NAMESPACE
from kubelab.workshop.roster import Learner

ACCOUNT = "learner"
"""The ServiceAccount in every learner's namespace."""
NAME = "kubelab-workshop"
"""Of the other objects there."""
HOST_ANNOTATION = "kubelab.dev/host"
"""On the namespace: the host that the learner's Ingresses may use, with all below it."""
_RBAC = "rbac.authorization.k8s.io"

NAMESPACE = Kind("v1", "Namespace", "namespaces", namespaced=False)
KINDS = (
    NAMESPACE,
    Kind("v1", "ServiceAccount", "serviceaccounts"),
    Kind(f"{_RBAC}/v1", "ClusterRole", "clusterroles", namespaced=False),
    Kind(f"{_RBAC}/v1", "ClusterRoleBinding", "clusterrolebindings", namespaced=False),
    Kind(f"{_RBAC}/v1", "RoleBinding", "rolebindings"),
    Kind("v1", "ConfigMap", "configmaps"),
    Kind("v1", "ResourceQuota", "resourcequotas"),
    Kind("v1", "LimitRange", "limitranges"),
    Kind("networking.k8s.io/v1", "NetworkPolicy", "networkpolicies"),
    Kind("admissionregistration.k8s.io/v1", "ValidatingAdmissionPolicy", "validatingadmissionpolicies", False),
    Kind("admissionregistration.k8s.io/v1", "ValidatingAdmissionPolicyBinding",
         "validatingadmissionpolicybindings", False),
)  # fmt: skip
"""All kinds that a workshop makes, and so all that it looks for when it is to go."""


def of_all(plan: Plan, facts: Facts) -> list[Object]:
    """What all learners share."""
    shared = [
        _object(plan, f"{_RBAC}/v1", "ClusterRole", _shared_name(plan), rules=IN_THE_NAMESPACE),
        _object(plan, f"{_RBAC}/v1", "ClusterRole", f"{_shared_name(plan)}-cluster", rules=CLUSTER_WIDE),
    ]
    return [*shared, *(_guards(plan) if facts.guards else ())]


def of_learner(plan: Plan, facts: Facts, learner: Learner) -> list[Object]:
    """A learner's own, the namespace first."""
    where = plan.namespace(learner)
    account = {"kind": "ServiceAccount", "name": ACCOUNT, "namespace": where}

    def own(version: str, kind: str, name: str = NAME, **fields: Any) -> Object:
        made = _object(plan, version, kind, name, **fields)
        made["metadata"]["namespace"] = where
        made["metadata"]["labels"][LEARNER_LABEL] = learner.label
        return made

    everywhere = own(f"{_RBAC}/v1", "ClusterRoleBinding", f"{NAME}-{where}", subjects=[account],
                     roleRef=_role(f"{_shared_name(plan)}-cluster"))  # fmt: skip
    del everywhere["metadata"]["namespace"]
    slip = {"workshop": plan.name, "learner": learner.label, "name": learner.name, "host": plan.host(learner)}
    return [
        _namespace(plan, learner),
        own("v1", "ServiceAccount", ACCOUNT),
        own(f"{_RBAC}/v1", "RoleBinding", subjects=[account], roleRef=_role(_shared_name(plan))),
        everywhere,
        own("v1", "ConfigMap", SLIP, data=slip),
        own("v1", "ResourceQuota", spec={"hard": _quota(plan)}),
        own("v1", "ResourceQuota", f"{NAME}-priority", spec=_NO_PRIORITY),
        own("v1", "LimitRange", spec={"limits": [_limits(plan)]}),
        own("networking.k8s.io/v1", "NetworkPolicy", spec=isolation(facts)),
    ]


def _shared_name(plan: Plan) -> str:
    return f"{NAME}-{plan.name}"


def _object(plan: Plan, version: str, kind: str, name: str, **fields: Any) -> Object:
    # Not "kubelab": a lesson's reset clears away what says that.
    labels = {WORKSHOP_LABEL: plan.name, MANAGED_BY: NAME}
    return {"apiVersion": version, "kind": kind, "metadata": {"name": name, "labels": labels}, **fields}


def _namespace(plan: Plan, learner: Learner) -> Object:
    made = _object(plan, "v1", "Namespace", plan.namespace(learner))
    # The lessons' pods are plain python images, which run as root: baseline
    # (https://kubernetes.io/docs/concepts/security/pod-security-standards/).
    made["metadata"]["labels"] |= {LEARNER_LABEL: learner.label, "pod-security.kubernetes.io/enforce": "baseline"}
    made["metadata"]["annotations"] = {HOST_ANNOTATION: plan.host(learner)}
    return made


def _role(name: str) -> Object:
    return {"apiGroup": _RBAC, "kind": "ClusterRole", "name": name}


def _quota(plan: Plan) -> dict[str, str]:
    budget = plan.budget
    return {
        "pods": str(budget.pods),
        "requests.cpu": budget.cpu,
        "requests.memory": budget.memory,
        "limits.memory": budget.most_memory,
        "services": "40",
        NODE_PORTS_QUOTA: str(plan.node_ports),
        "services.loadbalancers": "4",
        "configmaps": "60",
        "secrets": "60",
        "count/ingresses.networking.k8s.io": "40",
        "count/gateways.gateway.networking.k8s.io": "4",
        "count/httproutes.gateway.networking.k8s.io": "40",
        "persistentvolumeclaims": "0",
    }


_SYSTEM = {"scopeName": "PriorityClass", "operator": "In",
           "values": ["system-cluster-critical", "system-node-critical"]}  # fmt: skip
_NO_PRIORITY = {"hard": {"pods": "0"}, "scopeSelector": {"matchExpressions": [_SYSTEM]}}
"""Pods of these classes, which anybody may name, would drive others' pods off their nodes
(https://kubernetes.io/docs/concepts/policy/resource-quotas/#quota-on-pod-priority)."""


def _limits(plan: Plan) -> Object:
    """For containers that ask for nothing, as those of the lessons do."""
    return {
        "type": "Container",
        "defaultRequest": {"cpu": "10m", "memory": "32Mi"},
        "default": {"cpu": "500m", "memory": "128Mi"},
        "max": {"cpu": plan.budget.cpu, "memory": plan.budget.memory},
    }


def _guards(plan: Plan) -> list[Object]:
    """The policy, and where it holds: in the workshop's namespaces."""
    name = f"{_shared_name(plan)}-guard"
    binding = {
        "policyName": name,
        "validationActions": ["Deny"],
        "matchResources": {"namespaceSelector": {"matchLabels": {WORKSHOP_LABEL: plan.name}}},
    }
    version = "admissionregistration.k8s.io/v1"
    return [
        _object(
            plan, version, "ValidatingAdmissionPolicy", name, spec=guard(HOST_ANNOTATION, ACCOUNT, plan.guard_hosts)
        ),
        _object(plan, version, "ValidatingAdmissionPolicyBinding", name, spec=binding),
    ]
