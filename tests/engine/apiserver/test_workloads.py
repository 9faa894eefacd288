from __future__ import annotations

import pytest

DEPLOYMENTS = "/apis/apps/v1/namespaces/default/deployments"


async def test_a_deployment_is_filled_in(api, make) -> None:
    spec = (await api.post(DEPLOYMENTS, make.deployment())).body["spec"]
    assert spec["replicas"] == 1
    assert spec["strategy"] == {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": "25%", "maxSurge": "25%"}}
    assert (spec["revisionHistoryLimit"], spec["progressDeadlineSeconds"]) == (10, 600)
    assert spec["template"]["spec"]["restartPolicy"] == "Always"
    assert "enableServiceLinks" not in spec["template"]["spec"]


async def test_no_replicas_are_no_replicas(api, make) -> None:
    assert (await api.post(DEPLOYMENTS, make.deployment(replicas=0))).body["spec"]["replicas"] == 0


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ({"selector": {}}, [("spec.selector", "Invalid")]),
        ({"selector": None}, [("spec.selector", "Required"), ("spec.template.metadata.labels", "Invalid")]),
        ({"selector": {"matchLabels": {"app": "other"}}}, [("spec.template.metadata.labels", "Invalid")]),
        ({"replicas": -1}, [("spec.replicas", "Invalid")]),
        ({"strategy": {"type": "Blue"}}, [("spec.strategy.type", "NotSupported")]),
        (
            {"strategy": {"rollingUpdate": {"maxUnavailable": 0, "maxSurge": 0}}},
            [("spec.strategy.rollingUpdate.maxUnavailable", "Invalid")],
        ),
        ({"strategy": {"rollingUpdate": {"maxSurge": "a lot"}}}, [("spec.strategy.rollingUpdate.maxSurge", "Invalid")]),
        (
            {"strategy": {"type": "Recreate", "rollingUpdate": {"maxSurge": 1}}},
            [("spec.strategy.rollingUpdate", "Forbidden")],
        ),
    ],
)
async def test_a_deployment_that_makes_no_sense_is_invalid(api, make, why, spec, expected) -> None:
    assert [field for field in why(await api.post(DEPLOYMENTS, make.deployment(**spec))) if "." in field[0]][
        : len(expected)
    ] == expected


async def test_an_empty_deployment_lacks_a_selector_and_a_template(api, why) -> None:
    refused = await api.post(DEPLOYMENTS, {"metadata": {"name": "a"}, "spec": {}})
    assert why(refused) == [("spec.selector", "Required"), ("spec.template", "Required")]
    assert refused.body["details"]["group"] == "apps"
    assert refused.body["message"].startswith('Deployment.apps "a" is invalid: [spec.selector: Required value')


async def test_a_selector_never_changes(api, make) -> None:
    await api.post(DEPLOYMENTS, make.deployment())
    both = {"selector": {"matchLabels": {"app": "b"}}, "template": {"metadata": {"labels": {"app": "b"}}}}
    refused = await api.patch(f"{DEPLOYMENTS}/web", {"spec": both})
    assert refused.body["message"] == (
        'Deployment.apps "web" is invalid: spec.selector: Invalid value: {"matchLabels":{"app":"b"}}: '
        "field is immutable"
    )


async def test_the_scale_of_a_deployment(api, make) -> None:
    await api.post(DEPLOYMENTS, make.deployment())
    scale = (await api.get(f"{DEPLOYMENTS}/web/scale")).body
    assert (scale["kind"], scale["apiVersion"], scale["spec"]) == ("Scale", "autoscaling/v1", {"replicas": 1})
    assert scale["status"] == {"replicas": 0, "selector": "app=web"}
    scale["spec"]["replicas"] = 4
    assert (await api.put(f"{DEPLOYMENTS}/web/scale", scale)).body["spec"] == {"replicas": 4}
    assert (await api.put(f"{DEPLOYMENTS}/web/scale", scale)).code == 409
    assert (await api.patch(f"{DEPLOYMENTS}/web/scale", {"spec": {"replicas": 2}})).code == 200
    assert (await api.get(f"{DEPLOYMENTS}/web")).body["spec"]["replicas"] == 2
    refused = await api.patch(f"{DEPLOYMENTS}/web/scale", {"spec": {"replicas": -1}})
    assert refused.code == 422
    for junk in ({"spec": {"replicas": "2"}}, {"metadata": [1]}, {"spec": ""}, {"spec": {"replicas": True}}):
        assert (await api.patch(f"{DEPLOYMENTS}/web/scale", junk)).code == 400
