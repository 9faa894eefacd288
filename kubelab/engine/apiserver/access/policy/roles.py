"""The roles that every cluster has, and whom they are bound to: Kubernetes 1.36, for the API that is served here.

A rule is a line: its verbs, a colon, then resources, each with its API group behind an @ (none: the core group), or
URLs. Names in brackets are the only objects that are meant.

Source: kubernetes/kubernetes, plugin/pkg/auth/authorizer/rbac/bootstrappolicy/policy.go; what is for storage,
certificate signing and device claims is left out, as there is nothing of it to protect.
"""

from __future__ import annotations

from kubelab.engine.apiserver.access.policy.language import rules

_EVENTS = "create,patch,update: events events@events.k8s.io"
_AUTHENTICATES = """
    create: tokenreviews@authentication.k8s.io
    create: subjectaccessreviews@authorization.k8s.io"""
_WORKLOADS = "daemonsets deployments deployments/{} replicasets replicasets/{} statefulsets statefulsets/{}"

NODE = """
    create: tokenreviews@authentication.k8s.io
    create: subjectaccessreviews@authorization.k8s.io localsubjectaccessreviews@authorization.k8s.io
    get,list,watch: services
    create,get,list,watch,patch,update: nodes
    patch,update: nodes/status
    create,patch,update: events
    get,list,watch,create,delete: pods
    patch,update: pods/status
    create: pods/eviction
    get,list,watch: configmaps secrets
    get: endpoints persistentvolumeclaims persistentvolumes
    create,delete,get,patch,update: leases@coordination.k8s.io
    create: serviceaccounts/token
    get,list,watch: runtimeclasses@node.k8s.io"""
NODE_RULES = rules(NODE)

ROLES: dict[str, str] = {
    "cluster-admin": """
        *: *@*
        *: *""",
    "system:discovery": "get: /api /api/* /apis /apis/* /healthz /livez /openapi /openapi/* /readyz /version /version/",
    "system:public-info-viewer": "get: /healthz /livez /readyz /version /version/",
    "system:monitoring": "get: /healthz /healthz/* /livez /livez/* /metrics /metrics/slis /readyz /readyz/*",
    "system:service-account-issuer-discovery": "get: /.well-known/openid-configuration /openid/v1/jwks",
    "system:basic-user": """
        create: selfsubjectaccessreviews@authorization.k8s.io selfsubjectrulesreviews@authorization.k8s.io
        create: selfsubjectreviews@authentication.k8s.io""",
    "system:auth-delegator": _AUTHENTICATES,
    "system:kubelet-api-admin": """
        get,list,watch,proxy: nodes
        *: nodes/configz nodes/healthz nodes/log nodes/metrics nodes/pods nodes/proxy nodes/stats""",
    "system:kube-aggregator": "get,list,watch: endpoints services",
    "system:kube-dns": "list,watch: endpoints services",
    "system:node-proxier": f"""
        list,watch: endpoints services
        get,list,watch: nodes
        {_EVENTS}
        list,watch: endpointslices@discovery.k8s.io
        list,watch: servicecidrs@networking.k8s.io""",
    "system:node": NODE,
    "system:kube-scheduler": f"""
        {_EVENTS}
        create: leases@coordination.k8s.io
        get,update: leases@coordination.k8s.io[kube-scheduler]
        get,list,watch: nodes
        delete,get,list,watch: pods
        create: bindings pods/binding
        patch,update: pods/status
        get,list,watch: replicationcontrollers services
        get,list,watch: replicasets@apps statefulsets@apps
        get,list,watch: poddisruptionbudgets@policy
        get,list,watch: persistentvolumeclaims persistentvolumes
        {_AUTHENTICATES}
        get,list,watch: namespaces""",
    "system:kube-controller-manager": f"""
        {_EVENTS}
        create: leases@coordination.k8s.io
        get,update: leases@coordination.k8s.io[kube-controller-manager]
        create: secrets serviceaccounts
        delete: secrets
        get: configmaps namespaces secrets serviceaccounts
        update: secrets serviceaccounts
        {_AUTHENTICATES}
        list,watch: *@*
        create: serviceaccounts/token""",
    "system:aggregate-to-view": f"""
        get,list,watch: configmaps endpoints persistentvolumeclaims persistentvolumeclaims/status pods
        get,list,watch: replicationcontrollers replicationcontrollers/scale serviceaccounts services services/status
        get,list,watch: bindings events limitranges namespaces/status pods/log pods/status
        get,list,watch: replicationcontrollers/status resourcequotas resourcequotas/status
        get,list,watch: namespaces
        get,list,watch: endpointslices@discovery.k8s.io
        get,list,watch: controllerrevisions daemonsets/status {_WORKLOADS.format(*["scale"] * 3)} @apps
        get,list,watch: deployments/status replicasets/status statefulsets/status @apps
        get,list,watch: horizontalpodautoscalers horizontalpodautoscalers/status @autoscaling
        get,list,watch: cronjobs cronjobs/status jobs jobs/status @batch
        get,list,watch: poddisruptionbudgets poddisruptionbudgets/status @policy
        get,list,watch: ingresses ingresses/status networkpolicies @networking.k8s.io""",
    "system:aggregate-to-edit": f"""
        get,list,watch: pods/attach pods/exec pods/portforward pods/proxy secrets services/proxy
        impersonate: serviceaccounts
        create,delete,deletecollection,patch,update: pods pods/attach pods/exec pods/portforward pods/proxy
        create: pods/eviction
        create,delete,deletecollection,patch,update: configmaps events persistentvolumeclaims
        create,delete,deletecollection,patch,update: replicationcontrollers replicationcontrollers/scale
        create,delete,deletecollection,patch,update: secrets serviceaccounts services services/proxy
        create: serviceaccounts/token
        create,delete,deletecollection,patch,update: deployments/rollback {_WORKLOADS.format(*["scale"] * 3)} @apps
        create,delete,deletecollection,patch,update: horizontalpodautoscalers@autoscaling
        create,delete,deletecollection,patch,update: cronjobs jobs @batch
        create,delete,deletecollection,patch,update: poddisruptionbudgets@policy
        create,delete,deletecollection,patch,update: ingresses networkpolicies @networking.k8s.io
        create,delete,deletecollection,get,list,patch,update,watch: leases@coordination.k8s.io""",
    "system:aggregate-to-admin": """
        create: localsubjectaccessreviews@authorization.k8s.io
        create,delete,deletecollection,get,list,patch,update,watch: rolebindings roles @rbac.authorization.k8s.io""",
}

AGGREGATED = {"view": ("edit",), "edit": ("admin",), "admin": ()}
"""Made of all roles labelled for them; each belongs to the roles that are named behind it."""

GATHERED_INTO = {f"system:aggregate-to-{name}": name for name in AGGREGATED}

BINDINGS: dict[str, tuple[str, ...]] = {
    "cluster-admin": ("Group system:masters",),
    "system:monitoring": ("Group system:monitoring",),
    "system:discovery": ("Group system:authenticated",),
    "system:basic-user": ("Group system:authenticated",),
    "system:public-info-viewer": ("Group system:authenticated", "Group system:unauthenticated"),
    "system:service-account-issuer-discovery": ("Group system:serviceaccounts",),
    "system:node-proxier": ("User system:kube-proxy",),
    "system:kube-controller-manager": ("User system:kube-controller-manager",),
    "system:kube-scheduler": ("User system:kube-scheduler",),
    "system:kube-dns": ("ServiceAccount kube-system:kube-dns",),
    "system:node": (),  # nobody: nodes are judged one by one, each by its own pods
}
"""ClusterRoleBindings have their role's name."""
