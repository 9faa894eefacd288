"""PodDisruptionBudgets, and evictions that keep to them."""

from __future__ import annotations

import asyncio

import pytest

BUDGETS = "/apis/policy/v1/namespaces/default/poddisruptionbudgets"
PODS = "/api/v1/namespaces/default/pods"


def budget(name: str = "pdb", **spec) -> dict:
    return {"metadata": {"name": name}, "spec": {"selector": {"matchLabels": {"app": "web"}}, **spec}}


@pytest.fixture
def running(api, make):
    """Pods that run, ready or not."""

    async def running(*names: str, ready: str = "True", phase: str = "Running") -> None:
        for name in names:
            pod = make.pod(name)
            pod["metadata"]["labels"] = {"app": "web"}
            await api.post(PODS, pod)
            status = {"phase": phase, "conditions": [{"type": "Ready", "status": ready}]}
            assert (await api.patch(f"{PODS}/{name}/status", {"status": status})).code == 200

    return running


@pytest.fixture
def allow(api):
    """A budget as the disruption controller keeps it."""

    async def allow(disruptions: int, observed: int = 1, name: str = "pdb", healthy: int = 2, **spec) -> None:
        assert (await api.post(BUDGETS, budget(name, **({"minAvailable": 1} | spec)))).code == 201
        status = {"disruptionsAllowed": disruptions, "currentHealthy": healthy, "desiredHealthy": 2,
                  "expectedPods": 3, "observedGeneration": observed}  # fmt: skip
        assert (await api.patch(f"{BUDGETS}/{name}/status", {"status": status})).code == 200

    return allow


async def evict(api, name: str, query: str = "", **options):
    body = {"metadata": {"name": name}, "deleteOptions": {"gracePeriodSeconds": 0, **options}}
    return await api.post(f"{PODS}/{name}/eviction{query}", body)


async def test_a_pod_that_no_budget_covers_is_deleted(api, running, allow) -> None:
    await running("a")
    await allow(0, selector={"matchLabels": {"app": "other"}})
    answer = await evict(api, "a")
    assert (answer.code, answer.body["status"]) == (201, "Success")
    assert (await api.get(f"{PODS}/a")).code == 404


async def test_an_allowed_eviction_is_entered_in_the_budget_before_the_pod_goes(api, running, allow, clock) -> None:
    await running("a", "b")
    await allow(1)
    assert (await evict(api, "a")).code == 201
    status = (await api.get(f"{BUDGETS}/pdb")).body["status"]
    assert status["disruptionsAllowed"] == 0
    assert list(status["disruptedPods"]) == ["a"]
    [condition] = status["conditions"]
    assert (condition["type"], condition["status"], condition["reason"]) == (
        "DisruptionAllowed", "False", "InsufficientPods",
    )  # fmt: skip


async def test_a_budget_that_is_used_up_answers_that_it_is_too_many(api, running, allow) -> None:
    await running("a")
    await allow(0)
    answer = await evict(api, "a")
    assert (answer.code, answer.body["reason"]) == (429, "TooManyRequests")
    assert answer.body["message"] == "Cannot evict pod as it would violate the pod's disruption budget."
    assert answer.body["details"]["causes"] == [
        {"reason": "DisruptionBudget", "message": "The disruption budget pdb needs 2 healthy pods and has 2 currently"}
    ]
    assert (await api.get(f"{PODS}/a")).code == 200


async def test_a_budget_that_has_not_been_counted_yet_says_when_to_ask_again(api, running, allow) -> None:
    await running("a")
    await allow(1, observed=0)
    answer = await evict(api, "a")
    assert (answer.code, answer.headers["retry-after"]) == (429, "10")
    assert answer.body["details"]["retryAfterSeconds"] == 10


async def test_of_two_evictions_for_the_last_disruption_one_is_refused(api, running, allow) -> None:
    await running("a", "b", "c")
    await allow(1)
    answers = await asyncio.gather(*(evict(api, name) for name in "abc"))
    assert sorted(answer.code for answer in answers) == [201, 429, 429]


