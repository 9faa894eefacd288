"""DaemonSets, StatefulSets and ControllerRevisions."""

from __future__ import annotations

import pytest

APPS = "/apis/apps/v1/namespaces/default"
ANNOTATION = "deprecated.daemonset.template.generation"


def of(make, name: str = "web", **spec) -> dict:
    """What DaemonSets and StatefulSets have in common."""
    return make.deployment(name, **spec)


async def test_a_daemonset_gets_its_defaults(api, make) -> None:
    made = (await api.post(f"{APPS}/daemonsets", of(make))).body
    assert made["spec"]["updateStrategy"] == {
        "type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 1, "maxSurge": 0},
    }  # fmt: skip
    assert made["spec"]["revisionHistoryLimit"] == 10
    assert made["spec"]["template"]["spec"]["restartPolicy"] == "Always"
    assert made["status"] == dict.fromkeys(
        ("currentNumberScheduled", "desiredNumberScheduled", "numberMisscheduled", "numberReady"), 0
    )


async def test_the_changes_of_a_daemonsets_template_are_counted(api, make) -> None:
    await api.post(f"{APPS}/daemonsets", of(make))
    made = (await api.patch(f"{APPS}/daemonsets/web", {"spec": {"minReadySeconds": 3}})).body
    assert (made["metadata"]["generation"], made["metadata"]["annotations"][ANNOTATION]) == (2, "1")
    labels = {"app": "web", "new": "yes"}
    made = (await api.patch(f"{APPS}/daemonsets/web", {"spec": {"template": {"metadata": {"labels": labels}}}})).body
    assert (made["metadata"]["generation"], made["metadata"]["annotations"][ANNOTATION]) == (3, "2")


async def test_a_statefulset_gets_its_defaults_and_can_be_scaled(api, make) -> None:
    made = (await api.post(f"{APPS}/statefulsets", of(make, serviceName="web"))).body
    spec = made["spec"]
    assert (spec["replicas"], spec["podManagementPolicy"], spec["revisionHistoryLimit"]) == (1, "OrderedReady", 10)
    assert spec["updateStrategy"] == {"type": "RollingUpdate", "rollingUpdate": {"partition": 0}}
    assert spec["persistentVolumeClaimRetentionPolicy"] == {"whenDeleted": "Retain", "whenScaled": "Retain"}
    assert made["status"] == {"replicas": 0, "availableReplicas": 0}
    scale = (await api.patch(f"{APPS}/statefulsets/web/scale", {"spec": {"replicas": 4}})).body
    assert (scale["spec"]["replicas"], scale["status"]["selector"]) == (4, "app=web")


async def test_most_of_a_statefulset_stays_as_it_was_made(api, make, why) -> None:
    await api.post(f"{APPS}/statefulsets", of(make, serviceName="web"))
    for change in ({"replicas": 3}, {"minReadySeconds": 5}, {"updateStrategy": {"type": "OnDelete"}}):
        if "updateStrategy" in change:
            change["updateStrategy"]["rollingUpdate"] = None
        assert (await api.patch(f"{APPS}/statefulsets/web", {"spec": change})).code == 200
    for change in ({"serviceName": "other"}, {"podManagementPolicy": "Parallel"}):
        assert why(await api.patch(f"{APPS}/statefulsets/web", {"spec": change})) == [("spec", "Forbidden")]


async def test_a_statefulsets_pods_may_mount_what_its_claims_promise(api, make) -> None:
    made = of(make, volumeClaimTemplates=[{"metadata": {"name": "data"}, "spec": {"accessModes": ["ReadWriteOnce"]}}])
    made["spec"]["template"]["spec"]["containers"][0]["volumeMounts"] = [{"name": "data", "mountPath": "/data"}]
    assert (await api.post(f"{APPS}/statefulsets", made)).code == 201


@pytest.mark.parametrize(
    ("plural", "spec", "cause"),
    [
        ("daemonsets", {"selector": {"matchLabels": {"a": "b"}}}, ("spec.template.metadata.labels", "Invalid")),
        ("daemonsets", {"selector": {}}, ("spec.selector", "Invalid")),
        ("daemonsets", {"updateStrategy": {"type": "Recreate"}}, ("spec.updateStrategy", "NotSupported")),
        ("daemonsets", {"updateStrategy": {"rollingUpdate": {"maxUnavailable": 1, "maxSurge": 1}}},
         ("spec.updateStrategy.rollingUpdate.maxSurge", "Invalid")),
        ("daemonsets", {"updateStrategy": {"rollingUpdate": {"maxUnavailable": 0}}},
         ("spec.updateStrategy.rollingUpdate.maxUnavailable", "Required")),
        ("daemonsets", {"updateStrategy": {"rollingUpdate": {"maxUnavailable": "150%"}}},
         ("spec.updateStrategy.rollingUpdate.maxUnavailable", "Invalid")),
        ("statefulsets", {"selector": {}}, ("spec.selector", "Invalid")),
        ("statefulsets", {"replicas": -1}, ("spec.replicas", "Invalid")),
        ("statefulsets", {"podManagementPolicy": "Random"}, ("spec.podManagementPolicy", "Invalid")),
        ("statefulsets", {"updateStrategy": {"type": "OnDelete", "rollingUpdate": {}}},
         ("spec.updateStrategy.rollingUpdate", "Invalid")),
        ("statefulsets", {"updateStrategy": {"rollingUpdate": {"partition": -1}}},
         ("spec.updateStrategy.rollingUpdate.partition", "Invalid")),
        ("statefulsets", {"serviceName": "Not_A_Name"}, ("spec.serviceName", "Invalid")),
    ],
)  # fmt: skip
async def test_what_could_not_be_kept_is_refused(api, make, why, plural, spec, cause) -> None:
    assert why(await api.post(f"{APPS}/{plural}", of(make, **spec))) == [cause]


async def test_the_selector_of_a_daemonset_never_changes(api, make, why) -> None:
    await api.post(f"{APPS}/daemonsets", of(make))
    change = {"spec": {"selector": {"matchLabels": {"new": "yes"}}}}
    change["spec"]["template"] = {"metadata": {"labels": {"new": "yes"}}}
    assert ("spec.selector", "Invalid") in why(await api.patch(f"{APPS}/daemonsets/web", change))


async def test_a_revision_keeps_its_data_and_counts_on(api, why) -> None:
    revision = {"metadata": {"name": "web-1"}, "revision": 1, "data": {"spec": {"template": {}}}}
    assert (await api.post(f"{APPS}/controllerrevisions", revision)).code == 201
    assert (await api.patch(f"{APPS}/controllerrevisions/web-1", {"revision": 2})).code == 200
    assert why(await api.patch(f"{APPS}/controllerrevisions/web-1", {"data": {"spec": None}})) == [("data", "Invalid")]
    empty = {"metadata": {"name": "web-2"}, "revision": -1}
    assert why(await api.post(f"{APPS}/controllerrevisions", empty)) == [("data", "Required"), ("revision", "Invalid")]
