from __future__ import annotations

import pytest

PODS = "/api/v1/namespaces/default/pods"
ACCOUNT = "/api/v1/namespaces/default/serviceaccounts/default"


async def test_a_pod_is_filled_in_as_upstream_fills_it_in(api, make) -> None:
    made = (await api.post(PODS, make.pod())).body
    spec, container = made["spec"], made["spec"]["containers"][0]
    assert made["status"] == {"phase": "Pending", "qosClass": "BestEffort"}
    assert spec["restartPolicy"] == "Always"
    assert spec["dnsPolicy"] == "ClusterFirst"
    assert spec["terminationGracePeriodSeconds"] == 30
    assert spec["schedulerName"] == "default-scheduler"
    assert (spec["priority"], spec["preemptionPolicy"]) == (0, "PreemptLowerPriority")
    assert spec["enableServiceLinks"] is True
    assert container["imagePullPolicy"] == "IfNotPresent"
    assert container["terminationMessagePath"] == "/dev/termination-log"
    assert {one["key"]: one["tolerationSeconds"] for one in spec["tolerations"]} == {
        "node.kubernetes.io/not-ready": 300,
        "node.kubernetes.io/unreachable": 300,
    }


@pytest.mark.parametrize(
    ("image", "policy"),
    [("a", "Always"), ("a:latest", "Always"), ("host:5000/a", "Always"), ("host:5000/a:1", "IfNotPresent"),
     ("a@sha256:0123", "IfNotPresent")],
)  # fmt: skip
async def test_the_pull_policy_follows_the_tag(api, make, image, policy) -> None:
    made = (await api.post(PODS, make.pod(containers=[{"name": "a", "image": image}]))).body
    assert made["spec"]["containers"][0]["imagePullPolicy"] == policy


async def test_a_probe_is_filled_in(api, make) -> None:
    container = {"name": "a", "image": "a", "readinessProbe": {"httpGet": {"port": 80}, "periodSeconds": 0}}
    made = (await api.post(PODS, make.pod(containers=[container]))).body
    assert made["spec"]["containers"][0]["readinessProbe"] == {
        "httpGet": {"port": 80, "path": "/", "scheme": "HTTP"},
        "timeoutSeconds": 1,
        "periodSeconds": 10,
        "successThreshold": 1,
        "failureThreshold": 3,
    }


async def test_a_pod_gets_its_service_account_and_its_token(api, make) -> None:
    spec = (await api.post(PODS, make.pod())).body["spec"]
    assert spec["serviceAccountName"] == spec["serviceAccount"] == "default"
    volume, mount = spec["volumes"][0], spec["containers"][0]["volumeMounts"][0]
    assert volume["name"].startswith("kube-api-access-")
    assert mount == {
        "name": volume["name"],
        "readOnly": True,
        "mountPath": "/var/run/secrets/kubernetes.io/serviceaccount",
    }
    kinds = [next(iter(source)) for source in volume["projected"]["sources"]]
    assert kinds == ["serviceAccountToken", "configMap", "downwardAPI"]


async def test_a_pod_or_its_account_can_do_without_a_token(api, make) -> None:
    without = (await api.post(PODS, make.pod("a", automountServiceAccountToken=False))).body
    assert "volumes" not in without["spec"]
    await api.patch(ACCOUNT, {"automountServiceAccountToken": False})
    assert "volumes" not in (await api.post(PODS, make.pod("b"))).body["spec"]
    assert "volumes" in (await api.post(PODS, make.pod("c", automountServiceAccountToken=True))).body["spec"]


async def test_a_pod_of_an_unknown_service_account_is_forbidden(api, make) -> None:
    refused = await api.post(PODS, make.pod(serviceAccountName="nobody"))
    assert refused.code == 403
    assert refused.body["message"] == (
        'pods "web" is forbidden: error looking up service account default/nobody: serviceaccount "nobody" not found'
    )
    nameless = await api.post(PODS, {**make.pod(serviceAccountName="nobody"), "metadata": {}})
    assert (nameless.code, nameless.body["reason"]) == (403, "Forbidden")


@pytest.mark.parametrize(
    ("resources", "qos"),
    [
        ({}, "BestEffort"),
        ({"requests": {"cpu": "1"}}, "Burstable"),
        ({"limits": {"cpu": "1", "memory": "1Gi"}}, "Guaranteed"),
        ({"limits": {"cpu": "1", "memory": "1Gi"}, "requests": {"cpu": "500m"}}, "Burstable"),
    ],
)
async def test_the_quality_of_service_follows_requests_and_limits(api, make, resources, qos) -> None:
    made = (await api.post(PODS, make.pod(containers=[{"name": "a", "image": "a", "resources": resources}]))).body
    assert made["status"]["qosClass"] == qos