async def test_what_is_not_ready_may_go_when_enough_others_are_or_always_if_the_budget_says_so(
    api, running, allow
) -> None:
    await running("a", "b", ready="False")
    await allow(0, healthy=2)
    assert (await evict(api, "a")).code == 201
    await api.patch(f"{BUDGETS}/pdb/status", {"status": {"currentHealthy": 1}})
    assert (await evict(api, "b")).code == 429
    await api.patch(f"{BUDGETS}/pdb", {"spec": {"unhealthyPodEvictionPolicy": "AlwaysAllow"}})
    assert (await evict(api, "b")).code == 201


@pytest.mark.parametrize("phase", ["Pending", "Succeeded", "Failed"])
async def test_what_serves_nobody_is_not_protected(api, running, allow, phase) -> None:
    await running("a", phase=phase)
    await allow(0)
    assert (await evict(api, "a")).code == 201


async def test_two_budgets_for_one_pod_are_one_too_many(api, running, allow) -> None:
    await running("a")
    await allow(1)
    await allow(1, name="second")
    answer = await evict(api, "a")
    assert (answer.code, "more than one PodDisruptionBudget" in answer.body["message"]) == (500, True)


@pytest.mark.parametrize(("query", "options"), [("?dryRun=All", {}), ("", {"dryRun": ["All"]})])
async def test_a_dry_run_takes_nothing(api, running, allow, query, options) -> None:
    await running("a")
    await allow(1)
    assert (await evict(api, "a", query, **options)).code == 201
    assert (await api.get(f"{PODS}/a")).body["status"].get("conditions")[0]["type"] == "Ready"
    assert (await api.get(f"{BUDGETS}/pdb")).body["status"]["disruptionsAllowed"] == 1


async def test_an_evicted_pod_says_why_it_goes(api, make) -> None:
    await api.post(PODS, make.pod("a", nodeName="n"))
    await api.patch(f"{PODS}/a/status", {"status": {"phase": "Running"}})
    assert (await api.post(f"{PODS}/a/eviction", {"metadata": {"name": "a"}})).code == 201
    pod = (await api.get(f"{PODS}/a")).body
    assert "deletionTimestamp" in pod["metadata"]
    assert [one["reason"] for one in pod["status"]["conditions"]] == ["EvictionByEvictionAPI"]


async def test_preconditions_hold_for_the_pod_as_the_client_knows_it(api, running) -> None:
    await running("a")
    version = (await api.get(f"{PODS}/a")).body["metadata"]["resourceVersion"]
    assert (await evict(api, "a", preconditions={"resourceVersion": "1"})).code == 409
    assert (await evict(api, "a", preconditions={"resourceVersion": version})).code == 201


async def test_a_policy_that_does_not_exist_is_refused_and_the_pod_stays(api, running) -> None:
    await running("web")
    refused = await evict(api, "web", propagationPolicy="Sideways")
    assert (refused.code, refused.body["reason"]) == (422, "Invalid")
    assert (await api.get(f"{PODS}/web")).code == 200


async def test_the_name_must_be_that_of_the_pod(api, running) -> None:
    await running("a")
    assert (await api.post(f"{PODS}/a/eviction", {"metadata": {"name": "b"}})).code == 400


@pytest.mark.parametrize(
    ("spec", "cause"),
    [
        ({"minAvailable": 1, "maxUnavailable": 1}, ("spec", "Invalid")),
        ({"minAvailable": -1}, ("spec.minAvailable", "Invalid")),
        ({"maxUnavailable": "101%"}, ("spec.maxUnavailable", "Invalid")),
        ({"unhealthyPodEvictionPolicy": "Sometimes"}, ("spec.unhealthyPodEvictionPolicy", "NotSupported")),
    ],
)
async def test_a_budget_that_makes_no_sense_is_refused(api, why, spec, cause) -> None:
    assert why(await api.post(BUDGETS, budget(**spec))) == [cause]
