from __future__ import annotations

import pytest

PODS = "/api/v1/namespaces/default/pods"
_REQUIRED = "requiredDuringSchedulingIgnoredDuringExecution"
_PREFERRED = "preferredDuringSchedulingIgnoredDuringExecution"


def _probe(**more: object) -> dict:
    return {"tcpSocket": {"port": 80}, **more}


@pytest.mark.parametrize(
    ("container", "field", "reason"),
    [
        ({"env": [{"name": "A", "valueFrom": {"fieldRef": {"fieldPath": "metadata.nmae"}}}]},
         "env[0].valueFrom.fieldRef.fieldPath", "Invalid"),
        ({"env": [{"name": "A", "valueFrom": {"fieldRef": {"fieldPath": "status.phase"}}}]},
         "env[0].valueFrom.fieldRef.fieldPath", "NotSupported"),
        ({"env": [{"name": "A", "valueFrom": {"resourceFieldRef": {"resource": "limits.gpu"}}}]},
         "env[0].valueFrom.resourceFieldRef.resource", "NotSupported"),
        ({"envFrom": [{}]}, "envFrom[0]", "Invalid"),
        ({"envFrom": [{"configMapRef": {}}]}, "envFrom[0].configMapRef.name", "Required"),
        ({"livenessProbe": _probe(terminationGracePeriodSeconds=0)},
         "livenessProbe.terminationGracePeriodSeconds", "Invalid"),
        ({"readinessProbe": _probe(terminationGracePeriodSeconds=5)},
         "readinessProbe.terminationGracePeriodSeconds", "Invalid"),
        ({"startupProbe": {"httpGet": {"port": 80, "httpHeaders": [{"name": "a b", "value": "c"}]}}},
         "startupProbe.httpGet.httpHeaders", "Invalid"),
        ({"lifecycle": {"preStop": {"sleep": {"seconds": 31}}}}, "lifecycle.preStop.sleep", "Invalid"),
        ({"volumeMounts": [{"name": "v", "mountPath": "/v", "subPath": "../x"}]}, "volumeMounts[0].subPath", "Invalid"),
        ({"volumeMounts": [{"name": "v", "mountPath": "/v:x"}]}, "volumeMounts[0].mountPath", "Invalid"),
        ({"volumeMounts": [{"name": "v", "mountPath": "/v", "subPath": "a", "subPathExpr": "b"}]},
         "volumeMounts[0].subPathExpr", "Invalid"),
        ({"securityContext": {"runAsUser": -1}}, "securityContext.runAsUser", "Invalid"),
        ({"restartPolicy": "Sometimes"}, "restartPolicy", "NotSupported"),
    ],
)  # fmt: skip
async def test_what_a_container_says_is_checked(api, make, why, container, field, reason) -> None:
    body = make.pod(containers=[{"name": "a", "image": "a", **container}], volumes=[{"name": "v"}])
    assert why(await api.post(PODS, body)) == [(f"spec.containers[0].{field}", reason)]


@pytest.mark.parametrize(
    ("spec", "field", "reason"),
    [
        ({"volumes": [{"name": "v", "configMap": {"name": "c", "defaultMode": 1000}}]},
         "volumes[0].configMap.defaultMode", "Invalid"),
        ({"volumes": [{"name": "v", "secret": {"secretName": "s", "items": [{"key": "a", "path": "../b"}]}}]},
         "volumes[0].secret.items[0].path", "Invalid"),
        ({"volumes": [{"name": "v", "hostPath": {"path": "/a/../b"}}]}, "volumes[0].hostPath.path", "Invalid"),
        ({"hostAliases": [{"ip": "192.0.2", "hostnames": ["a"]}]}, "hostAliases[0].ip", "Invalid"),
        ({"hostAliases": [{"ip": "192.0.2.1", "hostnames": ["A"]}]}, "hostAliases[0].hostnames[0]", "Invalid"),
        ({"dnsPolicy": "None"}, "dnsConfig", "Required"),
        ({"dnsConfig": {"nameservers": ["192.0.2.1"] * 4}}, "dnsConfig.nameservers", "Invalid"),
        ({"dnsConfig": {"searches": ["a b"]}}, "dnsConfig.searches[0]", "Invalid"),
        ({"dnsConfig": {"options": [{"value": "1"}]}}, "dnsConfig.options[0]", "Required"),
        ({"tolerations": [{"key": "a", "operator": "Exists", "effect": "NoSchedule", "tolerationSeconds": 1}]},
         "tolerations[0].effect", "Invalid"),
        ({"affinity": {"nodeAffinity": {_REQUIRED: {"nodeSelectorTerms": []}}}},
         f"affinity.nodeAffinity.{_REQUIRED}.nodeSelectorTerms", "Required"),
        ({"affinity": {"nodeAffinity": {_REQUIRED: {"nodeSelectorTerms": [
            {"matchExpressions": [{"key": "a", "operator": "In"}]}]}}}},
         f"affinity.nodeAffinity.{_REQUIRED}.nodeSelectorTerms[0].matchExpressions[0].values", "Required"),
        ({"affinity": {"podAntiAffinity": {_PREFERRED: [{"weight": 101, "podAffinityTerm": {"topologyKey": "a"}}]}}},
         f"affinity.podAntiAffinity.{_PREFERRED}[0].weight", "Invalid"),
        ({"topologySpreadConstraints": [{"maxSkew": 0, "topologyKey": "a", "whenUnsatisfiable": "DoNotSchedule"}]},
         "topologySpreadConstraints[0].maxSkew", "Invalid"),
        ({"schedulingGates": [{"name": "a"}, {"name": "a"}]}, "schedulingGates[1]", "Duplicate"),
        ({"schedulingGates": [{"name": "a"}], "nodeName": "n"}, "nodeName", "Forbidden"),
        ({"readinessGates": [{"conditionType": "a b"}]}, "readinessGates[0].conditionType", "Invalid"),
        ({"initContainers": [{"name": "i", "image": "i", "lifecycle": {"preStop": {"sleep": {"seconds": 1}}}}]},
         "initContainers[0].lifecycle", "Forbidden"),
    ],
)  # fmt: skip
async def test_what_a_pod_says_is_checked(api, make, why, spec, field, reason) -> None:
    assert why(await api.post(PODS, make.pod(**spec))) == [(f"spec.{field}", reason)]


