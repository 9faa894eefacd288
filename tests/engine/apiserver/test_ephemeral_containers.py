"""pods/ephemeralcontainers: how ``kubectl debug`` adds a container to a pod."""

from __future__ import annotations

import pytest

PODS = "/api/v1/namespaces/default/pods"
EPHEMERAL = f"{PODS}/web/ephemeralcontainers"
DEBUGGER = {"name": "debugger", "image": "nicolaka/netshoot", "stdin": True, "tty": True}


@pytest.fixture(autouse=True)
async def web(api, make):
    return (await api.post(PODS, make.pod())).body


def what(answer) -> list[tuple[str, str]]:
    """(field, message) of an Invalid answer."""
    return [(cause["field"], cause["message"]) for cause in answer.body["details"]["causes"]]


async def add(api, *containers, kind: str = "strategic"):
    return await api.patch(EPHEMERAL, {"spec": {"ephemeralContainers": list(containers)}}, kind=kind)


async def test_it_is_added_with_defaults_and_the_rest_stays(api, web) -> None:
    patch = {"metadata": {"labels": {"a": "b"}}, "spec": {"restartPolicy": "Never", "ephemeralContainers": [DEBUGGER]}}
    answer = await api.patch(EPHEMERAL, patch, kind="strategic")
    assert answer.code == 200
    assert answer.body["spec"]["ephemeralContainers"][0]["terminationMessagePath"] == "/dev/termination-log"
    assert answer.body["spec"]["restartPolicy"] == web["spec"]["restartPolicy"]
    assert "labels" not in answer.body["metadata"]
    assert answer.body["metadata"]["generation"] == 2
    assert (await add(api, {**DEBUGGER, "name": "second"})).code == 200
    names = [each["name"] for each in (await api.get(EPHEMERAL)).body["spec"]["ephemeralContainers"]]
    assert names == ["debugger", "second"] or names == ["second", "debugger"]


async def test_those_that_are_there_stay_as_they_are(api) -> None:
    await add(api, DEBUGGER)
    field = "spec.ephemeralContainers"
    changed = await add(api, {**DEBUGGER, "image": "python"})
    assert what(changed) == [(field, 'Forbidden: existing ephemeral containers "debugger" may not be changed\n')]
    removed = await api.patch(EPHEMERAL, {"spec": {"ephemeralContainers": []}})
    assert what(removed) == [(field, 'Forbidden: existing ephemeral containers "debugger" may not be removed\n')]
    other_way = await api.patch(f"{PODS}/web", {"spec": {"ephemeralContainers": []}})
    assert other_way.code == 422


@pytest.mark.parametrize(
    ("more", "field", "message"),
    [
        ({"ports": [{"containerPort": 80}]}, "ports", "Forbidden: cannot be set for an Ephemeral Container"),
        ({"resources": {"limits": {"cpu": 1}}}, "resources", "Forbidden: cannot be set for an Ephemeral Container"),
        ({"targetContainerName": "none"}, "targetContainerName", 'Not found: "none"'),
        ({"image": ""}, "image", "Required value"),
        ({"name": "web"}, "name", 'Duplicate value: "web"'),
    ],
)
async def test_what_it_cannot_be(api, web, more, field, message) -> None:
    if more.get("name"):
        more = {"name": web["spec"]["containers"][0]["name"]}
        message = f'Duplicate value: "{more["name"]}"'
    answer = await add(api, {**DEBUGGER, **more})
    assert what(answer) == [(f"spec.ephemeralContainers[0].{field}", message)]


async def test_no_pod_is_made_with_one(api, make) -> None:
    answer = await api.post(PODS, make.pod("other", ephemeralContainers=[DEBUGGER]))
    assert what(answer) == [("spec.ephemeralContainers", "Forbidden: cannot be set on create")]
