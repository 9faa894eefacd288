"""What each controller may do, as ``system:controller:NAME``, bound to its service account in ``kube-system``.

In the language of `roles`. Source: kubernetes/kubernetes 1.36,
plugin/pkg/auth/authorizer/rbac/bootstrappolicy/controller_policy.go; the controllers that there are here.
"""

from __future__ import annotations

_EVENTS = "create,patch,update: events events@events.k8s.io"

CONTROLLERS: dict[str, str] = {
    "clusterrole-aggregation-controller": """
        escalate,get,list,patch,update,watch: clusterroles@rbac.authorization.k8s.io""",
    "daemon-set-controller": f"""
        get,list,watch: daemonsets@apps
        update: daemonsets/status daemonsets/finalizers @apps
        list,watch: nodes
        create,delete,list,patch,watch: pods
        create: pods/binding
        create,delete,get,list,patch,update,watch: controllerrevisions@apps
        {_EVENTS}""",
    "deployment-controller": f"""
        get,list,update,watch: deployments@apps
        update: deployments/status deployments/finalizers @apps
        create,delete,get,list,patch,update,watch: replicasets@apps
        get,list,update,watch: pods
        {_EVENTS}""",
    "disruption-controller": f"""
        get,list,watch: deployments replicasets statefulsets @apps
        get,list,watch: replicationcontrollers
        get,list,watch: poddisruptionbudgets@policy
        update: poddisruptionbudgets/status@policy
        patch,update: pods/status
        get: */scale@*
        {_EVENTS}""",
    "endpoint-controller": f"""
        get,list,watch: pods services
        create,delete,get,list,update,watch: endpoints
        create: endpoints/restricted
        {_EVENTS}""",
    "endpointslice-controller": f"""
        get,list,watch: nodes pods services
        update: services/finalizers
        create,delete,get,list,update,watch: endpointslices@discovery.k8s.io
        {_EVENTS}""",
    "endpointslicemirroring-controller": f"""
        get,list,watch: endpoints services
        update: services/finalizers
        update: endpoints/finalizers
        create,delete,get,list,update,watch: endpointslices@discovery.k8s.io
        {_EVENTS}""",
    "generic-garbage-collector": f"""
        delete,get,list,patch,update,watch: *@*
        {_EVENTS}""",
    "namespace-controller": """
        delete,get,list,watch: namespaces
        update: namespaces/finalize namespaces/status
        delete,deletecollection,get,list,watch: *@*""",
    "node-controller": f"""
        delete,get,list,patch,update,watch: nodes
        patch,update: nodes/status
        patch,update: pods/status
        delete,get,list,watch: pods
        {_EVENTS}""",
    "pod-garbage-collector": """
        delete,list,watch: pods
        get,list,watch: nodes
        patch: pods/status""",
    "replicaset-controller": f"""
        get,list,update,watch: replicasets@apps
        update: replicasets/status replicasets/finalizers @apps
        create,delete,list,patch,watch: pods
        {_EVENTS}""",
    "resourcequota-controller": f"""
        list,watch: *@*
        update: resourcequotas/status
        {_EVENTS}""",
    "root-ca-cert-publisher": f"""
        create,update: configmaps
        {_EVENTS}""",
    "service-account-controller": f"""
        create: serviceaccounts
        {_EVENTS}""",
    "service-cidrs-controller": f"""
        get,list,patch,update,watch: servicecidrs@networking.k8s.io
        patch,update: servicecidrs/finalizers servicecidrs/status @networking.k8s.io
        get,list,watch: ipaddresses@networking.k8s.io
        {_EVENTS}""",
    "service-controller": f"""
        get,list,watch: services
        patch,update: services/status
        list,watch: nodes
        {_EVENTS}""",
    "statefulset-controller": f"""
        list,watch: pods
        get,list,watch: statefulsets@apps
        update: statefulsets/status statefulsets/finalizers @apps
        create,delete,get,patch,update: pods
        create,delete,get,list,patch,update,watch: controllerrevisions@apps
        create,delete,get,list,update,watch: persistentvolumeclaims
        update: pods/finalizers
        {_EVENTS}""",
}