async def test_all_that_is_right_is_accepted(api, make) -> None:
    container = {
        "name": "a",
        "image": "a",
        "env": [{"name": "L", "valueFrom": {"fieldRef": {"fieldPath": "metadata.labels['example.com/a']"}}}],
        "lifecycle": {"preStop": {"sleep": {"seconds": 30}}},
    }
    terms = [{"matchExpressions": [{"key": "a", "operator": "Gt", "values": ["1"]}]}]
    spec = {
        "dnsConfig": {"searches": [".", "_tcp.example.com."], "options": [{"name": "ndots", "value": "1"}]},
        "affinity": {"nodeAffinity": {_REQUIRED: {"nodeSelectorTerms": terms}}},
        "initContainers": [{**container, "name": "s", "restartPolicy": "Always"}],
    }
    assert (await api.post(PODS, make.pod(containers=[container], **spec))).code == 201


async def test_what_hides_something_is_a_warning_wherever_a_pods_spec_stands(api, make) -> None:
    env = [{"name": "A", "value": "1"}, {"name": "A", "value": "$(A)2"}, {"name": "A", "value": "3"}]
    ports = [{"containerPort": 80}, {"containerPort": 80, "protocol": "UDP"}, {"containerPort": 80, "name": "b"}]
    pod = make.pod(containers=[{"name": "a", "image": "a", "env": env, "ports": ports}])
    hides = 'hides previous definition of \\"A\\", which may be dropped when using apply'
    said = (await api.post(PODS, pod)).headers["warning"]
    assert said == (
        f'299 - "spec.containers[0].env[2]: {hides}", '
        '299 - "spec.containers[0].ports[2]: duplicate port definition with spec.containers[0].ports[0]"'
    )
    made = make.deployment()
    made["spec"]["template"]["spec"] = pod["spec"]
    answer = await api.post("/apis/apps/v1/namespaces/default/deployments", made)
    assert answer.headers["warning"].startswith(f'299 - "spec.template.spec.containers[0].env[2]: {hides}"')


async def test_a_runtime_class_that_is_not_there_keeps_its_pod_out(api, make) -> None:
    refused = await api.post(PODS, make.pod(runtimeClassName="gvisor"))
    assert (refused.code, refused.body["message"]) == (
        403,
        'pods "web" is forbidden: pod rejected: RuntimeClass "gvisor" not found',
    )


async def test_what_deleting_a_pod_costs_is_a_number(api, make, why) -> None:
    cost = "controller.kubernetes.io/pod-deletion-cost"
    body = make.pod()
    body["metadata"]["annotations"] = {cost: "high"}
    assert why(await api.post(PODS, body)) == [(f"metadata.annotations[{cost}]", "Invalid")]
    await api.post(PODS, make.pod())
    for worth, code in (("-5", 200), ("1.5", 422), ("+1", 422), ("2147483648", 422)):
        assert (await api.patch(f"{PODS}/web", {"metadata": {"annotations": {cost: worth}}})).code == code