async def test_a_pods_spec_is_frozen_but_for_its_images(api, make, why) -> None:
    made = (await api.post(PODS, make.pod())).body
    made["spec"]["containers"][0]["image"] = "registry/app:2"
    changed = await api.put(f"{PODS}/web", made)
    assert changed.body["spec"]["containers"][0]["image"] == "registry/app:2"
    refused = await api.patch(f"{PODS}/web", {"spec": {"nodeName": "n1"}})
    assert why(refused) == [("spec", "Forbidden")]
    assert "pod updates may not change fields other than `spec.containers[*].image`" in refused.body["message"]
    more = await api.patch(
        f"{PODS}/web", {"spec": {"tolerations": [*made["spec"]["tolerations"], {"operator": "Exists"}]}}
    )
    assert more.code == 200


async def test_a_gated_pod_says_so_and_its_gates_can_only_go(api, make, why) -> None:
    made = (await api.post(PODS, make.pod(schedulingGates=[{"name": "example.com/wait"}]))).body
    assert made["status"]["conditions"][0]["reason"] == "SchedulingGated"
    path = f"{PODS}/{made['metadata']['name']}"
    more = [{"name": "example.com/wait"}, {"name": "example.com/more"}]
    assert why(await api.patch(path, {"spec": {"schedulingGates": more}}, "merge")) == [
        ("spec.schedulingGates[1].name", "Forbidden")
    ]
    assert (await api.patch(path, {"spec": {"schedulingGates": None}}, "merge")).code == 200


async def test_a_pod_is_bound_to_a_node_once(api, make) -> None:
    await api.post(PODS, make.pod())
    binding = {"metadata": {"name": "web"}, "target": {"kind": "Node", "name": "n1"}}
    assert (await api.post(f"{PODS}/web/binding", binding)).code == 201
    bound = (await api.get(f"{PODS}/web")).body
    assert bound["spec"]["nodeName"] == "n1"
    assert [(one["type"], one["status"]) for one in bound["status"]["conditions"]] == [("PodScheduled", "True")]
    again = await api.post(f"{PODS}/web/binding", binding)
    assert (again.code, again.body["reason"]) == (409, "Conflict")
    assert 'pod web is already assigned to node "n1"' in again.body["message"]


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ({"containers": []}, [("spec.containers", "Required")]),
        ({"containers": [{"name": "A", "image": "a"}]}, [("spec.containers[0].name", "Invalid")]),
        ({"containers": [{"name": "a"}]}, [("spec.containers[0].image", "Required")]),
        (
            {"containers": [{"name": "a", "image": "a"}, {"name": "a", "image": "b"}]},
            [("spec.containers[1].name", "Duplicate")],
        ),
        (
            {"containers": [{"name": "a", "image": "a", "ports": [{"containerPort": 70000}, {"name": "x"}]}]},
            [
                ("spec.containers[0].ports[0].containerPort", "Invalid"),
                ("spec.containers[0].ports[1].containerPort", "Required"),
            ],
        ),
        (
            {"containers": [{"name": "a", "image": "a", "volumeMounts": [{"name": "v", "mountPath": "/v"}]}]},
            [("spec.containers[0].volumeMounts[0].name", "NotFound")],
        ),
        (
            {"containers": [{"name": "a", "image": "a", "readinessProbe": {"periodSeconds": -1}}]},
            [
                ("spec.containers[0].readinessProbe", "Required"),
                ("spec.containers[0].readinessProbe.periodSeconds", "Invalid"),
            ],
        ),
        (
            {"containers": [{"name": "a", "image": "a", "resources": {"requests": {"cpu": 2}, "limits": {"cpu": 1}}}]},
            [("spec.containers[0].resources.requests", "Invalid")],
        ),
        ({"restartPolicy": "Sometimes"}, [("spec.restartPolicy", "NotSupported")]),
        ({"hostname": "a.b"}, [("spec.hostname", "Invalid")]),
        ({"tolerations": [{"value": "x"}]}, [("spec.tolerations[0].operator", "Invalid")]),
        ({"volumes": [{"name": "v", "secret": {}}]}, [("spec.volumes[0].secret.secretName", "Required")]),
    ],
)  # fmt: skip
async def test_a_spec_that_makes_no_sense_is_invalid(api, make, why, spec, expected) -> None:
    assert why(await api.post(PODS, make.pod(**spec))) == expected


async def test_logs_and_exec_say_what_is_missing(api, make) -> None:
    two = [{"name": "a", "image": "a"}, {"name": "b", "image": "b"}]
    await api.post(PODS, make.pod(containers=two))
    assert (await api.get(f"{PODS}/web/log")).body["message"] == (
        "a container name must be specified for pod web, choose one of: [a b]"
    )
    assert (await api.get(f"{PODS}/web/log?container=x")).body["message"] == "container x is not valid for pod web"
    assert (await api.get(f"{PODS}/web/log?container=a")).body["message"] == "pod web does not have a host assigned"
    assert (await api.get(f"{PODS}/nope/log")).code == 404
