"""PriorityClasses: what pods get from them, and what never changes about them."""

from __future__ import annotations

import pytest

CLASSES = "/apis/scheduling.k8s.io/v1/priorityclasses"
PODS = "/api/v1/namespaces/default/pods"


def priority_class(name: str, value: int, **more) -> dict:
    return {"metadata": {"name": name}, "value": value, **more}


async def test_a_cluster_is_born_with_two_and_gets_them_back(api) -> None:
    listed = (await api.get(CLASSES)).body["items"]
    assert {one["metadata"]["name"]: one["value"] for one in listed} == {
        "system-cluster-critical": 2000000000, "system-node-critical": 2000001000,
    }  # fmt: skip
    await api.delete(f"{CLASSES}/system-node-critical")
    assert (await api.get(f"{CLASSES}/system-node-critical")).code == 200


async def test_a_pod_gets_the_numbers_of_its_class(api, make) -> None:
    await api.post(CLASSES, priority_class("polite", 7, preemptionPolicy="Never"))
    spec = (await api.post(PODS, make.pod("a", priorityClassName="polite"))).body["spec"]
    assert (spec["priority"], spec["preemptionPolicy"]) == (7, "Never")
    spec = (await api.post(PODS, make.pod("b"))).body["spec"]
    assert (spec["priority"], spec["preemptionPolicy"]) == (0, "PreemptLowerPriority")
    assert "priorityClassName" not in spec


async def test_a_pod_of_an_unknown_class_or_with_numbers_of_its_own_is_refused(api, make) -> None:
    answer = await api.post(PODS, make.pod(priorityClassName="none"))
    assert (answer.code, answer.body["message"]) == (
        403, 'pods "web" is forbidden: no PriorityClass with name none was found',
    )  # fmt: skip
    answer = await api.post(PODS, make.pod(priority=5))
    assert "the integer value of priority (5) must not be provided in pod spec" in answer.body["message"]


async def test_the_default_class_is_every_pods_and_there_is_only_one(api, make) -> None:
    await api.post(CLASSES, priority_class("usual", 3, globalDefault=True))
    spec = (await api.post(PODS, make.pod())).body["spec"]
    assert (spec["priorityClassName"], spec["priority"]) == ("usual", 3)
    answer = await api.post(CLASSES, priority_class("other", 4, globalDefault=True))
    assert (answer.code, answer.body["message"]) == (
        403,
        'priorityclasses.scheduling.k8s.io "other" is forbidden: PriorityClass usual is already marked as default. '
        "Only one default can exist",
    )  # fmt: skip
    assert (await api.patch(f"{CLASSES}/usual", {"description": "for all"})).code == 200


@pytest.mark.parametrize(
    ("made", "cause"),
    [
        (priority_class("mine", 1_000_000_001), ("value", "Forbidden")),
        (priority_class("system-mine", 1), ("metadata.name", "Forbidden")),
        (priority_class("mine", 1, preemptionPolicy="Always"), ("preemptionPolicy", "NotSupported")),
    ],
)
async def test_a_class_that_is_not_for_people_is_refused(api, why, made, cause) -> None:
    assert why(await api.post(CLASSES, made)) == [cause]


async def test_the_value_never_changes(api, why) -> None:
    await api.post(CLASSES, priority_class("mine", 1))
    assert why(await api.patch(f"{CLASSES}/mine", {"value": 2})) == [("value", "Forbidden")]
    assert why(await api.patch(f"{CLASSES}/mine", {"preemptionPolicy": "Never"})) == [("preemptionPolicy", "Invalid")]
