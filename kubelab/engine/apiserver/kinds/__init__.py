"""What each kind brings: a class a kind, chosen here."""

from __future__ import annotations

from functools import lru_cache

from kubelab.engine.apiserver import resources as r
from kubelab.engine.apiserver.custom.kind import CustomKind
from kubelab.engine.apiserver.kinds.addresses import IPAddressKind, ServiceCIDRKind
from kubelab.engine.apiserver.kinds.admission import AdmissionPolicyKind, PolicyBindingKind
from kubelab.engine.apiserver.kinds.base import Kind
from kubelab.engine.apiserver.kinds.core import (
    DataKind,
    EndpointsKind,
    EndpointSliceKind,
    LeaseKind,
    NamespaceKind,
    NodeKind,
)
from kubelab.engine.apiserver.kinds.definition import DefinitionKind
from kubelab.engine.apiserver.kinds.event import EventKind
from kubelab.engine.apiserver.kinds.ingress import IngressClassKind, IngressKind
from kubelab.engine.apiserver.kinds.netpol import NetworkPolicyKind
from kubelab.engine.apiserver.kinds.pod import PodKind
from kubelab.engine.apiserver.kinds.policies import (
    LimitRangeKind,
    PodDisruptionBudgetKind,
    PriorityClassKind,
    ResourceQuotaKind,
)
from kubelab.engine.apiserver.kinds.rbac import BindingKind, RoleKind
from kubelab.engine.apiserver.kinds.service import ServiceKind
from kubelab.engine.apiserver.kinds.sets import ControllerRevisionKind, DaemonSetKind, StatefulSetKind
from kubelab.engine.apiserver.kinds.workloads import DeploymentKind, ReplicaSetKind

_KINDS: dict[r.ResourceType, type[Kind]] = {
    r.NAMESPACES: NamespaceKind,
    r.NODES: NodeKind,
    r.PODS: PodKind,
    r.SERVICES: ServiceKind,
    r.ENDPOINTS: EndpointsKind,
    r.ENDPOINTSLICES: EndpointSliceKind,
    r.CONFIGMAPS: DataKind,
    r.SECRETS: DataKind,
    r.DEPLOYMENTS: DeploymentKind,
    r.REPLICASETS: ReplicaSetKind,
    r.DAEMONSETS: DaemonSetKind,
    r.STATEFULSETS: StatefulSetKind,
    r.CONTROLLERREVISIONS: ControllerRevisionKind,
    r.NETWORKPOLICIES: NetworkPolicyKind,
    r.SERVICECIDRS: ServiceCIDRKind,
    r.IPADDRESSES: IPAddressKind,
    r.RESOURCEQUOTAS: ResourceQuotaKind,
    r.LIMITRANGES: LimitRangeKind,
    r.PRIORITYCLASSES: PriorityClassKind,
    r.PODDISRUPTIONBUDGETS: PodDisruptionBudgetKind,
    r.INGRESSES: IngressKind,
    r.INGRESSCLASSES: IngressClassKind,
    r.CUSTOMRESOURCEDEFINITIONS: DefinitionKind,
    r.LEASES: LeaseKind,
    r.ROLES: RoleKind,
    r.ROLEBINDINGS: BindingKind,
    r.CLUSTERROLES: RoleKind,
    r.CLUSTERROLEBINDINGS: BindingKind,
    r.VALIDATINGADMISSIONPOLICIES: AdmissionPolicyKind,
    r.VALIDATINGADMISSIONPOLICYBINDINGS: PolicyBindingKind,
    r.EVENTS: EventKind,
    r.EVENTS_V1: EventKind,
}


@lru_cache(maxsize=256)
def kind_of(rtype: r.ResourceType) -> Kind:
    """The behaviour of a resource; the plain one when it has no class of its own."""
    return CustomKind(rtype) if rtype.custom else _KINDS.get(rtype, Kind)(rtype)


__all__ = ["Kind", "kind_of"]
