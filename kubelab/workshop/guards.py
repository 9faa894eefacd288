"""What learners may not write, whatever their rights say: a ValidatingAdmissionPolicy.

(https://kubernetes.io/docs/reference/access-authn-authz/validating-admission-policy/) Each rule closes a way out of a
learner's own namespace, or beyond the workshop's hours.
"""

from __future__ import annotations

from typing import Any


def guard(host_annotation: str, account: str, guard_hosts: bool) -> dict[str, Any]:
    """The ``spec``. ``host_annotation``: on the namespace, the host that is the learner's own. ``account``: whose token
    a learner holds. ``guard_hosts``: also refuse what would reach into others' traffic.
    """
    rules = [_rule("", ["secrets"], ["CREATE", "UPDATE"]), _rule("", ["pods"], ["CREATE"])]
    checks = [(NO_LASTING_TOKENS, "its token would outlast the workshop"),
              (no_pods_as(account), f"the ServiceAccount {account} is yours, and a token in a pod would outlast the "
                                    "workshop; leave serviceAccountName out")]  # fmt: skip
    validations = [{"expression": rule, "message": said, "reason": "Forbidden"} for rule, said in checks]
    if guard_hosts:
        rules += [_rule("networking.k8s.io", ["ingresses"], ["CREATE", "UPDATE"]),
                  _rule("", ["services"], ["CREATE", "UPDATE"])]  # fmt: skip
        validations += _TRAFFIC
    return {
        "failurePolicy": "Fail",
        "matchConstraints": {"resourceRules": rules},
        "variables": [{"name": "host", "expression": f"namespaceObject.metadata.annotations['{host_annotation}']"}],
        "validations": validations,
    }


def _rule(group: str, resources: list[str], operations: list[str]) -> dict[str, Any]:
    return {"apiGroups": [group], "apiVersions": ["v1"], "resources": resources, "operations": operations}


def no_pods_as(account: str) -> str:
    """CEL. A pod of the learner's own account is given that account's token, which is good for as long as the pod is
    there (https://kubernetes.io/docs/concepts/security/service-accounts/); controllers' pods pass here, too.
    """
    return (
        "request.resource.resource != 'pods' || !has(object.spec.serviceAccountName) || "
        f"object.spec.serviceAccountName != '{account}'"
    )


NO_LASTING_TOKENS = (
    "request.resource.resource != 'secrets' || !has(object.type) || "
    "object.type != 'kubernetes.io/service-account-token'"
)
"""CEL. Such a Secret is filled with a token that does not end while the Secret is there
(https://kubernetes.io/docs/concepts/configuration/secret/#serviceaccount-token-secrets)."""


def _is_own(host: str) -> str:
    return f"({host} == variables.host || {host}.endsWith('.' + variables.host))"


OWN_HOSTS = (
    "request.resource.resource != 'ingresses' || (!has(object.spec.defaultBackend) && "
    f"(!has(object.spec.rules) || object.spec.rules.all(rule, has(rule.host) && {_is_own('rule.host')})) && "
    f"(!has(object.spec.tls) || object.spec.tls.all(tls, !has(tls.hosts) || tls.hosts.all(h, {_is_own('h')}))))"
)
"""CEL. Who shares a controller shares its hosts, and the certificates for them."""
_WHICH_HOSTS = (
    "'all learners share one Ingress controller: every rule needs your host, ' + variables.host + ', or one below it, "
    "so does every certificate, and a default backend would be that of everybody'"
)
NO_EXTERNAL_IPS = (
    "request.resource.resource != 'services' || !has(object.spec.externalIPs) || size(object.spec.externalIPs) == 0"
)
"""CEL. Anybody's packets to such an address would come here (CVE-2020-8554)."""
NO_OTHERS_NAMES = (
    "request.resource.resource != 'services' || !has(object.spec.externalName) || "
    "!(object.spec.externalName + '.').contains('.svc.') || "
    "object.spec.externalName.contains('.' + object.metadata.namespace + '.svc')"
)
"""CEL. A controller would forward to the Service that is named so, and may speak with all. Names outside the cluster
that lead into it can only be ignored by the controller, as kubelab's does."""
_TRAFFIC = [
    {"expression": OWN_HOSTS, "messageExpression": _WHICH_HOSTS, "reason": "Forbidden"},
    {"expression": NO_EXTERNAL_IPS, "message": "external IPs would take others' traffic", "reason": "Forbidden"},
    {"expression": NO_OTHERS_NAMES, "reason": "Forbidden",
     "message": "an ExternalName that is a Service's name has to be that of a Service of your own"},
]  # fmt: skip
